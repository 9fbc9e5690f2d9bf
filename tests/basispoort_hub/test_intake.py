"""What comes in: receipts, the compare-and-swap, refusals that change nothing, and the rows read back."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session
from time_machine import travel

from services.basispoort_hub import holds, intake
from services.basispoort_hub.intake import check_all_fingerprints
from services.basispoort_hub.rosters import (
    Change,
    Layer,
    read_canonical,
    read_roster,
    recompute_fingerprint,
    save_layers,
    to_canonical,
)
from services.basispoort_hub.tables import (
    AccountRow,
    AdministrationKeyRow,
    EntryRow,
    HoldRow,
    OutboxRow,
    PersonRow,
    SchoolRow,
)
from shared.clock import now
from shared.database import reading, writing
from shared.roster import EMPTY, Kind, Role, Roster, fingerprint
from shared.service_auth import hash_key
from tests.basispoort_hub.a_hub import CODE, Hub, open_hub
from tests.factories import a_group, a_pupil, a_roster, a_staff_member, rosters

SCHOOL = a_roster(pupils=40, staff=6, groups=4)


@pytest.fixture
def hub(make_engine: Callable[[str], Engine]) -> Iterator[Hub]:
    opened = open_hub(make_engine("basispoort_hub"))
    opened.open_school()
    yield opened
    opened.client.close()


def everything(engine: Engine) -> list[object]:
    """All rows of the tables that an intake writes, to see that a refusal changed nothing."""
    with reading(engine) as db:
        return [
            db.execute(select(*table.__table__.c).order_by(*table.__table__.primary_key)).all()
            for table in (SchoolRow, PersonRow, EntryRow, AccountRow, OutboxRow)
        ]


def test_a_whole_roster_comes_in_and_its_receipt_repeats_fingerprint_and_token(hub: Hub) -> None:
    answer = hub.put(SCHOOL, token=None)
    assert answer.status_code == 200
    receipt = answer.json()
    assert receipt["vingerafdruk"] == fingerprint(SCHOOL)
    assert answer.headers["etag"] == f'"{receipt["token"]}"'
    assert receipt["leerlingen"] == {"nieuw": 40, "gewijzigd": 0, "verwijderd": 0}
    assert receipt["berichtenInWachtrij"] == 6
    assert hub.roster(Layer.MIRROR) == hub.roster(Layer.VALID) == SCHOOL


def test_the_standing_says_which_roster_is_held(hub: Hub) -> None:
    empty = hub.standing()
    assert empty.json()["vingerafdruk"] is None
    assert "etag" not in empty.headers
    hub.put(SCHOOL, token=None)
    held = hub.standing()
    assert held.json()["vingerafdruk"] == fingerprint(SCHOOL)
    assert held.headers["etag"] == f'"{hub.token}"'


def test_a_delta_changes_exactly_what_it_says(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    after = Roster.of([*SCHOOL.entries(), a_pupil("new", first_name="Wies", home_group="g1")])
    answer = hub.patch(SCHOOL, after)
    assert answer.json()["leerlingen"] == {"nieuw": 1, "gewijzigd": 0, "verwijderd": 0}
    assert hub.roster(Layer.MIRROR) == after


def test_a_repeat_is_refused_and_doubles_nothing(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    before = everything(hub.engine)
    repeated = hub.put(SCHOOL, token=None)
    assert (repeated.status_code, repeated.json()["type"]) == (409, "/problems/roster-diverged")
    assert everything(hub.engine) == before


def test_a_delta_that_arrives_an_hour_late_is_refused(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    early, later = hub.token, replace(SCHOOL.pupils["p1"], year="8")
    after = Roster.of(later if entry.key == "p1" else entry for entry in SCHOOL.entries())
    assert hub.patch(SCHOOL, after).status_code == 200
    assert hub.patch(SCHOOL, EMPTY, token=early).status_code == 409
    assert hub.put(EMPTY, token=early).status_code == 409
    assert hub.roster(Layer.MIRROR) == after


def test_without_the_compare_and_swap_a_late_roster_would_win(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.put(SCHOOL, token=None)
    early = hub.token
    changed = Roster.of([*SCHOOL.entries(), a_pupil("new", first_name="Wies", home_group="g1")])
    hub.patch(SCHOOL, changed)
    swap = intake._move_token

    def blind(db, school, _if_match, target, at):  # type: ignore[no-untyped-def]
        swap(db, school, school.token, target, at)

    monkeypatch.setattr(intake, "_move_token", blind)
    assert hub.put(SCHOOL, token=early).status_code == 200
    assert hub.roster(Layer.MIRROR) != changed, "the planted fault is visible"


def test_the_target_must_be_reached(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    wrong = json.dumps({"base": fingerprint(SCHOOL), "target": f"r1:{'0' * 64}"})
    before = everything(hub.engine)
    assert hub._send("PATCH", wrong, hub.token).status_code == 409
    assert everything(hub.engine) == before


def test_every_loose_end_is_listed_at_once_and_nothing_comes_in(hub: Hub) -> None:
    broken = Roster.of(
        [
            a_group("g1"),
            a_pupil("p1", home_group="nowhere"),
            a_pupil("p2", home_group="g1", composite_groups=frozenset({"g1"})),
            a_staff_member("m1", email="same@school.example", home_groups=frozenset()),
            a_staff_member("m2", email="same@school.example", home_groups=frozenset({"gone"})),
        ]
    )
    before = everything(hub.engine)
    answer = hub.put(broken, token=None)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/roster-inconsistent")
    found = {(each["code"], each["key"]) for each in answer.json()["objections"]}
    assert found == {
        ("loose-end", "p1"),
        ("loose-end", "p2"),
        ("loose-end", "m2"),
        ("double-address", "m1"),
        ("double-address", "m2"),
    }
    assert "same@school.example" not in answer.text, "no address in an error"
    assert everything(hub.engine) == before


@pytest.mark.parametrize("column", ["connection_on", "administration_on"])
def test_nothing_comes_in_until_both_switches_are_on(hub: Hub, column: str) -> None:
    with writing(hub.engine) as db:
        db.execute(update(SchoolRow).values({column: False}))
    answer = hub.put(SCHOOL, token=None)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/connection-inactive")
    assert hub.standing().json()["wachtOp"] is not None
    assert hub.roster() == EMPTY


def test_who_may_send(hub: Hub) -> None:
    assert hub.put(SCHOOL, token=None, Authorization="Bearer wrong").status_code == 401
    assert hub.put(SCHOOL, token=None, code="99ZB00").status_code == 404
    with writing(hub.engine) as db:
        db.execute(update(SchoolRow).values(administration="Another"))
    answer = hub.put(SCHOOL, token=None)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/wrong-school")


def test_a_request_must_say_what_it_starts_from(hub: Hub) -> None:
    answer = hub.client.put(
        f"/api/v1/scholen/{CODE}/leerlinggegevens",
        json={"target": fingerprint(EMPTY), "gegevens": {}},
        headers=hub.as_administration,
    )
    assert (answer.status_code, answer.json()["type"]) == (428, "/problems/precondition-missing")


def test_a_roster_makes_nobody_a_coordinator(hub: Hub) -> None:
    both = a_staff_member("m1", roles=frozenset({Role.TEACHER, Role.ICT_COORDINATOR}), home_groups=frozenset())
    only = a_staff_member("m2", roles=frozenset({Role.ICT_COORDINATOR}), home_groups=frozenset())
    hub.put(Roster.of([both, only]), token=None)
    assert hub.roster(Layer.MIRROR).staff["m1"] == both, "the mirror is exactly what the source sent"
    assert hub.roster().staff["m1"].roles == {Role.TEACHER}
    assert "m2" not in hub.roster().staff


def person_ids(hub: Hub) -> dict[str | None, int]:
    here = select(PersonRow).where(PersonRow.left_at.is_(None), PersonRow.key.is_not(None))
    with reading(hub.engine) as db:
        return {row.key: row.id for row in db.scalars(here)}


def test_numbers_survive_every_change_and_are_never_used_again(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    first = person_ids(hub)
    assert len(set(first.values())) == 46, "one space for pupils and staff"
    changed = replace(SCHOOL.pupils["p1"], year="8", home_group="g2")
    without = Roster.of(changed if e.key == "p1" else e for e in SCHOOL.entries() if e.key != "p2")
    hub.patch(SCHOOL, without)
    assert person_ids(hub)["p1"] == first["p1"]
    hub.patch(without, Roster.of([*without.entries(), SCHOOL.pupils["p2"]]))
    assert person_ids(hub)["p2"] == first["p2"], "the same key is the same child again"
    with_new = Roster.of([*hub.roster(Layer.MIRROR).entries(), a_pupil("p99", first_name="Wies", home_group="g1")])
    hub.patch(hub.roster(Layer.MIRROR), with_new)
    assert person_ids(hub)["p99"] > max(first.values())


def test_drift_in_the_rows_is_found_in_the_evening_and_mended_by_the_next_whole_roster(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    assert check_all_fingerprints(hub.engine, now()) == 0
    with writing(hub.engine) as db:
        db.execute(update(EntryRow).where(EntryRow.key == "p1", EntryRow.layer == "mirror").values(body='{"key":"p1"}'))
    assert check_all_fingerprints(hub.engine, now()) == 1
    assert hub.standing().json()["vingerafdruk"] != fingerprint(SCHOOL), "so the sender sends everything"
    assert hub.put(SCHOOL, token=hub.standing().headers["etag"].strip('"')).status_code == 200
    assert hub.roster(Layer.MIRROR) == SCHOOL


def test_a_wave_is_held_in_the_valid_roster_while_the_mirror_follows(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    less = Roster.of(entry for entry in SCHOOL.entries() if entry.key not in {f"p{n}" for n in range(1, 21)})
    receipt = hub.patch(SCHOOL, less).json()
    assert receipt["vastgehouden"] == 20
    assert hub.roster(Layer.MIRROR) == less
    assert hub.roster() == SCHOOL
    assert len(hub.rest("/leerlingen").json()["leerlingen"]) == 40, "publishers still see them"
    [hold] = hub.holds()
    assert (hold["oorzaak"], len(hold["personen"])) == ("removals", 20)
    assert hub.standing().json()["vastgehouden"] == 20


def test_letting_go_carries_out_exactly_what_was_held(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    less = Roster.of(entry for entry in SCHOOL.entries() if entry.key not in {f"p{n}" for n in range(1, 21)})
    hub.patch(SCHOOL, less)
    [hold] = hub.holds()
    assert hub.decide(hold, "loslaten").json() == {"vastgehouden": 0}
    assert hub.roster() == less
    assert hub.holds() == []


def test_a_kept_hold_asks_again_after_sixty_days(hub: Hub) -> None:
    from services.basispoort_hub.holds import remind

    hub.put(SCHOOL, token=None)
    hub.patch(SCHOOL, Roster.of(entry for entry in SCHOOL.entries() if not entry.key.startswith("p")))
    [hold] = hub.holds()
    assert hub.decide(hold, "vasthouden").status_code == 200
    assert hub.roster() == SCHOOL
    assert remind(hub.engine, now() + timedelta(days=59)) == 0
    assert remind(hub.engine, now() + timedelta(days=61)) == 1


def kept_by_a_decision_that_overlaps_the_reminder(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Is a hold still kept, when the coordinator kept it while the reminder was at work?"""
    hub.put(SCHOOL, token=None)
    hub.patch(SCHOOL, Roster.of(entry for entry in SCHOOL.entries() if not entry.key.startswith("p")))
    later = now() + timedelta(days=2)
    looked, due_holds = threading.Event(), holds._due_holds

    def look(db: Session, at: datetime) -> list[HoldRow]:
        found = due_holds(db, at)
        looked.set()
        return found

    monkeypatch.setattr(holds, "_due_holds", look)
    reminder = threading.Thread(target=holds.remind, args=(hub.engine, later))
    with writing(hub.engine) as db:
        db.get_one(SchoolRow, hub.school_id, with_for_update=True)
        db.execute(update(HoldRow).values(kept_until=later + timedelta(days=60)))
        reminder.start()
        looked.wait(30)
    reminder.join()
    with reading(hub.engine) as db:
        return all(row.kept_until is not None for row in db.scalars(select(HoldRow)))


def test_a_decision_that_overlaps_the_reminder_stands(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_by_a_decision_that_overlaps_the_reminder(hub, monkeypatch)


def test_a_reminder_that_looks_only_once_would_overwrite_it(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def remind(engine: Engine, at: datetime) -> None:
        with reading(engine) as db:
            due = holds._due_holds(db, at)
        with writing(engine) as db:
            for row in due:
                db.execute(update(HoldRow).where(HoldRow.id == row.id).values(kept_until=None))

    monkeypatch.setattr(holds, "remind", remind)
    assert not kept_by_a_decision_that_overlaps_the_reminder(hub, monkeypatch)


def test_a_swap_waits_for_a_person_and_another_child_gets_another_number(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    first = person_ids(hub)
    other = replace(SCHOOL.pupils["p1"], first_name="Sem", prefix=None, last_name="Dekker")
    after = Roster.of(other if entry.key == "p1" else entry for entry in SCHOOL.entries())
    assert hub.patch(SCHOOL, after).json()["vastgehouden"] == 1
    assert hub.roster() == SCHOOL
    [hold] = hub.holds()
    assert hub.decide(hold, "loslaten").status_code == 409
    assert hub.decide(hold, "iemand-anders").status_code == 200
    assert hub.roster() == after
    assert person_ids(hub)["p1"] not in first.values()


def test_renumbered_pupils_keep_their_number_when_transferred(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    first = person_ids(hub)
    renamed = {f"p{n}": f"new{n}" for n in range(1, 21)}
    after = Roster.of(replace(entry, key=renamed.get(entry.key, entry.key)) for entry in SCHOOL.entries())
    hub.patch(SCHOOL, after)
    assert hub.roster() == SCHOOL, "nobody is doubled"
    [hold] = hub.holds()
    assert hub.decide(hold, "overzetten").json() == {"vastgehouden": 0}
    assert hub.roster() == after
    assert {new: first[old] for old, new in renamed.items()}.items() <= person_ids(hub).items()


def test_the_first_push_holds_everybody_it_lacks(hub: Hub) -> None:
    with writing(hub.engine) as db:
        school = intake.read_school(db, CODE)
        school.administration_on = False
        intake.take_by_hand(db, school, SCHOOL, now(), hub.client.app.state.links)  # type: ignore[attr-defined]
        school.administration_on = True
    token = hub.standing().headers["etag"].strip('"')
    less = Roster.of(entry for entry in SCHOOL.entries() if entry.key not in {"p1", "m1"})
    assert hub.put(less, token=token).json()["vastgehouden"] == 2
    assert hub.roster() == SCHOOL


def test_a_file_by_hand_is_refused_while_the_connection_is_on(hub: Hub) -> None:
    with writing(hub.engine) as db, pytest.raises(intake.ConnectionOn):
        intake.take_by_hand(db, intake.read_school(db, CODE), SCHOOL, now(), None)  # type: ignore[arg-type]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(before=rosters(), after=rosters())
def test_a_saved_roster_reads_back_the_same_whatever_was_there(hub: Hub, before: Roster, after: Roster) -> None:
    with writing(hub.engine) as db:
        held = read_canonical(db, hub.school_id, Layer.MIRROR)
        save_layers(db, hub.school_id, {Layer.MIRROR: Change(held, to_canonical(before))})
        save_layers(db, hub.school_id, {Layer.MIRROR: Change(to_canonical(before), to_canonical(after))})
    with reading(hub.engine) as db:
        assert read_roster(db, hub.school_id, Layer.MIRROR) == after
        assert recompute_fingerprint(db, hub.school_id) == fingerprint(after)


def test_an_unchanged_push_writes_no_entry_and_builds_no_answer(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    seen = hub.rest().headers["etag"]
    assert hub.put(SCHOOL).status_code == 200
    assert hub.rest().headers["etag"] == seen


def test_people_of_one_school_never_reach_another(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    first = hub.school_id
    second = hub.open_school("99ZB00")
    hub.token = None
    hub.put(a_roster(pupils=2, staff=1), token=None, code="99ZB00")
    with reading(hub.engine) as db:
        count = select(func.count()).select_from(PersonRow).where(PersonRow.kind == Kind.PUPIL)
        assert db.scalar(count.where(PersonRow.school_id == first)) == 40
        assert db.scalar(count.where(PersonRow.school_id == second)) == 2


def test_a_second_wave_within_a_week_counts_with_the_first(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    with travel(now() + timedelta(days=3), tick=False):
        first = Roster.of(entry for entry in SCHOOL.entries() if entry.key not in {"p1", "p2", "p3", "p4"})
        assert hub.patch(SCHOOL, first).json()["vastgehouden"] == 0
    with travel(now() + timedelta(days=4), tick=False):
        second = Roster.of(entry for entry in first.entries() if entry.key not in {"p5", "p6"})
        assert hub.patch(first, second).json()["vastgehouden"] == 2
    with travel(now() + timedelta(days=20), tick=False):
        back = Roster.of([*second.entries(), SCHOOL.pupils["p5"], SCHOOL.pupils["p6"]])
        assert hub.patch(second, back).json()["vastgehouden"] == 0
        assert hub.patch(back, second).json()["vastgehouden"] == 0


def test_the_coordinator_sees_who_is_held_and_decides_on_the_page(hub: Hub) -> None:
    hub.put(SCHOOL, token=None)
    less = Roster.of(entry for entry in SCHOOL.entries() if entry.key not in {f"p{n}" for n in range(1, 21)})
    hub.patch(SCHOOL, less)
    page = hub.client.get("/", headers={"Accept": "text/html"}).text
    assert page.count("zou verdwijnen") == 20
    assert SCHOOL.pupils["p7"].full_name in page
    assert "Loslaten" in page
    assert "Overzetten" not in page, "nobody came back under a new key"
    [hold] = hub.holds()
    form = {"school": CODE, "besluit": "loslaten"}
    answer = hub.client.post(f"/vastgehouden/{hold['id']}", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/?school={CODE}&melding=besloten")
    assert hub.roster() == less


def test_the_tick_of_another_administration_does_not_count(hub: Hub) -> None:
    with writing(hub.engine) as db:
        db.add(AdministrationKeyRow(key_hash=hash_key("schakel_other"), administration="Anders", created_at=now()))
        db.execute(update(SchoolRow).values(administration=None, connection_on=False, administration_on=False))
    path, body = f"/api/v1/scholen/{CODE}/aanmelding", {"aangezet": True}
    other = hub.client.put(path, json=body, headers={"Authorization": "Bearer schakel_other"})
    assert (other.status_code, other.json()["type"]) == (403, "/problems/wrong-school")
    assert hub.client.put(path, json=body, headers=hub.as_administration).status_code == 204


@pytest.mark.parametrize("sign", ["\n", "\x1b", "\u2028", "\u202e", "\x85"])
def test_no_name_holds_a_sign_that_forges_a_line_or_hides(hub: Hub, sign: str) -> None:
    broken = Roster.of([a_group("g1"), a_pupil("p1", first_name=f"Noor{sign}x", home_group="g1")])
    assert hub.put(broken, token=None).status_code == 422


def test_a_token_that_no_database_can_look_for_is_refused(hub: Hub) -> None:
    """No server lets a NUL through in a header; should one, then PostgreSQL would make it a fault of ours."""
    answer = hub.put(SCHOOL, token="\0")
    assert answer.status_code == 422
    assert hub.roster() == EMPTY
