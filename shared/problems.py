"""The base class of every expected error, and the common ones (pure).

An expected error is a class: status, slug and titles are fixed, extra members are named. `shared/app_factory.py` turns
it into an RFC 9457 body for a program and into a Dutch page for a person. Never put a name, address or token in it.
"""

from typing import Any, ClassVar


class Problem(Exception):
    """An error that the caller, or the state of things, is responsible for.

    `title` is fixed English for programs, `uitleg` fixed Dutch for people; `detail` may say more about this occurrence.
    Extra keyword arguments become members of the body.
    """

    status: ClassVar[int] = 400
    slug: ClassVar[str] = "problem"
    title: ClassVar[str] = "The request could not be carried out"
    uitleg: ClassVar[str] = "Dit lukt zo niet."

    def __init__(self, detail: str | None = None, *, headers: dict[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = headers or {}
        self.members = members

    def body(self, instance: str) -> dict[str, Any]:
        """The problem as RFC 9457 members; `instance` is the request id."""
        fixed = {"type": f"/problems/{self.slug}", "title": self.title, "status": self.status, "uitleg": self.uitleg}
        detail = {"detail": self.detail} if self.detail else {}
        return {**self.members, **fixed, **detail, "instance": instance}


class InvalidRequest(Problem):
    status, slug, title = 422, "invalid-request", "The request does not have the right form"
    uitleg = "De gegevens hebben niet de juiste vorm. Er is niets gewijzigd."


class BadBody(Problem):
    status, slug, title = 400, "bad-body", "The body cannot be read"
    uitleg = "Het bericht is niet leesbaar. Er is niets gewijzigd."


class TooLarge(Problem):
    status, slug, title = 413, "too-large", "The body is too large"
    uitleg = "Het bericht is te groot. Er is niets gewijzigd."


class CallerUnknown(Problem):
    status, slug, title = 401, "caller-unknown", "The key is missing or not known"
    uitleg = "De sleutel ontbreekt of is niet bekend."


class NotSignedIn(Problem):
    status, slug, title = 401, "not-signed-in", "Sign in first"
    uitleg = "Er is niemand ingelogd. Log eerst in."


class WrongSchool(Problem):
    status, slug, title = 403, "wrong-school", "The caller may not act for this school"
    uitleg = "Dit mag niet met deze inlog of sleutel, of niet voor deze school."


class CrossSite(Problem):
    status, slug, title = 403, "cross-site", "The form was sent from another site"
    uitleg = "Dit formulier is vanaf een andere website verstuurd. Er is niets gewijzigd."


class NotFound(Problem):
    status, slug, title = 404, "not-found", "There is nothing here"
    uitleg = "Deze pagina of deze gegevens bestaan niet."


class MethodNotAllowed(Problem):
    status, slug, title = 405, "method-not-allowed", "This address does not take that method"
    uitleg = "Dit adres kent die handeling niet."


class ConnectionInactive(Problem):
    status, slug, title = 409, "connection-inactive", "The connection of this school is not on at both sides"
    uitleg = "De koppeling van deze school staat nog niet aan beide kanten aan."


class PreconditionMissing(Problem):
    status, slug, title = 428, "precondition-missing", "Say with If-Match or If-None-Match what you start from"
    uitleg = "Het bericht zegt niet van welke gegevens het uitgaat. Er is niets gewijzigd."


class TooManyAttempts(Problem):
    status, slug, title = 429, "too-many-attempts", "Too many attempts; wait before trying again"
    uitleg = "Te veel pogingen. Wacht even en probeer het dan opnieuw."


class DatabaseBusy(Problem):
    status, slug, title = 503, "database-busy", "The database is busy; try again"
    uitleg = "Het is even te druk. Er is niets gewijzigd; probeer het zo nog eens."


class ServerFault(Problem):
    status, slug, title = 500, "server-fault", "Something went wrong on our side"
    uitleg = "Er ging bij ons iets mis. Er is niets gewijzigd. Meld het met het referentienummer."


class UpstreamProblem(Problem):
    """The service we called, or the road to it, failed. `upstream` names it, `retry` says whether again makes sense."""

    status, slug, title = 502, "upstream-failed", "Another service answered with an error"
    uitleg = "Een ander systeem gaf een fout."

    def __init__(self, upstream: str, *, retry: bool, detail: str | None = None, **members: Any) -> None:
        super().__init__(detail, upstream=upstream, retry=retry, **members)
        self.upstream = upstream
        self.retry = retry


class UpstreamUnavailable(UpstreamProblem):
    status, slug, title = 503, "upstream-unavailable", "Another service cannot be reached"
    uitleg = "Een ander systeem is niet bereikbaar."


class UpstreamTimeout(UpstreamProblem):
    status, slug, title = 504, "upstream-timeout", "Another service did not answer in time"
    uitleg = "Een ander systeem gaf niet op tijd antwoord."
