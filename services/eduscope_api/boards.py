"""School boards: the operator puts schools and administrators in them; its administrators see all of its schools."""

from collections.abc import Collection, Sequence

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import Operator, fold_user_name
from services.eduscope_api.people import refuse
from services.eduscope_api.tables import AdministratorRow, BoardRow, SchoolRow
from shared.database import Db, ReadDb
from shared.problems import InvalidRequest, NotFound
from shared.wire.base import Code, RowId, Text, WireModel

router = APIRouter(prefix="/api/v1/operator/besturen", tags=["operator"], dependencies=[Operator])


class WireNewBoard(WireModel):
    name: Text = Field(alias="naam")


class WireBoardChange(WireModel):
    """Exactly these schools and administrators. Who is left out keeps the schools that are the own ones."""

    name: Text = Field(alias="naam")
    schools: tuple[Code, ...] = Field(alias="scholen", max_length=1000)
    administrators: tuple[Text, ...] = Field(alias="beheerders", max_length=1000)


class WireBoard(WireModel):
    id: int
    name: str = Field(alias="naam")
    schools: Sequence[str] = Field(alias="scholen")
    administrators: Sequence[str] = Field(alias="beheerders")


class WireBoards(WireModel):
    boards: Sequence[WireBoard] = Field(alias="besturen")


@router.get("")
def show_boards(db: ReadDb) -> WireBoards:
    """Every board by name, with its schools and administrators."""
    return WireBoards(boards=[_read_board(db, row) for row in db.scalars(select(BoardRow).order_by(BoardRow.name))])


@router.post("", status_code=201)
def save_new_board(body: WireNewBoard, db: Db) -> WireBoard:
    """Make a board; a name that is known already gives that board."""
    row = db.scalar(select(BoardRow).where(BoardRow.name == body.name))
    if row is None:
        row = BoardRow(name=body.name)
        db.add(row)
        db.flush()
    return _read_board(db, row)


@router.put("/{board_id}")
def save_board(board_id: RowId, body: WireBoardChange, db: Db) -> WireBoard:
    """Give a board its name, and exactly these schools and administrators. Raises NotFound, InvalidRequest."""
    asked = set(body.schools)
    schools = db.scalars(
        select(SchoolRow)
        .where(or_(SchoolRow.code.in_(asked), SchoolRow.board_id == board_id))
        .order_by(SchoolRow.id)
        .with_for_update()
    ).all()
    row = db.scalar(select(BoardRow).where(BoardRow.id == board_id).with_for_update())
    if row is None:
        raise NotFound
    _check_known(body.schools, {school.code for school in schools}, "scholen", "Deze school bestaat hier niet.")
    taken = db.scalar(select(BoardRow.id).where(BoardRow.name == body.name, BoardRow.id != board_id))
    if taken is not None:
        raise refuse("naam", "Er is al een bestuur met deze naam.")
    folded = [fold_user_name(each) for each in body.administrators]
    known = set(db.scalars(select(AdministratorRow.user_name).where(AdministratorRow.user_name.in_(folded))))
    _check_known(folded, known, "beheerders", "Deze beheerder bestaat hier niet.")
    row.name = body.name
    for school in schools:
        school.board_id = board_id if school.code in asked else None
    chosen = AdministratorRow.user_name.in_(folded)
    db.execute(update(AdministratorRow).where(AdministratorRow.board_id == board_id, ~chosen).values(board_id=None))
    db.execute(update(AdministratorRow).where(chosen).values(board_id=board_id))
    db.flush()
    return _read_board(db, row)


def _check_known(asked: Sequence[str], known: Collection[str], field: str, detail: str) -> None:
    pointers = [f"/body/{field}/{at}" for at, each in enumerate(asked) if each not in known]
    if pointers:
        raise InvalidRequest(errors=[{"pointer": each, "code": "unknown", "detail": detail} for each in pointers])


def _read_board(db: Session, row: BoardRow) -> WireBoard:
    schools = db.scalars(select(SchoolRow.code).where(SchoolRow.board_id == row.id).order_by(SchoolRow.code))
    names = select(AdministratorRow.user_name).where(AdministratorRow.board_id == row.id)
    return WireBoard(
        id=row.id,
        name=row.name,
        schools=schools.all(),
        administrators=db.scalars(names.order_by(AdministratorRow.user_name)).all(),
    )
