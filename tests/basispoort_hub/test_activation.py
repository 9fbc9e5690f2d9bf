"""The activation link: what it is made of, that only a posted password uses it up, and that exactly one post does."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select, update

from services.basispoort_hub import activation
from services.basispoort_hub.links import LinkMaker, is_live, read_link, save_activation_link, spend_link
from services.basispoort_hub.tables import AccountRow, Base, LinkRow, OutboxRow
from shared.clock import now
from shared.database import reading, writing
from tests.basispoort_hub.hub import CODE, LINK, PASSWORD, Hub, answered

ANNA = "anna@school.example"
FORM = {"wachtwoord": PASSWORD, "herhaling": PASSWORD}
BROWSER = {"Accept": "text/html"}


@pytest.fixture
def link(hub: Hub) -> str:
    return link_of_anna(hub)


def link_of_anna(hub: Hub) -> str:
    """The path of a live activation link."""
    hub.add_school()
    hub.appoint(ANNA)
    return hub.link_for(ANNA)


def the_link(hub: Hub) -> LinkRow:
    with reading(hub.engine) as db:
        return db.scalars(select(LinkRow).order_by(LinkRow.id.desc())).first()  # type: ignore[return-value]


def test_the_form_shows_which_address_becomes_the_user_name(hub: Hub, link: str) -> None:
    page = hub.client().get(link, headers=BROWSER)
    assert page.status_code == 200
    assert ANNA in page.text
    assert "Minstens 15 tekens" in page.text
    assert page.headers["referrer-policy"] == "same-origin"


def test_a_password_that_is_posted_activates_the_account(hub: Hub, link: str) -> None:
    answer = hub.client().post(link, data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/inloggen?bericht=geactiveerd")
    assert "set-cookie" not in answer.headers
    hub.sign_in(ANNA)


def test_mail_scanners_change_nothing(hub: Hub, link: str) -> None:
    for _ in range(10):
        hub.client().get(link, headers=BROWSER)
        hub.client().head(link)
    hub.client().options(link)
    assert is_live(the_link(hub), now())
    hub.activate(ANNA)


def test_a_link_works_once_and_a_repeat_says_calmly_that_the_account_is_active(hub: Hub, link: str) -> None:
    hub.activate(ANNA)
    again = hub.client().post(link, data={"wachtwoord": "x" * 30, "herhaling": "x" * 30}, headers=BROWSER)
    assert again.status_code == 410
    assert "al actief" in again.text
    problem = hub.client().post(link, data=FORM)
    assert problem.json()["type"] == "/problems/already-active"
    hub.sign_in(ANNA)


@pytest.mark.parametrize("after", [timedelta(days=14), timedelta(days=400)])
def test_a_link_ends_after_14_days(hub: Hub, link: str, after: timedelta) -> None:
    with time_machine.travel(now() + after):
        page = hub.client().get(link, headers=BROWSER)
        assert page.status_code == 410
        assert "verlopen of al gebruikt" in page.text
        assert hub.client().post(link, data=FORM).json()["type"] == "/problems/activation-link-expired"


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path[:-1] + ("A" if path[-1] != "A" else "B"),
        lambda path: path.replace("/activeren/1.", "/activeren/2."),
        lambda path: path.replace("/activeren/1.", "/activeren/01."),
        lambda path: "/activeren/" + "9" * 18 + path[path.index(".") :],
        lambda path: path + "%00",
        lambda path: path[:11] + "x",
    ],
)
def test_what_is_not_our_link_gets_the_same_calm_page(hub: Hub, link: str, change: Callable[[str], str]) -> None:
    other = change(link)
    assert hub.client().get(other, headers=BROWSER).status_code == 410
    assert hub.client().post(other, data=FORM).status_code == 410
    assert is_live(the_link(hub), now())


@pytest.mark.parametrize(
    ("password", "again", "sentence"),
    [
        ("te kort", "te kort", "minstens 15 tekens"),
        ("", "", "minstens 15 tekens"),
        (PASSWORD, PASSWORD + "!", "niet gelijk"),
        ("x" * 129, "x" * 129, "hoogstens 128 tekens"),
        (ANNA, ANNA, "gemakkelijk te raden"),
        ("a" * 15, "a" * 15, "gemakkelijk te raden"),
    ],
)
def test_a_bad_password_gets_a_reason_and_costs_nothing(
    hub: Hub, link: str, password: str, again: str, sentence: str
) -> None:
    page = hub.client().post(link, data={"wachtwoord": password, "herhaling": again}, headers=BROWSER)
    assert page.status_code == 422
    assert sentence in page.text
    assert not password or password == ANNA or f">{password}<" not in page.text
    assert hub.client().post(link, data={"wachtwoord": password, "herhaling": again}).status_code == 422
    hub.activate(ANNA)


def test_all_of_unicode_makes_a_password(hub: Hub, link: str) -> None:
    password = "ünïcödé 🐈 wachtwoord ł"
    answered(hub.client().post(link, data={"wachtwoord": password, "herhaling": password}), 303)
    hub.sign_in(ANNA, password)


def test_a_new_link_voids_the_old_one_and_goes_to_the_stored_address(hub: Hub, link: str) -> None:
    with time_machine.travel(now() + timedelta(days=20)):
        answered(hub.client().post(f"{link}/opnieuw", data={"emailadres": "dief@elders.example"}), 202)
        mails = hub.post_all()
        assert [to for to, *_ in mails] == [ANNA]
        new = hub.link_for(ANNA)
        assert new != link
        assert hub.client().get(link).status_code == 410
        hub.activate(ANNA)


def test_asking_for_a_new_link_has_the_same_answer_whether_or_not_there_is_an_account(hub: Hub, link: str) -> None:
    with time_machine.travel(now() + timedelta(days=1)):
        answers = [hub.client().post(f"{path}/opnieuw", headers=BROWSER) for path in (link, "/activeren/1.x", link)]
        hub.activate(ANNA)
        answers.append(hub.client().post(f"{link}/opnieuw", headers=BROWSER))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert hub.post_all() == []


def test_an_old_link_cannot_fill_a_mailbox(hub: Hub, link: str) -> None:
    with time_machine.travel(now() + timedelta(days=20), tick=False):
        for _ in range(5):
            hub.client().post(f"{link}/opnieuw")
        assert len(hub.post_all()) == 1


def test_the_link_in_the_mail_never_comes_from_a_request_header(hub: Hub, link: str) -> None:
    evil = {"Host": "kwaad.example", "X-Forwarded-Host": "kwaad.example", "Forwarded": "host=kwaad.example"}
    with time_machine.travel(now() + timedelta(days=20)):
        hub.client().post(f"{link}/opnieuw", headers=evil)
        ((_, _, text, _),) = hub.post_all()
    assert "kwaad" not in text
    assert LINK.search(text)


def test_a_mail_that_is_sent_twice_has_the_same_link_and_message_id(hub: Hub, link: str) -> None:
    with writing(hub.engine) as db:  # killed between sending and marking
        db.execute(update(OutboxRow).values(sent_at=None, claimed_until=None))
    (again,) = hub.post_all()
    assert again == hub.mails.sent[0]


def test_no_token_is_stored(hub: Hub, link: str) -> None:
    signature = link.rpartition(".")[2]
    with hub.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            for row in connection.execute(select(table)):
                assert signature not in str(row)


def test_links_made_with_the_previous_key_live_out_their_time(hub: Hub, link: str) -> None:
    old = hub.links
    hub.app.state.links = LinkMaker([b"n" * 32, *old.keys], old.base_url)
    assert hub.client().get(link).status_code == 200
    hub.app.state.links = LinkMaker([b"n" * 32], old.base_url)
    assert hub.client().get(link).status_code == 410


def test_a_link_is_bound_to_account_address_and_purpose(hub: Hub, link: str) -> None:
    token = link.rpartition("/")[2]
    for changed in ({"email": "bram@school.example"}, {"purpose": "reset"}):
        with writing(hub.engine) as db:
            row = db.scalars(select(LinkRow)).one()
            before = {name: getattr(row, name) for name in changed}
            db.execute(update(LinkRow).values(changed))
            db.expire_all()
            assert read_link(db, token, hub.links) is None
            db.execute(update(LinkRow).values(before))
    assert hub.client().get(link).status_code == 200


def test_the_form_left_open_is_refused_when_the_account_was_closed_meanwhile(hub: Hub, link: str) -> None:
    hub.appoint("tweede@school.example")
    with reading(hub.engine) as db:
        account_id = db.scalars(select(AccountRow.id).where(AccountRow.email == ANNA)).one()
    assert hub.client().get(link).status_code == 200
    answered(hub.operator().delete(f"/api/v1/operator/scholen/{CODE}/coordinatoren/{account_id}"), 204)
    assert hub.client().post(link, data=FORM).json()["type"] == "/problems/activation-link-expired"


def test_at_most_one_link_lives_per_account(hub: Hub, link: str) -> None:
    for _ in range(3):
        with writing(hub.engine) as db:
            save_activation_link(db, db.scalars(select(AccountRow)).one(), now(), hub.links)
    with reading(hub.engine) as db:
        live = db.scalars(select(LinkRow).where(LinkRow.void_at.is_(None), LinkRow.spent_at.is_(None))).all()
    assert len(live) == 1


THREADS = 20


def test_of_twenty_posts_at_once_exactly_one_wins(hub: Hub, link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    all_checked = threading.Barrier(THREADS)

    def hash_when_everybody_passed_the_check(password: str) -> str:
        all_checked.wait(30)
        return f"hash of {password}"

    monkeypatch.setattr(activation, "hash_password", hash_when_everybody_passed_the_check)

    def post(number: int) -> int:
        password = f"het wachtwoord van browser {number}"
        answer = hub.client().post(link, data={"wachtwoord": password, "herhaling": password})
        return number if answer.status_code == 303 else -answer.status_code

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = sorted(pool.map(post, range(THREADS)))
    assert outcomes[:-1] == [-410] * (THREADS - 1)
    assert hub.account(ANNA).password_hash == f"hash of het wachtwoord van browser {outcomes[-1]}"


def race(hub: Hub, spend: Callable[[Hub, int, datetime], bool]) -> int:
    """How many of twenty threads believe that they used the link up."""
    link_id, at = the_link(hub).id, now()
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(lambda _: spend(hub, link_id, at), range(THREADS)))


def spend_atomically(hub: Hub, link_id: int, at: datetime) -> bool:
    with writing(hub.engine) as db:
        return spend_link(db, link_id, at)


@pytest.mark.usefixtures("link")
def test_one_atomic_update_is_won_once(hub: Hub) -> None:
    assert race(hub, spend_atomically) == 1


@pytest.mark.usefixtures("link")
def test_looking_first_and_writing_after_is_won_more_than_once(hub: Hub) -> None:
    """The twin: this is what the atomic update prevents."""
    everybody_looked = threading.Barrier(THREADS)

    def look_then_write(hub: Hub, link_id: int, at: datetime) -> bool:
        with reading(hub.engine) as db:
            live = is_live(db.get_one(LinkRow, link_id), at)
        everybody_looked.wait(30)
        if live:
            with writing(hub.engine) as db:
                db.execute(update(LinkRow).where(LinkRow.id == link_id).values(spent_at=at))
        return live

    assert race(hub, look_then_write) > 1
