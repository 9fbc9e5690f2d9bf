"""Licences decide tiles: the rule as a table, the pictures and addresses it lets in, and the page Lesmateriaal."""

import base64
from collections.abc import Callable, Iterator
from typing import get_args

import pytest
from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from services.basispoort_hub.materials import OF_PUPIL, SENTENCES
from services.basispoort_hub.rules import icons
from services.basispoort_hub.rules.icons import media_type, objection_to_icon
from services.basispoort_hub.rules.tiles import Application, Tag, Verdict, Viewer, judge, judge_portal
from services.basispoort_hub.rules.web_addresses import parse_web_address, stands_under
from services.basispoort_hub.tables import AccountRow, AppointmentRow, PermissionRow, PersonRow, SessionRow
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.roster import Kind
from shared.sessions import start_session
from shared.wire import licences as wire
from tests.basispoort_hub.a_hub import CODE, OPERATOR_KEY, Hub, open_hub
from tests.basispoort_hub.test_lika import METHOD, PRODUCT, Publisher, allow
from tests.factories import a_roster

PUPIL, TEACHER = Viewer(is_staff=False), Viewer(is_staff=True)
COORDINATOR = Viewer(is_staff=True, is_coordinator=True)
ELSEWHERE, AT_SCHOOL = Viewer(is_staff=False, at_school=False), Viewer(is_staff=False, at_school=True)
PLAIN, TEACHERS, TEST = frozenset[Tag](), frozenset({Tag.TEACHERS}), frozenset({Tag.TEST})
BOTH = TEACHERS | TEST


# --- the rule ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("viewer", "consent", "licence", "tags", "address", "verdict"),
    [
        (PUPIL, True, True, PLAIN, True, Verdict.SHOWN),
        (PUPIL, True, False, PLAIN, True, Verdict.NO_LICENCE),
        (PUPIL, True, True, TEACHERS, True, Verdict.TEACHERS_ONLY),
        (PUPIL, True, False, TEACHERS, True, Verdict.TEACHERS_ONLY),
        (PUPIL, True, True, TEST, True, Verdict.SHOWN_AS_TEST),
        (AT_SCHOOL, True, True, TEST, True, Verdict.SHOWN_AS_TEST),
        (ELSEWHERE, True, True, TEST, True, Verdict.NOT_AT_SCHOOL),
        (ELSEWHERE, True, True, PLAIN, True, Verdict.SHOWN),
        (PUPIL, True, True, BOTH, True, Verdict.TEACHERS_ONLY),
        (PUPIL, True, True, PLAIN, False, Verdict.NO_ADDRESS),
        (PUPIL, False, True, PLAIN, True, Verdict.NO_CONSENT),
        (TEACHER, True, True, PLAIN, True, Verdict.SHOWN),
        (TEACHER, True, True, TEACHERS, True, Verdict.SHOWN),
        (TEACHER, True, True, BOTH, True, Verdict.SHOWN_AS_TEST),
        (TEACHER, True, False, TEACHERS, True, Verdict.NO_LICENCE),
        (TEACHER, False, True, TEACHERS, True, Verdict.NO_CONSENT),
        (COORDINATOR, True, False, PLAIN, True, Verdict.NO_LICENCE),
        (COORDINATOR, True, True, TEACHERS, True, Verdict.SHOWN),
        (Viewer(is_staff=False, is_coordinator=True), True, True, TEACHERS, True, Verdict.SHOWN),
    ],
)
def test_who_sees_what(
    viewer: Viewer, consent: bool, licence: bool, tags: frozenset[Tag], address: bool, verdict: Verdict
) -> None:
    assert judge(viewer, Application(licence, tags, address), has_consent=consent) is verdict


@pytest.mark.parametrize(
    ("viewer", "consent", "address", "verdict"),
    [
        (COORDINATOR, True, True, Verdict.SHOWN),
        (COORDINATOR, True, False, Verdict.NO_ADDRESS),
        (COORDINATOR, False, True, Verdict.NO_CONSENT),
        (TEACHER, True, True, Verdict.COORDINATORS_ONLY),
        (PUPIL, True, True, Verdict.COORDINATORS_ONLY),
    ],
)
def test_who_sees_the_management_portal(viewer: Viewer, consent: bool, address: bool, verdict: Verdict) -> None:
    assert judge_portal(viewer, has_consent=consent, has_address=address) is verdict


VIEWERS = st.builds(
    Viewer, is_staff=st.booleans(), is_coordinator=st.booleans(), at_school=st.sampled_from([None, True, False])
)
APPLICATIONS = st.builds(
    Application, has_licence=st.booleans(), tags=st.frozensets(st.sampled_from(Tag)), has_address=st.booleans()
)


@given(VIEWERS, APPLICATIONS, st.booleans())
def test_without_consent_or_licence_there_is_never_a_tile(
    viewer: Viewer, application: Application, has_consent: bool
) -> None:
    verdict = judge(viewer, application, has_consent=has_consent)
    assert not verdict.is_tile or (has_consent and application.has_licence)
    assert has_consent or verdict is Verdict.NO_CONSENT


def test_every_verdict_has_words_and_the_tags_are_those_of_the_wire() -> None:
    assert SENTENCES.keys() == OF_PUPIL.keys() == set(Verdict)
    assert set(get_args(wire.Tag)) == {tag.value for tag in Tag}
    assert wire.LONGEST_ICON == icons.LONGEST


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "allowed", "stands"),
    [
        ("https://app.example.org/start", "https://app.example.org", True),
        ("https://app.example.org", "https://app.example.org/", True),
        ("HTTPS://APP.example.org:443/start?x=1#y", "https://app.example.org/start", True),
        ("https://app.example.org/start/5", "https://app.example.org/start", True),
        ("https://app.example.org/start/5", "https://app.example.org/start/", True),
        ("https://app.example.org/starter", "https://app.example.org/start", False),
        ("https://app.example.org.evil.example/start", "https://app.example.org", False),
        ("https://evil.example/https://app.example.org", "https://app.example.org", False),
        ("http://app.example.org/start", "https://app.example.org", False),
        ("https://app.example.org:8443/start", "https://app.example.org", False),
        ("https://app.example.org/start/../admin", "https://app.example.org/start", False),
        ("https://app.example.org/start/%2e%2E/admin", "https://app.example.org/start", False),
    ],
)
def test_an_address_stands_under_another_only_when_a_browser_stays_there(
    address: str, allowed: str, stands: bool
) -> None:
    assert stands_under(parse_web_address(address), parse_web_address(allowed)) is stands


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/start",
        "app.example.org",
        "//app.example.org",
        "ftp://app.example.org",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "https:///start",
        "https://u:p@app.example",
        "https://app.example.org\\@evil.example",
        "https://app.example.org/a\\b",
        "https://app.example.org|evil.example/",
        "https://app^.example.org/",
        "https://app.example.org/?a=<b>",
        'https://app.example.org/?a="b"',
        "https://app.example.org/ x",
        "https://app.example.org/\tx",
        "https://app.example.org:99999/",
        "https://[::1",
    ],
)
def test_what_is_no_absolute_web_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ValueError, match=r"^(?:dit|een) ") as refused:
        parse_web_address(address)
    assert len(address) < 9 or address not in str(refused.value)


# --- pictures ---------------------------------------------------------------------------------------------------------

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 20).decode()


def svg(inside: str = "", attributes: str = "") -> str:
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    text = f'<svg {spaces} viewBox="0 0 9 9"{attributes}>{inside}</svg>'
    return "image/svg+xml," + base64.b64encode(text.encode()).decode()


DRAWN = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
LAUGHS = "".join(f"<!ENTITY l{each} '{f'&l{each - 1};' * 10}'>" for each in range(1, 30))


def drawn(text: str) -> str:
    return "image/svg+xml," + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "icon",
    [
        "image/svg+xml,PHN2Zy8+",
        "PHN2Zy8+",
        f"image/png,{PNG}",
        PNG,
        svg("<path d='M0 0h9'/>"),
        svg("<style>.a{fill:url(#verloop)}</style><use xlink:href='#a'/>"),
        svg(f"<image href='data:image/png;base64,{PNG}'/>"),
        svg("<title>alert: on the road</title>"),
        drawn(f"<?xml version='1.0' standalone='no'?>{DRAWN}<svg><title>a &amp; b &#233;</title></svg>"),
        drawn("<!DOCTYPE svg SYSTEM 'file:///etc/passwd'><svg/>"),
    ],
)
def test_a_picture_that_only_draws_is_kept(icon: str) -> None:
    assert objection_to_icon(icon) is None
    assert media_type(icon) == (icons.PNG if PNG in icon and "svg" not in icon else icons.SVG)


@pytest.mark.parametrize(
    ("begins", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
    ],
)
def test_an_image_of_another_kind_comes_without_its_kind_and_is_known_by_its_bytes(begins: bytes, kind: str) -> None:
    icon = base64.b64encode(begins + b"x" * 30).decode()
    assert objection_to_icon(icon) is None
    assert media_type(icon) == kind
    assert [objection_to_icon(f"{named},{icon}") is None for named in (icons.PNG, icons.SVG, kind)] == [False] * 3


@pytest.mark.parametrize(
    "icon",
    [
        drawn(DRAWN.removesuffix(">") + "[]><svg/>"),
        drawn("<!DOCTYPE svg [<!ATTLIST svg onload CDATA 'alert(1)'>]><svg/>"),
        drawn("<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><svg>&a;</svg>"),
        drawn("<!DOCTYPE svg [<!ENTITY % a SYSTEM 'https://elders.example/a'>%a;]><svg/>"),
        drawn(f"<!DOCTYPE svg [<!ENTITY l0 'ha'>{LAUGHS}]><svg>&l29;</svg>"),
        drawn(f"{DRAWN}<svg>&nbsp;</svg>"),
        drawn(f"{DRAWN}<svg style='fill:url&lpar;https://elders.example/a)'/>"),
        drawn(f"{DRAWN}<svg><script>alert(1)</script></svg>"),
        drawn(f"{DRAWN}<svg onload='alert(1)'/>"),
        drawn(f"{DRAWN}{DRAWN}<svg/>"),
        base64.b64encode(b"BM and more").decode(),
        "",
        "image/svg+xml,",
        "image/gif,R0lGODlh",
        f"data:image/png;base64,{PNG}",
        f"image/svg+xml,{PNG}",
        "image/png,PHN2Zy8+",
        "image/png,geen base64!",
        "image/svg+xml," + base64.b64encode(b"<html/>").decode(),
        "image/svg+xml," + base64.b64encode(b"<svg>").decode(),
        "image/svg+xml," + base64.b64encode(b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg>&a;</svg>").decode(),
        "image/svg+xml," + base64.b64encode(b"<?xml-stylesheet href='x'?><svg/>").decode(),
        "image/svg+xml," + base64.b64encode("<svg/>".encode("utf-16")).decode(),
        svg("<script>alert(1)</script>"),
        svg("<x:script xmlns:x='http://www.w3.org/2000/svg'/>"),
        svg("<SCRIPT/>"),
        svg("<foreignObject/>"),
        svg("<set attributeName='href' to='javascript:alert(1)'/>"),
        svg("<a href='java&#10;script:alert(1)'/>"),
        svg("<image href='https://elders.example/a.png'/>"),
        svg("<image href='data:image/svg+xml;base64,PHN2Zy8+'/>"),
        svg("<use xlink:href='//elders.example/a.svg#b'/>"),
        svg("<style>@import 'https://elders.example/a.css'</style>"),
        svg("<style>*{background:image-set('https://elders.example/a.png' 1x)}</style>"),
        svg("<style>@im\\70ort 'x'</style>"),
        svg("<rect style='fill:url(https://elders.example/a)'/>"),
        svg("<rect style='fill:u/**/rl(\"https://elders.example/a\")'/>"),
        svg(attributes=' onload="alert(1)"'),
        svg(attributes=' ONLOAD="alert(1)"'),
        "image/png," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * icons.LARGEST).decode(),
    ],
)
def test_a_picture_that_runs_or_loads_is_refused(icon: str) -> None:
    assert objection_to_icon(icon) is not None


# --- the pages --------------------------------------------------------------------------------------------------------


class Scene:
    """A school with a coordinator (hub.client), teachers and pupils; a publisher with a method and a product."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        hub.open_school()
        assert hub.put(a_roster(pupils=3, staff=2), token=None).status_code == 200
        allow(hub, "https://app.example.org")
        self.publisher = Publisher(hub)
        self.publisher.done("POST", "/methode", METHOD)
        self.publisher.done("POST", "/methode/rekenapp/product", PRODUCT)
        portal = {"naam": "Beheerportaal", "adres": "https://portaal.example/begin"}
        answer = hub.client.put(
            "/api/v1/operator/uitgevers/ctrllearning/beheerportaal",
            json=portal,
            headers={"Authorization": f"Bearer {OPERATOR_KEY}"},
        )
        assert answer.status_code == 204

    def person(self, kind: Kind, key: str) -> int:
        with reading(self.hub.engine) as db:
            query = select(PersonRow.id).where(PersonRow.kind == kind, PersonRow.key == key)
            return db.scalars(query.where(PersonRow.school_id == self.hub.school_id)).one()

    def cookie(self, key: str) -> str:
        """A session of the member of staff with this key, whose account is made active."""
        with writing(self.hub.engine) as db:
            account_id = db.scalars(
                select(AppointmentRow.account_id).where(AppointmentRow.person_id == self.person(Kind.STAFF, key))
            ).one()
            db.execute(update(AccountRow).where(AccountRow.id == account_id).values(state="active"))
            return start_session(db, SessionRow, account_id, now())

    def look(self, path: str = "/lesmateriaal", cookie: str | None = None) -> Response:
        headers = {"Accept": "text/html"} | ({"Cookie": f"hub={cookie}"} if cookie else {})
        if cookie:
            kept = dict(self.hub.client.cookies)
            self.hub.client.cookies.clear()
        answer: Response = self.hub.client.get(f"/scholen/{CODE}{path}", headers=headers, follow_redirects=False)
        if cookie:
            self.hub.client.cookies.update(kept)
        return answer

    def page(self, path: str = "/lesmateriaal", cookie: str | None = None) -> str:
        answer = self.look(path, cookie)
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    def allow_users(self, path: str, *people: int) -> None:
        self.publisher.done("PUT", f"{path}/gebruiker", {"gebruikers": list(people)})

    def withdraw(self) -> None:
        at = now()
        with writing(self.hub.engine) as db:
            db.execute(update(PermissionRow).values(withdrawn_at=at, withdrawn_on=local_date(at)))


@pytest.fixture
def scene(make_engine: Callable[[str], Engine]) -> Iterator[Scene]:
    opened = open_hub(make_engine("basispoort_hub"))
    yield Scene(opened)
    opened.client.close()


REKENAPP, VIJF = 'class="tegel-naam">Rekenapp</span>', 'class="tegel-naam">Rekenapp groep 5</span>'
PORTAL = 'class="tegel-naam">Beheerportaal</span>'


def test_a_tile_is_there_for_exactly_the_users_of_the_list(scene: Scene) -> None:
    m1, m2 = scene.cookie("m1"), scene.cookie("m2")
    scene.allow_users("/methode/rekenapp", scene.person(Kind.STAFF, "m1"))
    scene.allow_users("/methode/rekenapp/product/rekenapp-5", scene.person(Kind.STAFF, "m2"))
    first, second = scene.page(cookie=m1), scene.page(cookie=m2)
    assert (REKENAPP in first, VIJF in first) == (True, False)
    assert (REKENAPP in second, VIJF in second) == (False, True)
    assert 'href="https://app.example.org/start"' in first
    scene.publisher.done("DELETE", "/methode/rekenapp/gebruiker")
    assert "Er is nog geen lesmateriaal voor u." in scene.page(cookie=m1)


def test_a_coordinator_always_has_the_management_tile_of_a_publisher_with_consent(scene: Scene) -> None:
    page = scene.page()
    assert PORTAL in page
    assert 'href="https://portaal.example/begin"' in page
    assert REKENAPP not in page
    assert PORTAL not in scene.page(cookie=scene.cookie("m1"))


def test_tiles_are_gone_as_soon_as_consent_is(scene: Scene) -> None:
    teacher = scene.cookie("m1")
    scene.allow_users("/methode/rekenapp", scene.person(Kind.STAFF, "m1"))
    assert REKENAPP in scene.page(cookie=teacher)
    scene.withdraw()
    assert REKENAPP not in scene.page(cookie=teacher)
    assert PORTAL not in scene.page()
    assert "geen toestemming gegeven" in scene.page("/lesmateriaal/waarom", teacher)


def test_the_reasons_are_given_per_application(scene: Scene) -> None:
    teacher = scene.cookie("m1")
    scene.allow_users("/methode/rekenapp", scene.person(Kind.STAFF, "m1"))
    page = scene.page("/lesmateriaal/waarom", teacher)
    assert SENTENCES[Verdict.SHOWN] in page
    assert SENTENCES[Verdict.NO_LICENCE] in page  # the product
    assert SENTENCES[Verdict.COORDINATORS_ONLY] in page  # the portal


def test_a_test_is_marked_and_a_method_without_address_is_no_tile(scene: Scene) -> None:
    teacher = scene.cookie("m1")
    scene.allow_users("/methode/rekenapp", scene.person(Kind.STAFF, "m1"))
    scene.publisher.done("PUT", "/methode/rekenapp", {**METHOD, "tags": ["toetsApplicatie"]})
    assert "Toets: alleen op school" in scene.page(cookie=teacher)
    scene.publisher.done("PUT", "/methode/rekenapp", {**METHOD, "url": None})
    assert REKENAPP not in scene.page(cookie=teacher)


def test_a_coordinator_sees_what_a_pupil_sees(scene: Scene) -> None:
    pupil = scene.person(Kind.PUPIL, "p1")
    scene.allow_users("/methode/rekenapp", pupil)
    scene.allow_users("/methode/rekenapp/product/rekenapp-5", pupil)
    scene.publisher.done("PUT", "/methode/rekenapp/product/rekenapp-5", {**PRODUCT, "tags": ["leerkrachtApplicatie"]})
    page = scene.page(f"/leerlingen/{pupil}")
    assert "Noor1 van der Bijl" in page
    assert (REKENAPP in page, VIJF in page) == (True, False)
    assert OF_PUPIL[Verdict.TEACHERS_ONLY] in page
    assert f'href="/scholen/{CODE}/leerlingen/{pupil}"' in scene.page("/leerlingen")
    assert "Noor1" not in scene.page("/leerlingen?zoek=noor2")


def test_pupils_are_shown_to_the_coordinator_only(scene: Scene) -> None:
    pupil, teacher = scene.person(Kind.PUPIL, "p1"), scene.cookie("m1")
    for path in ("/leerlingen", f"/leerlingen/{pupil}"):
        assert scene.look(path, teacher).status_code == 404
    assert scene.look(f"/leerlingen/{scene.person(Kind.STAFF, 'm1')}").status_code == 404


def test_who_works_at_two_schools_chooses_first(scene: Scene) -> None:
    at_one = scene.hub.client.get("/lesmateriaal", follow_redirects=False)
    assert (at_one.status_code, at_one.headers["location"]) == (303, f"/scholen/{CODE}/lesmateriaal")
    cookies = dict(scene.hub.client.cookies)
    teacher = scene.cookie("m1")
    scene.hub.token = None
    scene.hub.open_school("99ZB00")
    scene.hub.put(a_roster(pupils=1, staff=1), token=None, code="99ZB00")
    with writing(scene.hub.engine) as db:
        db.execute(update(AppointmentRow).values(state="counts"))
    scene.hub.client.cookies.clear()
    page = scene.hub.client.get("/lesmateriaal", headers={"Cookie": f"hub={teacher}"}).text
    assert f"/scholen/{CODE}/lesmateriaal" in page
    assert "/scholen/99ZB00/lesmateriaal" in page
    scene.hub.client.cookies.update(cookies)


def test_another_school_is_answered_like_one_that_does_not_exist(scene: Scene) -> None:
    scene.hub.client.cookies.clear()
    cookie = scene.cookie("m1")
    for code in ("99ZZ00", "nergens"):
        headers = {"Cookie": f"hub={cookie}"}
        assert scene.hub.client.get(f"/scholen/{code}/lesmateriaal", headers=headers).status_code == 404


def test_a_picture_of_a_tile_is_a_data_address(scene: Scene) -> None:
    scene.allow_users("/methode/rekenapp", scene.person(Kind.STAFF, "m1"))
    scene.publisher.done("PUT", "/methode/rekenapp", {**METHOD, "icon": "image/svg+xml,PHN2Zy8+"})
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in scene.page(cookie=scene.cookie("m1"))
