"""The hub's database has the tables of its code, its settings are checked, and its pages open."""

import re

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from services.basispoort_hub.settings import Settings
from services.basispoort_hub.tables import Base
from shared import migrate
from shared.roster import Roster
from shared.settings import SettingsMissing, load
from tests.basispoort_hub.hub import CODE, Hub, answered
from tests.factories import a_group, a_pupil, a_staff_member

BROWSER = {"Accept": "text/html"}
ANNA = "anna@school.example"


def test_the_migrations_make_the_tables_of_the_code(hub: Hub) -> None:
    assert migrate.drift(hub.engine, Base.metadata) == []
    assert hub.client().get("/readyz").status_code == 200


def test_numbers_of_people_and_accounts_are_never_used_again(hub: Hub) -> None:
    if hub.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's sequences never go back")
    with hub.engine.connect() as connection:
        numbered = [table.name for table in Base.metadata.sorted_tables if table.kwargs.get("sqlite_autoincrement")]
        assert {"people", "accounts", "schools", "links"} <= set(numbered)
        for table in numbered:
            sql = connection.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE name='{table}'").scalar_one()
            assert "AUTOINCREMENT" in sql


def test_missing_settings_are_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HUB_DATABASE_URL", "HUB_BASE_URL", "HUB_OPERATOR_KEY", "HUB_MAIL_FROM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HUB_LINK_KEYS", "te kort en geheim")
    with pytest.raises(SettingsMissing) as missing:
        load(Settings)
    assert "HUB_OPERATOR_KEY is niet ingesteld" in str(missing.value)
    assert "HUB_LINK_KEYS heeft een waarde die niet kan: één of twee sleutels van" in str(missing.value)
    assert "geheim" not in str(missing.value)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"HUB_OPERATOR_KEY": "geheim"}, "HUB_OPERATOR_KEY is te kort: minstens 32 tekens"),
        ({"HUB_TLS_CERT": "x.pem"}, "HUB_TLS_CERT en HUB_TLS_KEY horen bij elkaar"),
        ({"HUB_CERTIFICATE_HEADER": "x"}, "HUB_CERTIFICATE_HEADER en HUB_CERTIFICATE_PROXIES horen bij elkaar"),
        ({"HUB_CERTIFICATE_HEADER": "x", "HUB_CERTIFICATE_PROXIES": "geheim"}, "een adres of netwerk dat niet kan"),
    ],
)
def test_a_wrong_setting_says_what_it_must_be(
    wrong: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {"DATABASE_URL": "sqlite://", "BASE_URL": "http://hub.example", "MAIL_FROM": "a@hub.example"}
    for name, value in {**right, "OPERATOR_KEY": "o" * 32, "LINK_KEYS": "k" * 32}.items():
        monkeypatch.setenv(f"HUB_{name}", value)
    assert load(Settings).port == 8002
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsMissing) as missing:
        load(Settings)
    assert sentence in str(missing.value)
    assert "geheim" not in str(missing.value)


def test_two_link_keys_make_a_ring(hub: Hub) -> None:
    values = {"database_url": "sqlite://", "base_url": "http://hub.example/", "mail_from": "a@hub.example"}
    secrets = {"operator_key": SecretStr("x" * 32), "link_keys": SecretStr(f"{'n' * 32}, {'o' * 32}")}
    links = Settings(**values, **secrets).link_maker()  # type: ignore[arg-type]
    assert list(links.keys) == [b"n" * 32, b"o" * 32]
    assert links.base_url == "http://hub.example"


def page(client: TestClient, path: str = "/") -> str:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?! src=\"/static/)|\sstyle=|\son\w+=|https?://(?!testserver)", answer.text)
    return answer.text


def test_a_stranger_reads_what_this_is(hub: Hub) -> None:
    assert "/inloggen" in page(hub.client())
    assert "Inloggen" in page(hub.client(), "/inloggen")
    assert "Uw account is actief" in page(hub.client(), "/inloggen?bericht=geactiveerd")


def test_a_coordinator_sees_how_things_stand(hub: Hub) -> None:
    number = hub.add_school(name="De <b>Regenboog</b>")
    coordinator = hub.a_coordinator()
    assert "nog niet geactiveerd" in page(coordinator)
    key = hub.administration_key()
    hub.switch_on(coordinator, key)
    body = {"code": "ctrl", "naam": "CtrlLearning", "zin": "Activeer de digitale methodes van CtrlLearning"}
    answered(hub.operator().post("/api/v1/operator/uitgevers", json=body), 201)
    pupils = [a_pupil(f"p{number}", first_name=f"Noor{number}") for number in range(8)]
    hub.push(key, Roster.of([a_group(), *pupils, a_staff_member("m1", email=ANNA)]))
    shown = page(coordinator)
    assert "De koppeling met EDUscope is actief" in shown
    assert str(number) in shown
    assert "De &lt;b&gt;Regenboog" in shown
    assert "uitnodiging verstuurd" in shown
    assert "Activeer de digitale methodes van CtrlLearning" in shown
    hub.push(key, Roster.of([a_group(), a_staff_member("m1", email=ANNA)]))
    assert "8 leerlingen zouden verdwijnen" in page(coordinator)


def test_a_coordinator_of_two_schools_chooses_one(hub: Hub) -> None:
    hub.add_school()
    hub.add_school("99ZB00", "De Horizon")
    coordinator = hub.a_coordinator()
    hub.appoint(code="99ZB00")
    assert "<h1>De Horizon</h1>" in page(coordinator)
    assert "<h1>De Regenboog</h1>" in page(coordinator, f"/?school={CODE}")
    assert "<h1>De Horizon</h1>" in page(coordinator, "/?school=99ZC00")


def test_a_teacher_accepts_an_invitation_on_the_page(hub: Hub) -> None:
    key = hub.administration_key()
    for code, name in ((CODE, "De Regenboog"), ("99ZB00", "De Horizon")):
        hub.add_school(code, name)
        hub.switch_on(hub.a_coordinator(f"ict-{code.lower()}@school.example", code), key, code)
        hub.push(key, Roster.of([a_group(), a_staff_member("m1", email=ANNA)]), code)
    hub.activate(ANNA)
    anna = hub.sign_in(ANNA)
    shown = page(anna)
    assert "Uitnodiging van De Horizon" in shown
    (form,) = re.findall(r'action="(/uitnodigingen/[^"]+)"', shown)
    answered(anna.post(form), 303)
    assert "U werkt bij: De Horizon, De Regenboog." in page(anna)
