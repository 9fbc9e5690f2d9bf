"""Contact details of staff: e-mail addresses and telephone numbers, one address marked for Basispoort."""

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from services.eduscope_api.tables import ContactRow, StaffRow


class ContactKind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"


def read_addresses(db: Session, school_id: int) -> dict[int, str]:
    """Row number of a member of staff -> the address marked for Basispoort, for those who have one."""
    return dict(
        db.execute(
            select(ContactRow.staff_id, ContactRow.value)
            .join(StaffRow, StaffRow.id == ContactRow.staff_id)
            .where(StaffRow.school_id == school_id, ContactRow.for_basispoort)
        ).all()
    )


def save_addresses(db: Session, addresses: Mapping[int, str | None]) -> None:
    """Give each of these members of staff exactly this address for Basispoort, or none.

    The address that had the mark before is replaced; an address that was there without the mark gets it.
    """
    if not addresses:
        return
    found = db.scalars(
        select(ContactRow).where(ContactRow.staff_id.in_(list(addresses)), ContactRow.kind == ContactKind.EMAIL)
    ).all()
    marked = {row.staff_id: row.value for row in found if row.for_basispoort}
    changed = {staff_id: value for staff_id, value in addresses.items() if marked.get(staff_id) != value}
    if not changed:
        return
    db.execute(delete(ContactRow).where(ContactRow.staff_id.in_(list(changed)), ContactRow.for_basispoort))
    present = {(row.staff_id, row.value): row.id for row in found if not row.for_basispoort}
    wanted = {staff_id: value for staff_id, value in changed.items() if value is not None}
    known = [present[each] for each in wanted.items() if each in present]
    if known:
        db.execute(update(ContactRow).where(ContactRow.id.in_(known)).values(for_basispoort=True))
    new = [
        {"staff_id": staff_id, "kind": ContactKind.EMAIL.value, "value": value, "for_basispoort": True}
        for staff_id, value in wanted.items()
        if (staff_id, value) not in present
    ]
    if new:
        db.execute(insert(ContactRow), new)
