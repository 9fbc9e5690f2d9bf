"""Schools that close, merge or change their code: told first, done by fingerprint, taken back; numbers stay."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete, select

from services.basispoort_hub.merged_schools import CaseNotPossible, Step, WireCase, carry_out
from services.basispoort_hub.tables import SchoolEndRow, SchoolRow
from shared.clock import now
from shared.database import open_engine, writing
from shared.problems import DatabaseBusy
from tests.basispoort_hub.a_hub import ADMINISTRATION_KEY, CODE, OPERATOR_KEY, PUBLISHER_KEY, Hub, open_hub
from tests.conftest import POSTGRES
from tests.factories import a_roster

OTHER, NEW = "99ZB00", "99ZC01"
AS_OPERATOR = {"Authorization": f"Bearer {OPERATOR_KEY}"}
AS_PUBLISHER = {"Authorization": f"Bearer {PUBLISHER_KEY}"}


@pytest.fixture
def hub(migrated_url: Callable[[str], str]) -> Iterator[Hub]:
    engine = open_engine(migrated_url("basispoort_hub"))
    opened = open_hub(engine)
    opened.open_school(OTHER)
    opened.put(a_roster(), token=None, code=OTHER)
    opened.token = None
    opened.open_school()
    opened.put(a_roster(), token=None)
    yield opened
    opened.client.close()
    engine.dispose()
    opened.client.app.state.engine.dispose()  # type: ignore[attr-defined]


def _ask(hub: Hub, step: str, to: str | None = None, code: str = CODE, **more: Any) -> Any:
    body = {"soort": step, "naar": to, "reden": "besluit van het bestuur", **more}
    return hub.client.post(f"/api/v1/operator/scholen/{code}/zaak", json=body, headers=AS_OPERATOR)


def _do(hub: Hub, step: str, to: str | None = None, code: str = CODE) -> list[str]:
    told = _ask(hub, step, to, code).json()
    done = _ask(hub, step, to, code, vingerafdruk=told["vingerafdruk"])
    assert (done.status_code, done.json()["uitgevoerd"]) == (200, True), done.text
    assert done.json()["stappen"] == told["stappen"]
    return [str(each) for each in told["stappen"]]


def _numbers(hub: Hub) -> set[int]:
    whole = hub.rest().json()
    return {each["id"] for each in [*whole["leerlingen"], *whole["medewerkers"]]}


def _other_id(hub: Hub) -> int:
    found = hub.client.get("/rest/v2/instellingen", headers=AS_PUBLISHER).json()
    return next(int(each) for each in found if each != hub.school_id)


def test_a_dry_run_tells_everything_and_does_nothing(hub: Hub) -> None:
    before = hub.rest().content
    told = _ask(hub, "fuseren", OTHER)
    assert told.json()["uitgevoerd"] is False
    assert any(str(_other_id(hub)) in sentence for sentence in told.json()["stappen"])
    assert hub.rest().content == before
    _do(hub, "fuseren", OTHER)
    assert hub.rest().content != before  # the twin: doing it shows


def test_a_merged_school_keeps_answering_and_points_to_the_other(hub: Hub) -> None:
    numbers = _numbers(hub)
    _do(hub, "fuseren", OTHER)
    for path in ("", "/details"):
        body = hub.rest(path).json()
        assert (body["actief"], body["gefuseerdNaar"]) == (False, _other_id(hub))
    assert _numbers(hub) == numbers
    assert hub.put(a_roster(pupils=4)).status_code == 409  # nothing comes in any more
    groups = hub.rest("/groepen").json()["metaResult"]["mutationTimestamp"]
    assert groups < hub.rest().json()["metaResult"]["mutationTimestamp"]  # no group changed


def test_closing_and_merging_can_be_taken_back(hub: Hub) -> None:
    before = hub.rest().json()
    _do(hub, "sluiten")
    assert hub.rest().json()["actief"] is False
    _do(hub, "terugdraaien")
    after = hub.rest().json()
    del before["metaResult"], after["metaResult"]
    assert after == before


def test_another_code_keeps_every_number_and_the_old_code_leads_on(hub: Hub) -> None:
    numbers, number = _numbers(hub), hub.school_id
    _do(hub, "hernummeren", NEW)
    details = hub.rest("/details").json()
    assert (details["brincode"], details["dependancecode"]) == ("99ZC", "01")
    assert (_numbers(hub), hub.school_id) == (numbers, number)
    assert hub.put(a_roster(pupils=4)).status_code == 200  # still sent under the former code
    assert hub.put(a_roster(pupils=5), code=NEW).status_code == 200
    for code in (CODE, NEW):  # a mail that was sent before leads there still
        assert hub.client.get(f"/scholen/{code}/beheer").status_code == 200
    assert hub.client.get(f"/scholen/{OTHER}/beheer").status_code == 404
    taken = hub.client.post("/api/v1/operator/scholen", json={"code": CODE, "naam": "Nieuw"}, headers=AS_OPERATOR)
    assert taken.status_code == 409
    _do(hub, "hernummeren", CODE, code=NEW)
    assert hub.rest("/details").json()["brincode"] == CODE[:4]


def _found(hub: Hub, code: str) -> list[tuple[int, str]]:
    answer = hub.client.get("/rest/v2/nawsearch", params={"brincode": code}, headers=AS_PUBLISHER)
    return [(each["id"], each["brincode"]) for each in answer.json()]


def test_a_publisher_finds_a_school_by_its_former_code_too(hub: Hub) -> None:
    number = hub.school_id
    beside = hub.open_school(f"{CODE[:4]}02")
    _do(hub, "hernummeren", f"{CODE[:4]}01")
    now_called = (number, f"{CODE[:4]}01")
    assert _found(hub, CODE) == [now_called]
    assert _found(hub, CODE[:4]) == [now_called, (beside, f"{CODE[:4]}02")]  # once, and the other is there too
    _do(hub, "hernummeren", NEW, code=f"{CODE[:4]}01")
    for code in (CODE, f"{CODE[:4]}01", NEW, NEW[:4]):
        assert _found(hub, code) == [(number, NEW)]
    assert _found(hub, f"{CODE[:4]}03") == []


def test_a_confirmation_of_something_else_does_nothing(hub: Hub) -> None:
    told = _ask(hub, "sluiten").json()
    hub.put(a_roster(pupils=5))
    answer = _ask(hub, "sluiten", vingerafdruk=told["vingerafdruk"])
    assert (answer.status_code, answer.json()["stappen"] != told["stappen"]) == (409, True)
    assert hub.rest().json()["actief"] is True


@pytest.mark.parametrize(
    ("step", "to"),
    [("fuseren", CODE), ("fuseren", None), ("sluiten", OTHER), ("terugdraaien", None), ("hernummeren", OTHER)],
)
def test_what_makes_no_sense_is_refused(hub: Hub, step: str, to: str | None) -> None:
    assert _ask(hub, step, to).status_code == 409


def test_only_the_operator_may(hub: Hub) -> None:
    for key in (ADMINISTRATION_KEY, PUBLISHER_KEY, "schakel_nobody"):
        headers = {"Authorization": f"Bearer {key}"}
        body = {"soort": "sluiten", "reden": "x"}
        answer = hub.client.post(f"/api/v1/operator/scholen/{CODE}/zaak", json=body, headers=headers)
        assert answer.status_code == 401


def _merge(hub: Hub, school: str, into: str) -> str:
    """In a transaction of its own; "" when it is done, otherwise why not."""
    case = WireCase(step=Step.MERGE, to=into, reason="besluit van het bestuur", confirmed=None)
    try:
        with writing(hub.engine) as db:
            told = carry_out(db, school, case, now())
            carry_out(db, school, case.model_copy(update={"confirmed": told.fingerprint}), now())
    except CaseNotPossible as refused:
        return str(refused.members["reden"])
    return ""


def test_two_schools_that_merge_into_each_other_at_once_wait_and_one_is_refused(hub: Hub) -> None:
    for _ in range(3):
        with ThreadPoolExecutor(2) as threads:
            done = [threads.submit(_merge, hub, *pair) for pair in ((CODE, OTHER), (OTHER, CODE))]
            answers = sorted(each.result() for each in done)
        assert answers[0] == ""
        assert answers[1] == "De andere school is zelf gesloten of gefuseerd."
        with writing(hub.engine) as db:
            db.execute(select(SchoolRow.id).with_for_update())
            db.execute(delete(SchoolEndRow))


def _is_locked(hub: Hub, code: str) -> bool:
    query = select(SchoolRow.id).where(SchoolRow.code == code).with_for_update(nowait=True)
    try:
        with writing(hub.engine) as db:
            db.execute(query)
    except DatabaseBusy:
        return True
    return False


@pytest.mark.skipif(not POSTGRES, reason="SQLite locks everything at once")
def test_a_merger_locks_both_schools_and_no_other(hub: Hub) -> None:
    hub.open_school(NEW)
    case = WireCase(step=Step.MERGE, to=OTHER, reason="besluit van het bestuur", confirmed=None)
    with writing(hub.engine) as db:
        carry_out(db, CODE, case, now())
        assert [_is_locked(hub, code) for code in (CODE, OTHER, NEW)] == [True, True, False]
    assert not _is_locked(hub, OTHER)
