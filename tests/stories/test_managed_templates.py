"""Message templates that an administrator writes while the service runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw import Auth
from authmw.drive import step
from authmw.project import StoredProject, StoredTemplate, stored_content
from authmw.storage import Insert, Update
from authmw.templates import BuiltIn, CustomHTML, Template, TemplateBook, TemplateType
from tests.world import World, make_world

P = "/v1/project/email_templates"
DEFAULTS = "/v1/project/email_template_defaults"
SEND = "/v1/magic_links/email/login_or_create"
MINE: dict[str, Any] = {
    "subject": "Enter $product",
    "html": '<p>Hello <b>$first_name</b>, <a href="$link">come in</a></p>',
    "text": "Come in: $link",
}
CODE: dict[str, Any] = {"subject": "A code of $product", "html": "<p>$code</p>", "text": "$code"}
DECLARED = Template(
    template_id="declared",
    type=TemplateType.LOGIN,
    content=CustomHTML(subject="Declared", html='<a href="$link">in</a>', text="$link"),
)


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, managed={"templates"}, templates=TemplateBook((DECLARED,)))


def create(world: World, template_id: str, type_: str, **content: Any) -> Any:
    return world.backend("POST", P, {"template_id": template_id, "type": type_, **content}).json


def send(world: World, address: str = "ada@example.org", **more: Any) -> Any:
    world.clock.advance(seconds=2)
    return world.backend("POST", SEND, {"email": address, **more}).json


def subject(world: World) -> str:
    return world.inbox.entries()[0].subject


def test_a_stored_template_is_used_where_its_id_is_asked_for_and_nowhere_else(world: World) -> None:
    """TPL-01, TPL-02."""
    made = create(world, "mine", "SIGNUP", custom=MINE)["email_template"]
    assert (made["origin"], made["default"], made["title"]) == ("stored", False, "Magic links - Sign-up")
    send(world, signup_template_id="mine")
    entry = world.inbox.entries()[0]
    assert entry.subject == "Enter authmw"
    assert entry.links[0] in entry.text
    send(world, "eve@example.org")
    assert subject(world) != "Enter authmw"


def test_built_in_looks_are_stored_and_rendered(world: World) -> None:
    """TPL-02."""
    looks = {"button_color": "#ff8800", "sender_name": "Acme", "greeting": "Ahoy <i>you</i>"}
    made = create(world, "looks", "SIGNUP", built_in=looks)["email_template"]
    assert made["custom"] is None
    assert made["built_in"]["button_color"] == "#ff8800"
    send(world, signup_template_id="looks")
    html = world.inbox.entries()[0].html
    assert "#ff8800" in html
    assert "Ahoy &lt;i&gt;you&lt;/i&gt;" in html


@pytest.mark.parametrize(
    ("parameter", "type_", "wrong"),
    [
        ("login_template_id", "LOGIN", "SIGNUP"),
        ("signup_template_id", "SIGNUP", "LOGIN"),
    ],
)
def test_a_link_takes_stored_templates_of_its_own_type_only(
    world: World, parameter: str, type_: str, wrong: str
) -> None:
    """TPL-03, TPL-04."""
    create(world, "right", type_, custom=MINE)
    create(world, "wrong", wrong, custom=MINE)
    assert send(world, **{parameter: "right"})["status_code"] == 200
    refused = send(world, **{parameter: "wrong"})
    assert (refused["status_code"], refused["error_type"]) == (400, "invalid_template_id")
    assert send(world, **{parameter: "nobody"})["error_type"] == "email_template_not_found"


@pytest.mark.parametrize(
    ("parameter", "type_", "wrong"),
    [
        ("login_template_id", "ONE_TIME_PASSCODE", "ONE_TIME_PASSCODE_SIGNUP"),
        ("signup_template_id", "ONE_TIME_PASSCODE_SIGNUP", "ONE_TIME_PASSCODE"),
    ],
)
def test_a_code_takes_stored_templates_of_its_own_type_only(
    world: World, parameter: str, type_: str, wrong: str
) -> None:
    """TPL-05, TPL-06."""
    create(world, "right", type_, custom=CODE)
    create(world, "wrong", wrong, custom=CODE)

    def ask(template_id: str) -> Any:
        world.clock.advance(seconds=2)
        body = {"email": "ada@example.org", parameter: template_id}
        return world.backend("POST", "/v1/otps/email/login_or_create", body).json

    assert ask("right")["status_code"] == 200
    assert ask("wrong")["error_type"] == "invalid_template_id"
    assert ask("nobody")["error_type"] == "email_template_not_found"


def test_a_template_becomes_the_default_of_its_type_at_once(world: World) -> None:
    """TPL-01."""
    create(world, "mine", "SIGNUP", custom=MINE)
    chosen = world.backend("PUT", DEFAULTS, {"template_id": "mine"})
    assert chosen.json["email_template"]["default"] is True
    send(world)
    assert subject(world) == "Enter authmw"
    refused = world.backend("DELETE", f"{P}/mine")
    assert refused.json["error_type"] == "cannot_delete_default_email_template"
    assert world.backend("PUT", DEFAULTS, {"template_id": "default-signup"}).status == 200
    assert world.backend("DELETE", f"{P}/mine").status == 200
    assert send(world, "eve@example.org", signup_template_id="mine")["error_type"] == "email_template_not_found"
    assert send(world, "eve@example.org")["status_code"] == 200


def test_a_change_reaches_another_process_within_five_seconds(world: World) -> None:
    core = world.auth.core
    other = Auth(world.auth.settings, storage=world.auth.storage, limiter=core.limiter, clock=world.clock)
    world.auth.run(other.core.project.now())
    create(world, "mine", "LOGIN", custom=MINE)
    world.clock.advance(seconds=5)
    book = world.auth.run(other.core.project.now()).settings.templates
    assert book.choose("mine", TemplateType.LOGIN).content == CustomHTML(**MINE)
    world.backend("PUT", f"{P}/mine", {"custom": {**MINE, "subject": "Changed"}})
    world.clock.advance(seconds=5)
    book = world.auth.run(other.core.project.now()).settings.templates
    assert "Changed" in str(book.choose("mine", TemplateType.LOGIN).content)


def test_a_mail_speaks_the_language_asked_for_if_its_template_does(world: World) -> None:
    spanish = {"subject": "Entra", "html": '<a href="$link">Entra</a>', "text": "Entra: $link"}
    portuguese = {"subject": "Entre", "html": '<a href="$link">Entre</a>', "text": "Entre: $link"}
    translations = {"es": spanish, "pt_BR": portuguese}
    made = create(world, "mine", "SIGNUP", custom=MINE, translations=translations)["email_template"]
    assert sorted(made["translations"]) == ["es", "pt-br"]
    world.backend("PUT", DEFAULTS, {"template_id": "mine"})
    for number, (locale, said) in enumerate(
        [("es", "Entra"), ("pt-br", "Entre"), ("fr", "Enter authmw"), ("en", "Enter authmw")]
    ):
        send(world, f"p{number}@example.org", locale=locale)
        assert subject(world) == said
    assert world.backend("POST", f"{P}/mine/preview", {"locale": "es-MX"}).json["subject"] == "Entra"


def test_a_preview_shows_made_up_values_and_sends_nothing(world: World) -> None:
    create(world, "mine", "LOGIN", custom=MINE)
    shown = world.backend("POST", f"{P}/mine/preview", {}).json
    assert (shown["subject"], shown["locale"]) == ("Enter authmw", "en")
    assert "<b>Ada</b>" in shown["html"]
    for one in world.backend("GET", P).json["email_templates"]:
        assert world.backend("POST", f"{P}/{one['template_id']}/preview", {"locale": "fr"}).status == 200
    assert world.inbox.entries() == ()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"custom": {**MINE, "html": "<script>1</script>"}}, "invalid_email_template_content"),
        ({"custom": {**MINE, "html": '<a href="$link" onclick="x()">in</a>'}}, "invalid_email_template_content"),
        ({"custom": {**MINE, "html": "<p>no link</p>"}}, "invalid_email_template_content"),
        ({"custom": {**MINE, "text": "$link $password"}}, "invalid_email_template_content"),
        ({"custom": {**MINE, "subject": "Your $link"}}, "invalid_email_template_content"),
        ({"custom": {**MINE, "subject": "a\nBcc: eve@example.org"}}, "invalid_email_template_content"),
        ({"custom": {**MINE, "extra": "x"}}, "bad_request"),
        (
            {"custom": MINE, "translations": {"es": {**MINE, "html": "<p>no link</p>"}}},
            "invalid_email_template_content",
        ),
        ({"custom": MINE, "translations": {"../es": MINE}}, "invalid_email_template_parameters"),
        ({"translations": {"es": MINE}}, "invalid_email_template_parameters"),
        ({"custom": MINE, "built_in": {}}, "invalid_email_template_parameters"),
        ({"built_in": {"logo_url": "javascript:alert(1)"}}, "invalid_email_template_parameters"),
        ({"built_in": {"button_color": "red;background:url(x)"}}, "invalid_email_template_parameters"),
        ({"built_in": {"font": "comic"}}, "bad_request"),
    ],
)
def test_what_could_break_out_of_its_place_is_not_stored(world: World, content: Any, fault: str) -> None:
    """CSR-05."""
    refused = create(world, "mine", "LOGIN", **content)
    assert (refused["status_code"], refused["error_type"]) == (400, fault)
    assert world.backend("GET", f"{P}/mine").json["error_type"] == "email_template_not_found"


@pytest.mark.parametrize("template_id", ["a b", "a/b", "<b>", "default-login", "declared", ""])
def test_an_id_is_plain_and_new(world: World, template_id: str) -> None:
    refused = create(world, template_id, "LOGIN", custom=MINE)
    assert refused["status_code"] == 400
    assert refused["error_type"] in {"invalid_email_template_parameters", "duplicate_email_template_vanity_id"}


def test_a_type_that_does_not_exist_is_refused(world: World) -> None:
    assert create(world, "mine", "NEWSLETTER", custom=MINE)["error_type"] == "bad_request"


def test_what_is_ours_or_declared_is_shown_and_chosen_but_not_changed(world: World) -> None:
    listed = {one["template_id"]: one["origin"] for one in world.backend("GET", P).json["email_templates"]}
    assert listed["declared"] == "declared"
    assert listed["default-login"] == "ours"
    for template_id in ("declared", "default-login"):
        assert world.backend("DELETE", f"{P}/{template_id}").json["error_type"] == "setting_not_managed"
        assert world.backend("PUT", f"{P}/{template_id}", {"custom": MINE}).json["error_type"] == "setting_not_managed"
    assert world.backend("DELETE", f"{P}/nobody").json["error_type"] == "email_template_not_found"
    assert world.backend("PUT", DEFAULTS, {"template_id": "declared"}).status == 200
    world.sign_in()
    send(world)
    assert subject(world) == "Declared"


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_templates_that_code_declares_alone_are_not_added_to(tmp_path: Path, host: str) -> None:
    world = make_world(tmp_path, host)
    assert create(world, "mine", "LOGIN", custom=MINE)["error_type"] == "setting_not_managed"
    assert world.backend("PUT", DEFAULTS, {"template_id": "default-login"}).json["error_type"] == "setting_not_managed"
    assert world.backend("GET", P).status == 200


def test_each_change_is_an_event_of_the_dashboard(world: World) -> None:
    """EVT-02."""
    create(world, "mine", "LOGIN", custom=MINE)
    (logged,) = world.backend("GET", "/v1/project/events?action=CreateEmailTemplate&status=success").json["events"]
    assert logged["source"] == "DASHBOARD"


def test_a_stored_template_that_this_version_does_not_take_is_left_out_and_mails_go_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    create(world, "mine", "SIGNUP", custom=MINE)
    world.backend("PUT", DEFAULTS, {"template_id": "mine"})
    storage = world.auth.storage
    stored = step(storage.get(StoredTemplate, "mine"))
    project = step(storage.get(StoredProject, world.auth.settings.project_id))
    assert stored is not None
    assert project is not None
    broken = attrs.evolve(stored, content={"kind": "custom", "subject": "", "html": "<script>", "text": "canary"})
    ours = attrs.evolve(stored, template_id="default-login", version=0, content=stored_content(BuiltIn()))
    again = attrs.evolve(project, templates_changed=project.templates_changed + 1)
    step(storage.commit(Update(broken), Insert(ours), Update(again)))
    world.clock.advance(seconds=5)
    assert send(world)["status_code"] == 200
    assert "Enter" not in subject(world)
    assert "template_unusable" in caplog.text
    assert "canary" not in caplog.text


def test_a_project_holds_as_many_as_a_book(tmp_path: Path) -> None:
    many = tuple(Template(template_id=f"t{number}", type=TemplateType.LOGIN) for number in range(199))
    world = make_world(tmp_path, "asgi", managed={"templates"}, templates=TemplateBook(many))
    assert create(world, "last", "LOGIN")["status_code"] == 200
    assert create(world, "over", "LOGIN")["error_type"] == "too_many_email_templates"
