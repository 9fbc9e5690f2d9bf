"""The table of accounts: each row, the laws over random orders of events, and the page that is made from it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.basispoort_hub.rules.account_table import PAGE, account_page
from services.basispoort_hub.rules.accounts import (
    KEEPS_PASSWORD,
    Accepted,
    Account,
    AddressChanged,
    Announced,
    Appointed,
    Appointment,
    CannotHappen,
    DestroyPassword,
    Dismissed,
    Effect,
    EndSessions,
    Event,
    Forget,
    KeepingEnded,
    KeepPassword,
    Kept,
    Left,
    LinkAsked,
    PasswordChosen,
    RestorePassword,
    SendActivation,
    SendAppointed,
    SendClosed,
    SendInvitation,
    State,
    VoidLinks,
    decide,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EMAIL = "anna@school.example"
HERE = Appointment(1, 11)
THERE = Appointment(2, 22)


def an_account(state: State = State.ACTIVE, **changes: object) -> Account:
    return replace(Account(email=EMAIL, state=state, counting=frozenset({HERE})), **changes)  # type: ignore[arg-type]


def test_an_unknown_address_is_invited_with_a_link() -> None:
    account, effects = decide(None, Announced(EMAIL, HERE, NOW))
    assert account == Account(email=EMAIL, state=State.INVITED, counting=frozenset({HERE}))
    assert effects == [SendActivation()]


def test_the_own_account_of_a_coordinator_is_adopted_without_a_mail() -> None:
    own = an_account(counting=frozenset(), coordinates=frozenset({HERE.school}))
    account, effects = decide(own, Announced(EMAIL, HERE, NOW))
    assert account == replace(own, counting=frozenset({HERE}))
    assert effects == []


def test_a_roster_never_puts_two_people_of_a_school_under_one_password_by_itself() -> None:
    colleague = Appointment(HERE.school, 99)
    account, effects = decide(an_account(counting=frozenset({colleague})), Announced(EMAIL, HERE, NOW))
    assert account is not None
    assert HERE in account.waiting
    assert effects == [SendInvitation(HERE)]


def test_an_address_known_only_elsewhere_waits_and_gets_one_mail() -> None:
    known = an_account(counting=frozenset({THERE}))
    waits, effects = decide(known, Announced(EMAIL, HERE, NOW))
    assert waits == replace(known, waiting=frozenset({HERE}))
    assert effects == [SendInvitation(HERE)]
    assert decide(waits, Announced(EMAIL, HERE, NOW)) == (waits, [])


def test_a_waiting_appointment_counts_once_the_person_accepts() -> None:
    waits = an_account(counting=frozenset({THERE}), waiting=frozenset({HERE}))
    account, effects = decide(waits, Accepted(HERE))
    assert account == an_account(counting=frozenset({HERE, THERE}))
    assert effects == []


def test_a_changed_address_closes_the_old_account_at_once_and_tells_the_old_address() -> None:
    account, effects = decide(an_account(), AddressChanged(HERE))
    assert account == Account(email=EMAIL, state=State.CLOSED)
    assert effects == [DestroyPassword(), EndSessions(), VoidLinks(), SendClosed()]


def test_a_changed_address_leaves_the_account_to_the_other_school() -> None:
    account, effects = decide(an_account(counting=frozenset({HERE, THERE})), AddressChanged(HERE))
    assert account == an_account(counting=frozenset({THERE}))
    assert effects == []


def test_the_last_appointment_that_ends_closes_the_account_and_keeps_the_password_30_days() -> None:
    account, effects = decide(an_account(), Left(HERE, NOW))
    assert account == Account(email=EMAIL, state=State.CLOSED, kept=Kept(HERE.person, NOW + KEEPS_PASSWORD))
    assert effects == [KeepPassword(HERE.person), EndSessions(), VoidLinks()]


def test_a_management_role_keeps_an_account_open() -> None:
    leads = an_account(coordinates=frozenset({1}))
    assert decide(leads, Left(HERE, NOW)) == (replace(leads, counting=frozenset()), [])


@pytest.mark.parametrize(
    ("person", "later", "opens"),
    [
        (HERE.person, KEEPS_PASSWORD - timedelta(seconds=1), True),
        (HERE.person, KEEPS_PASSWORD, False),
        (HERE.person + 1, timedelta(0), False),
    ],
)
def test_only_the_same_person_within_30_days_finds_the_account_as_it_was(
    person: int, later: timedelta, opens: bool
) -> None:
    closed, _ = decide(an_account(), Left(HERE, NOW))
    account, effects = decide(closed, Announced(EMAIL, Appointment(1, person), NOW + later))
    assert account is not None
    assert account.state is (State.ACTIVE if opens else State.INVITED)
    assert effects == ([RestorePassword()] if opens else [DestroyPassword(), SendActivation()])


def test_a_changed_address_never_opens_again_with_the_old_password() -> None:
    closed, _ = decide(an_account(), AddressChanged(HERE))
    account, effects = decide(closed, Announced(EMAIL, HERE, NOW))
    assert account is not None
    assert account.state is State.INVITED
    assert RestorePassword() not in effects


def test_an_account_that_only_waits_becomes_an_ordinary_invitation_there() -> None:
    waits = an_account(waiting=frozenset({THERE}))
    account, effects = decide(waits, Left(HERE, NOW))
    assert account == Account(email=EMAIL, state=State.INVITED, counting=frozenset({THERE}))
    assert effects == [DestroyPassword(), EndSessions(), VoidLinks(), SendActivation()]


def test_a_person_appoints_and_dismisses_a_coordinator() -> None:
    appointed, effects = decide(None, Appointed(EMAIL, 1))
    assert effects == [SendActivation()]
    assert decide(appointed, Appointed(EMAIL, 1)) == (appointed, [])
    assert decide(an_account(), Appointed(EMAIL, 1))[1] == [SendAppointed(1)]
    closed, effects = decide(appointed, Dismissed(1))
    assert closed == Account(email=EMAIL, state=State.CLOSED)
    assert effects == [DestroyPassword(), EndSessions(), VoidLinks()]


def test_a_new_link_is_sent_only_where_one_is_needed() -> None:
    assert decide(an_account(State.INVITED), LinkAsked())[1] == [SendActivation()]
    assert decide(an_account(State.ACTIVE), LinkAsked())[1] == []
    assert decide(an_account(State.CLOSED, counting=frozenset()), LinkAsked())[1] == []


@pytest.mark.parametrize(
    ("account", "event"),
    [
        (None, PasswordChosen()),
        (an_account(State.ACTIVE), PasswordChosen()),
        (an_account(State.CLOSED, counting=frozenset()), PasswordChosen()),
        (an_account(), Accepted(THERE)),
        (an_account(), Left(THERE, NOW)),
        (an_account(), KeepingEnded()),
    ],
)
def test_what_makes_no_sense_is_a_bug_of_the_caller(account: Account | None, event: Event) -> None:
    with pytest.raises(CannotHappen):
        decide(account, event)


def test_the_page_about_account_states_is_as_decide_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == account_page(), "run `make docs`"


# The laws, over random orders of events. The world carries out effects as a database would.

ADDRESSES = ["a@school.example", "b@school.example", "c@school.example"]
APPOINTMENTS = [Appointment(school, school * 10 + person) for school in (1, 2) for person in (1, 2)]


@dataclass
class Shadow:
    """What hangs on one account outside the rules."""

    password: str | None = None
    kept: tuple[str, int] | None = None
    links: int = 0
    sessions: int = 0


@dataclass
class World:
    """Accounts by address with everything that hangs on them; `owner` says at which address a password was chosen."""

    decide: Callable[[Account | None, Event], tuple[Account | None, list[Effect]]] = decide
    accounts: dict[str, Account] = field(default_factory=dict)
    shadows: dict[str, Shadow] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)  # password -> address
    now: datetime = NOW

    def happen(self, email: str, event: Event) -> None:
        try:
            after, effects = self.decide(self.accounts.get(email), event)
        except CannotHappen:
            return
        shadow = self.shadows.setdefault(email, Shadow())
        if isinstance(event, PasswordChosen):
            if shadow.links == 0:
                return  # nobody can post a password without a live link
            shadow.links = 0
            shadow.password = f"secret {len(self.chosen)}"
            self.chosen[shadow.password] = email
        if after is None:
            self.accounts.pop(email, None)
        else:
            self.accounts[email] = after
        for effect in effects:
            self._carry_out(shadow, effect)

    def _carry_out(self, shadow: Shadow, effect: Effect) -> None:
        match effect:
            case SendActivation():
                shadow.links = 1  # older ones are void
            case VoidLinks():
                shadow.links = 0
            case EndSessions():
                shadow.sessions = 0
            case DestroyPassword():
                shadow.password, shadow.kept = None, None
            case KeepPassword(person=person):
                assert shadow.password is not None
                shadow.kept, shadow.password = (shadow.password, person), None
            case RestorePassword():
                assert shadow.kept is not None
                shadow.password, shadow.kept = shadow.kept[0], None
            case Forget():
                shadow.links = shadow.sessions = 0

    def check(self) -> None:
        for email, account in self.accounts.items():
            shadow = self.shadows[email]
            assert account.email == email
            if account.state is State.CLOSED:
                assert (shadow.password, shadow.links, shadow.sessions) == (None, 0, 0)
                assert not account.counting | account.waiting
                assert not account.coordinates
            else:
                assert account.counting or account.coordinates, "open, and nobody's"
                assert shadow.kept is None
            assert (shadow.password is not None) == (account.state is State.ACTIVE)
            assert (shadow.kept is not None) == (account.kept is not None)
            assert shadow.links == (1 if account.state is State.INVITED else 0)
            assert not account.counting & account.waiting
            assert shadow.password is None or self.chosen[shadow.password] == email, "a password moved"
        works = [one for account in self.accounts.values() for one in account.counting | account.waiting]
        assert len(works) == len(set(works)), "somebody works under two accounts"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["move", "leave", "appoint", "dismiss", "password", "accept", "ask", "sign in", "wait"]),
        st.sampled_from(ADDRESSES),
        st.sampled_from(APPOINTMENTS),
    ),
    max_size=40,
)


def play(world: World, steps: list[tuple[str, str, Appointment]]) -> None:  # noqa: PLR0912 - one case per step
    for what, email, one in steps:
        holds = next((e for e, a in world.accounts.items() if one in a.counting | a.waiting), None)
        match what:
            case "move":
                if holds is not None and holds != email:
                    world.happen(holds, AddressChanged(one))
                world.happen(email, Announced(email, one, world.now))
            case "leave" if holds is not None:
                world.happen(holds, Left(one, world.now))
            case "appoint":
                world.happen(email, Appointed(email, one.school))
            case "dismiss":
                world.happen(email, Dismissed(one.school))
            case "password":
                world.happen(email, PasswordChosen())
            case "accept":
                world.happen(email, Accepted(one))
            case "ask":
                world.happen(email, LinkAsked(one))
            case "sign in":
                if (shadow := world.shadows.get(email)) is not None and shadow.password is not None:
                    shadow.sessions += 1
            case "wait":
                world.now += timedelta(days=16)
                for each, account in list(world.accounts.items()):
                    if account.state is State.CLOSED and account.kept and account.kept.until <= world.now:
                        world.happen(each, KeepingEnded())
        world.check()


@given(STEPS)
def test_random_orders_of_events_never_break_the_table(steps: list[tuple[str, str, Appointment]]) -> None:
    play(World(), steps)


def forgets_the_sessions(account: Account | None, event: Event) -> tuple[Account | None, list[Effect]]:
    after, effects = decide(account, event)
    return after, [effect for effect in effects if effect != EndSessions()]


def keeps_the_password(account: Account | None, event: Event) -> tuple[Account | None, list[Effect]]:
    after, effects = decide(account, event)
    return after, [effect for effect in effects if effect != DestroyPassword()]


def stays_open(account: Account | None, event: Event) -> tuple[Account | None, list[Effect]]:
    after, effects = decide(account, event)
    if isinstance(event, Left) and account is not None and after is not None and after.state is State.CLOSED:
        return replace(account, counting=frozenset()), []
    return after, effects


@pytest.mark.parametrize("broken", [forgets_the_sessions, keeps_the_password, stays_open])
def test_a_broken_table_is_caught(
    broken: Callable[[Account | None, Event], tuple[Account | None, list[Effect]]],
) -> None:
    a, one = ADDRESSES[0], APPOINTMENTS[0]
    steps = [("move", a, one), ("password", a, one), ("sign in", a, one)]
    play(World(broken), steps)
    with pytest.raises(AssertionError):
        play(World(broken), [*steps, ("leave", a, one), *steps, ("move", ADDRESSES[1], one)])
