"""The life of an account: invited, active, closed; what happens to it, and what must follow (pure).

Law, kept by property tests over random orders of events: one account per address; a closed account has no password,
live link or session; a password never moves to another address; an account without an appointment that counts and
without a management role is closed; at most one live link per account. docs/account-states.md is made from `decide`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

KEEPS_PASSWORD = timedelta(days=30)


class State(StrEnum):
    INVITED = "invited"  # no password yet; a link was sent
    ACTIVE = "active"  # has a password
    CLOSED = "closed"  # nobody signs in; the address is kept 30 days


@dataclass(frozen=True, slots=True, order=True)
class Appointment:
    """A member of staff of a school, by our numbers."""

    school: int
    person: int


@dataclass(frozen=True, slots=True)
class Kept:
    """The password of a closed account, kept for this member of staff until that moment."""

    person: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account. `waiting` appointments count once the person has signed in and accepted them."""

    email: str
    state: State
    counting: frozenset[Appointment] = frozenset()
    waiting: frozenset[Appointment] = frozenset()
    coordinates: frozenset[int] = frozenset()  # schools
    kept: Kept | None = None


# What happens.


@dataclass(frozen=True, slots=True)
class Announced:
    """A member of staff appears with this address, or moves to it."""

    email: str
    appointment: Appointment
    at: datetime


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """The address of a member of staff is no longer this account's."""

    appointment: Appointment


@dataclass(frozen=True, slots=True)
class Left:
    """A member of staff left, or has no address any more."""

    appointment: Appointment
    at: datetime


@dataclass(frozen=True, slots=True)
class Appointed:
    """A person made this address a coordinator of a school."""

    email: str
    school: int


@dataclass(frozen=True, slots=True)
class Dismissed:
    """A person ended the coordinator's role at a school."""

    school: int


@dataclass(frozen=True, slots=True)
class PasswordChosen:
    """The activation link was used: a form was posted with a password."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The person, signed in, accepted an appointment that waited."""

    appointment: Appointment


@dataclass(frozen=True, slots=True)
class LinkAsked:
    """Somebody asked for a new activation link; a coordinator says for whom."""

    appointment: Appointment | None = None


@dataclass(frozen=True, slots=True)
class KeepingEnded:
    """The account has been closed for 30 days."""


Event = Announced | AddressChanged | Left | Appointed | Dismissed | PasswordChosen | Accepted | LinkAsked | KeepingEnded


# What must follow. Effects concern the account they are decided for, in the order given.


@dataclass(frozen=True, slots=True)
class SendActivation:
    """A new activation link; older live ones are void."""


@dataclass(frozen=True, slots=True)
class SendInvitation:
    """A mail to somebody who has an account elsewhere: sign in and accept."""

    appointment: Appointment


@dataclass(frozen=True, slots=True)
class SendClosed:
    """A notice to the old address that it is no longer a user name."""


@dataclass(frozen=True, slots=True)
class SendAppointed:
    """A notice that the account now manages a school."""

    school: int


@dataclass(frozen=True, slots=True)
class EndSessions:
    pass


@dataclass(frozen=True, slots=True)
class VoidLinks:
    pass


@dataclass(frozen=True, slots=True)
class DestroyPassword:
    """Erase the password, the kept one too."""


@dataclass(frozen=True, slots=True)
class KeepPassword:
    """Put the password away for one member of staff; nobody signs in with it."""

    person: int


@dataclass(frozen=True, slots=True)
class RestorePassword:
    """Make the password that was put away the password again."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Erase the address; only the number stays."""


Effect = (
    SendActivation
    | SendInvitation
    | SendClosed
    | SendAppointed
    | EndSessions
    | VoidLinks
    | DestroyPassword
    | KeepPassword
    | RestorePassword
    | Forget
)


class CannotHappen(ValueError):
    """An event that makes no sense in this state: a bug of the caller."""


def decide(account: Account | None, event: Event) -> tuple[Account | None, list[Effect]]:  # noqa: PLR0911, PLR0912 - one table, one place
    """The account after `event`, and what must follow. Raises CannotHappen."""
    match account, event:
        # somebody appears where nobody can sign in
        case None, Announced(email=email, appointment=new):
            return Account(email=email, state=State.INVITED, counting=frozenset({new})), [SendActivation()]
        case None, Appointed(email=email, school=school):
            return Account(email=email, state=State.INVITED, coordinates=frozenset({school})), [SendActivation()]
        case Account(state=State.CLOSED, kept=Kept() as kept), Announced(appointment=new, at=at) if (
            kept.person == new.person and at < kept.until
        ):
            return replace(account, state=State.ACTIVE, counting=frozenset({new}), kept=None), [RestorePassword()]
        case Account(state=State.CLOSED), Announced(appointment=new):
            again = replace(account, state=State.INVITED, counting=frozenset({new}), kept=None)
            return again, [DestroyPassword(), SendActivation()]
        case Account(state=State.CLOSED), Appointed(school=school):
            again = replace(account, state=State.INVITED, coordinates=frozenset({school}), kept=None)
            return again, [DestroyPassword(), SendActivation()]

        # somebody appears whose address has an open account
        case Account(), Announced(appointment=new) if new in account.counting | account.waiting:
            return account, []
        case Account(), Announced(appointment=new) if _adopts(account, new):
            return replace(account, counting=account.counting | {new}), []
        case Account(), Announced(appointment=new):
            return replace(account, waiting=account.waiting | {new}), [SendInvitation(new)]
        case Account(), Appointed(school=school) if school in account.coordinates:
            return account, []
        case Account(), Appointed(school=school):
            return replace(account, coordinates=account.coordinates | {school}), [SendAppointed(school)]

        # the person acts
        case Account(state=State.INVITED), PasswordChosen():
            return replace(account, state=State.ACTIVE), [VoidLinks()]
        case Account(state=State.ACTIVE), Accepted(appointment=one) if one in account.waiting:
            return replace(account, counting=account.counting | {one}, waiting=account.waiting - {one}), []
        case Account(), LinkAsked(appointment=Appointment() as one) if one in account.waiting:
            return account, [SendInvitation(one)]
        case Account(state=State.INVITED), LinkAsked():
            return account, [SendActivation()]
        case Account(), LinkAsked():
            return account, []

        # something ends
        case Account(), (AddressChanged(appointment=one) | Left(appointment=one)) if one in account.waiting:
            return replace(account, waiting=account.waiting - {one}), []
        case Account(), AddressChanged(appointment=one) if one in account.counting:
            after, effects = _less(replace(account, counting=account.counting - {one}))
            return after, [*effects, SendClosed()] if after.state is State.CLOSED else effects
        case Account(), Left(appointment=one, at=at) if one in account.counting:
            keeps = Kept(one.person, at + KEEPS_PASSWORD) if account.state is State.ACTIVE else None
            return _less(replace(account, counting=account.counting - {one}), keeps)
        case Account(), Dismissed(school=school) if school in account.coordinates:
            return _less(replace(account, coordinates=account.coordinates - {school}))
        case Account(state=State.CLOSED), KeepingEnded():
            return None, [DestroyPassword(), Forget()]
        case _:
            what = account.state if account else "no account"
            raise CannotHappen(f"{type(event).__name__} cannot happen to {what}")


def _adopts(account: Account, new: Appointment) -> bool:
    """Is this the own account of somebody of that school, who is in no roster yet?

    When another member of staff of the school works under the account, nobody is adopted: two people never share a
    password because a roster says so.
    """
    return new.school in account.coordinates and all(each.school != new.school for each in account.counting)


def _less(account: Account, kept: Kept | None = None) -> tuple[Account, list[Effect]]:
    """What an account that lost something becomes: as it was, closed, or invited anew where it only waited."""
    if account.counting or account.coordinates:
        return account, []
    put_away: Effect = DestroyPassword() if kept is None or account.waiting else KeepPassword(kept.person)
    effects = [put_away, EndSessions(), VoidLinks()]
    if account.waiting:
        # known nowhere else any more: what was an invitation to a known person becomes an ordinary one
        again = replace(account, state=State.INVITED, counting=account.waiting, waiting=frozenset())
        return again, [*effects, SendActivation()]
    return replace(account, state=State.CLOSED, kept=kept), effects
