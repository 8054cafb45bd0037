"""Mails and texts: what they say, in which language, and what cannot get into them (A112, A205, CSR-05, OTP-11)."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.messages import ChangedFactor, MessageValues, Notice, available_locales, phone_text, render
from authmw.messages.catalogues import catalogue
from authmw.templates import BuiltIn, CustomHTML, Template, TemplateBook, TemplateType

LINK = "https://auth.example.com/auth/v1/magic_links/redirect?stytch_token_type=magic_links&token=abc-_123"
VALUES = MessageValues(product="Acme", link=LINK, code="493027", minutes=60, notice=Notice.NEW_SIGN_IN)
BOOK = TemplateBook()


class Page(HTMLParser):
    """What a mail program makes of a mail: its tags, its links, the text that is shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    @property
    def links(self) -> set[str | None]:
        return {attributes["href"] for tag, attributes in self.tags if tag == "a"}

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())


def built_in(type_: TemplateType, **looks: str) -> Template:
    return Template(template_id="own", type=type_, content=BuiltIn(**looks))  # type: ignore[arg-type]  # literals as text


@pytest.mark.parametrize("locale", available_locales())
@pytest.mark.parametrize("type_", list(TemplateType))
def test_a_mail_of_each_type_renders_in_each_language(type_: TemplateType, locale: str) -> None:
    mail = render(BOOK.choose(None, type_), locale, VALUES)
    page = Page(mail.html)

    assert mail.locale == locale
    assert "Acme" in mail.html
    assert "$" not in mail.subject + mail.text + mail.html
    assert "\n" not in mail.subject
    assert ("493027" in mail.text) == ("493027" in page.text) == (type_.carries == "code")
    assert (LINK in mail.text) == (page.links == {LINK}) == (type_.carries == "link")
    assert "493027" not in mail.subject


@pytest.mark.parametrize("locale", available_locales())
@pytest.mark.parametrize("notice", list(Notice))
def test_each_notice_has_its_own_subject_in_each_language(notice: Notice, locale: str) -> None:
    subjects = {
        one: render(BOOK.choose(None, TemplateType.NOTICE), locale, attrs.evolve(VALUES, notice=one)).subject
        for one in Notice
    }
    assert list(subjects.values()).count(subjects[notice]) == 1


@pytest.mark.parametrize("locale", available_locales())
@pytest.mark.parametrize("factor", list(ChangedFactor))
def test_a_notice_names_the_factor_in_each_language(factor: ChangedFactor, locale: str) -> None:
    values = MessageValues(product="Acme", notice=Notice.FACTOR_ADDED, factor=factor)
    without = attrs.evolve(values, factor=None)
    template = BOOK.choose(None, TemplateType.NOTICE)

    assert len(render(template, locale, values).text) > len(render(template, locale, without).text)


def test_a_notice_says_when_and_from_where() -> None:
    moment = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    values = MessageValues(
        product="Acme",
        notice=Notice.NEW_SIGN_IN,
        device="Firefox on Linux, 203.0.113.7",
        happened_at=moment,
        organization="Analytical Engines",
    )
    mail = render(BOOK.choose(None, TemplateType.NOTICE), "en", values)

    for said in ("Firefox on Linux, 203.0.113.7", "2026-02-28 23:30 UTC", "Analytical Engines"):
        assert said in mail.text
        assert said in Page(mail.html).text


@pytest.mark.parametrize("locale", available_locales())
@pytest.mark.parametrize("left", [9, 0])
def test_a_notice_of_a_used_code_says_how_many_are_left_in_each_language_and_in_templates_of_ones_own(
    locale: str, left: int
) -> None:
    """OTP-07."""
    label = catalogue(locale).words("detail.remaining", {})
    values = MessageValues(product="Acme", notice=Notice.RECOVERY_CODE_USED, remaining=left)
    own = CustomHTML(
        subject="$notice",
        html="<html><body><p>$notice</p><p>$explanation</p></body></html>",
        text="$notice\n$explanation",
    )
    for template in (
        BOOK.choose(None, TemplateType.NOTICE),
        Template(template_id="own", type=TemplateType.NOTICE, content=own),
    ):
        mail = render(template, locale, values)
        assert re.search(rf"{label}:? {left}\b", mail.text)
        assert re.search(rf"{label}:? {left}\b", Page(mail.html).text)
        assert label not in render(template, locale, attrs.evolve(values, remaining=None)).text


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (1, "1 min"),
        (60, "60 min"),
        (90, "90 min"),
        (120, "2 hours"),
        (1440, "24 hours"),
        (2880, "2 days"),
        (10_080, "7 days"),
    ],
)
def test_validity_is_said_in_the_largest_exact_unit(minutes: int, said: str) -> None:
    mail = render(BOOK.choose(None, TemplateType.LOGIN), "en", attrs.evolve(VALUES, minutes=minutes))

    assert f"valid for {said}." in mail.text


def test_a_mail_without_a_validity_does_not_speak_of_one() -> None:
    assert (
        "valid for" not in render(BOOK.choose(None, TemplateType.LOGIN), "en", attrs.evolve(VALUES, minutes=None)).text
    )


@pytest.mark.parametrize("type_", [one for one in TemplateType if one.carries == "link"])
def test_a_link_mail_without_a_link_is_an_error(type_: TemplateType) -> None:
    with pytest.raises(ValueError, match="needs a link"):
        render(BOOK.choose(None, type_), "en", MessageValues(product="Acme", code="493027"))


def test_a_code_mail_without_a_code_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs a code"):
        render(BOOK.choose(None, TemplateType.ONE_TIME_PASSCODE), "en", MessageValues(product="Acme", link=LINK))


def test_a_notice_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs a notice"):
        render(BOOK.choose(None, TemplateType.NOTICE), "en", MessageValues(product="Acme"))


def test_the_mail_is_accessible() -> None:
    mail = render(BOOK.choose(None, TemplateType.LOGIN), "pt-BR", VALUES)
    page = Page(mail.html)
    tags = dict(page.tags)

    assert mail.html.startswith("<!doctype html>")
    assert tags["html"]["lang"] == "pt-BR"
    assert tags["html"]["dir"] == "ltr"
    assert f"<title>{mail.subject}</title>" in mail.html
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert all(attributes.get("role") == "presentation" for tag, attributes in page.tags if tag == "table")


def test_the_mail_loads_nothing_and_runs_nothing() -> None:
    page = Page(render(BOOK.choose(None, TemplateType.LOGIN), "en", VALUES).html)

    assert not {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "form", "style"}


def test_the_logo_of_a_project_has_the_products_name_as_its_text() -> None:
    template = built_in(TemplateType.LOGIN, logo_url="https://cdn.example.com/logo.png")
    images = [attributes for tag, attributes in Page(render(template, "en", VALUES).html).tags if tag == "img"]

    assert [(image["src"], image["alt"]) for image in images] == [("https://cdn.example.com/logo.png", "Acme")]


def test_customizations_show_in_the_mail() -> None:
    template = built_in(
        TemplateType.LOGIN, sender_name="Acme Labs", greeting="Ahoy!", button_color="#ffd400", font="georgia"
    )
    mail = render(template, "en", attrs.evolve(VALUES, first_name="Ada"))

    assert mail.subject == "Sign in to Acme Labs"
    assert mail.text.startswith("Ahoy!\n")
    assert "Ada" not in mail.text
    assert "background-color: #ffd400" in mail.html
    assert "Georgia" in mail.html


@pytest.mark.parametrize(
    ("button", "text"), [("#ffd400", "#000000"), ("#fff", "#000000"), ("#1a56db", "#ffffff"), ("#000", "#ffffff")]
)
def test_the_buttons_text_is_readable_on_any_colour(button: str, text: str) -> None:
    html = render(built_in(TemplateType.LOGIN, button_color=button), "en", VALUES).html

    assert f"color: {text}; text-decoration: none" in html


def test_a_text_colour_that_the_project_chose_is_kept() -> None:
    html = render(built_in(TemplateType.LOGIN, button_color="#000", button_text_color="#abcdef"), "en", VALUES).html

    assert "color: #abcdef; text-decoration: none" in html


@pytest.mark.parametrize("name", ["Ada", "Mary-Jane", "O’Neill", "D'Arcy", "José", "李", "J. R.", "Ана Марија"])
def test_a_person_is_greeted_by_name(name: str) -> None:
    mail = render(BOOK.choose(None, TemplateType.LOGIN), "en", attrs.evolve(VALUES, first_name=name))

    assert mail.text.startswith(f"Hello {name},\n")


@pytest.mark.parametrize(
    "name",
    [
        "<b>Ada</b>",
        "Ada\r\nBcc: eve@example.org",
        "evil.example",
        "http://evil.example",
        "Win 1000 now",
        "you, pay here",
        "eve@example.org",
        "Ada\u202e",
        "A" * 51,
        " ",
        "",
        "Ada\u2028Eve",
        "$link",
        "{{ link }}",
    ],
)
def test_a_name_that_is_no_name_is_left_out(name: str) -> None:
    mail = render(BOOK.choose(None, TemplateType.LOGIN), "en", attrs.evolve(VALUES, first_name=name))

    assert mail.text.startswith("Hello,\n")
    assert Page(mail.html).links == {LINK}


@pytest.mark.parametrize(
    "said", ["see www.evil.example", "https://evil.example", "evil.example/x", "a\nb", "x" * 121, "pay eve@example.org"]
)
def test_a_device_or_organization_that_reads_like_a_link_is_left_out(said: str) -> None:
    values = attrs.evolve(VALUES, device=said, organization=said)
    mail = render(BOOK.choose(None, TemplateType.LOGIN), "en", values)

    assert mail == render(BOOK.choose(None, TemplateType.LOGIN), "en", VALUES)


@pytest.mark.parametrize(
    "hostile", ['"><script>alert(1)</script>', "<img src=x onerror=x()>", "' onclick='x()", "&lt;b&gt;"]
)
def test_markup_in_a_value_is_shown_as_text(hostile: str) -> None:
    values = attrs.evolve(VALUES, product=hostile, organization=hostile, device=hostile)
    for type_ in TemplateType:
        page = Page(render(BOOK.choose(None, type_), "en", values).html)
        harmless = Page(render(BOOK.choose(None, type_), "en", attrs.evolve(VALUES, organization="x", device="x")).html)

        assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
        assert hostile in page.text


@given(st.text(min_size=1, max_size=80))
def test_no_organization_adds_a_tag_or_a_link(organization: str) -> None:
    template = BOOK.choose(None, TemplateType.LOGIN)
    page = Page(render(template, "en", attrs.evolve(VALUES, organization=organization)).html)

    assert page.links == {LINK}
    assert {tag for tag, _ in page.tags} <= {
        "html",
        "head",
        "meta",
        "title",
        "body",
        "div",
        "table",
        "tr",
        "td",
        "h1",
        "p",
        "a",
        "br",
    }


@pytest.mark.parametrize("product", ["", " ", "a\nb", "a\rb", "a\x00b", "a\u2029b", "x" * 101])
def test_a_product_of_more_than_one_plain_line_is_an_error(product: str) -> None:
    with pytest.raises(ValueError, match="product"):
        MessageValues(product=product)


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "/relative",
        "https://a.example/\r\nBcc: x",
        "https://a.example/ x",
        'https://a.example/"x',
        "https://a.example/<x>",
        "https://a.example/ü",
        "HTTPS://a.example/",
    ],
)
def test_a_link_that_we_cannot_have_built_is_an_error_that_does_not_show_it(link: str) -> None:
    with pytest.raises(ValueError, match="link") as fault:
        MessageValues(product="Acme", link=link)
    assert link not in str(fault.value)


@pytest.mark.parametrize("code", ["123", "12 34", "1234\n", "<b>1</b>", "１２３４５６", "1" * 33])
def test_a_code_that_we_cannot_have_made_is_an_error(code: str) -> None:
    with pytest.raises(ValueError, match="code"):
        MessageValues(product="Acme", code=code)


@pytest.mark.parametrize("minutes", [0, -1, 527_041])
def test_a_validity_out_of_range_is_an_error(minutes: int) -> None:
    with pytest.raises(ValueError, match="minutes"):
        MessageValues(product="Acme", minutes=minutes)


def test_a_time_without_a_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="happened_at"):
        MessageValues(product="Acme", happened_at=datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def test_an_empty_link_or_code_is_none() -> None:
    assert MessageValues(product="Acme", link="", code="") == MessageValues(product="Acme")


def test_values_and_mails_do_not_print_what_they_hold() -> None:
    values = attrs.evolve(VALUES, first_name="Ada", device="Firefox")
    printed = repr(values) + repr(render(BOOK.choose(None, TemplateType.LOGIN), "en", values))

    for hidden in ("493027", "abc-_123", "Ada", "Firefox", "Sign in"):
        assert hidden not in printed


# Custom templates


def custom(html: str, text: str = "$link", subject: str = "$product") -> Template:
    return Template(
        template_id="own", type=TemplateType.LOGIN, content=CustomHTML(subject=subject, html=html, text=text)
    )


def test_a_custom_template_is_substituted() -> None:
    template = custom(
        '<h1>$greeting</h1><a href="$link">Go</a> ${minutes} $expires_in $$', "$greeting $link", "Enter $product"
    )
    mail = render(template, "fr", attrs.evolve(VALUES, first_name="Ada"))

    assert mail.subject == "Enter Acme"
    assert mail.text == f"Bonjour Ada, {LINK}"
    assert Page(mail.html).links == {LINK}
    assert Page(mail.html).text == "Bonjour Ada, Go 60 60 min $"


def test_values_in_a_custom_template_are_escaped_as_html_only() -> None:
    template = custom('<a href="$link" title="$product">$organization</a>', "$link $organization")
    mail = render(template, "en", attrs.evolve(VALUES, product='"><b>', organization="<i>&'\""))
    page = Page(mail.html)

    assert [tag for tag, _ in page.tags] == ["a"]
    assert page.tags[0][1] == {"href": LINK, "title": '"><b>'}
    assert page.text == "<i>&'\""
    assert mail.text == f"{LINK} <i>&'\""


def test_what_a_message_does_not_have_is_empty_in_a_custom_template() -> None:
    mail = render(custom("$link[$first_name$device$organization$time]"), "en", VALUES)

    assert mail.html.endswith("[]")


def test_a_placeholder_in_a_value_is_not_substituted_again() -> None:
    mail = render(custom("$link $organization"), "en", attrs.evolve(VALUES, organization="$code ${code}"))

    assert "493027" not in mail.html


def test_jinja_in_a_custom_template_is_text() -> None:
    assert "{{ 7 * 7 }}" in render(custom("$link {{ 7 * 7 }}{% raw %}"), "en", VALUES).html


def test_a_custom_notice_says_what_happened() -> None:
    content = CustomHTML(subject="$notice", html="$notice: $explanation", text="$notice: $explanation")
    mail = render(Template(template_id="own", type=TemplateType.NOTICE, content=content), "en", VALUES)

    assert mail.subject == "New sign-in"
    assert mail.text == "New sign-in: Somebody signed in to your account from a device that we had not seen before."


# Texts for phones


@pytest.mark.parametrize("locale", available_locales())
def test_a_phone_text_is_one_line_with_code_and_product(locale: str) -> None:
    text = phone_text(locale=locale, product="Acme", code="493027")

    assert "\n" not in text
    assert "493027" in text
    assert "Acme" in text
    assert len(text) <= 70  # one part of an SMS in any alphabet (3GPP TS 23.038)


def test_a_phone_text_bound_to_a_domain_ends_with_the_binding() -> None:
    text = phone_text(locale="en", product="Acme", code="493027", domain="login.example.com")

    assert text.split("\n")[1:] == ["@login.example.com #493027"]


@pytest.mark.parametrize("domain", ["a b", "a\nb", "A.example", "a.example/x", "a.example #1", ".", "@x"])
def test_a_phone_text_is_bound_to_a_plain_host_name_only(domain: str) -> None:
    with pytest.raises(ValueError, match="bound"):
        phone_text(locale="en", product="Acme", code="493027", domain=domain)


@pytest.mark.parametrize("code", ["", "12\n34", "a b c d"])
def test_a_phone_text_takes_a_plain_code_only(code: str) -> None:
    with pytest.raises(ValueError, match=r"code|bound"):
        phone_text(locale="en", product="Acme", code=code, domain="a.example")


# A host's own folder


def test_a_host_overrides_single_words_and_adds_a_language(tmp_path: Path) -> None:
    (tmp_path / "en.toml").write_text('[login]\nsubject = "Knock knock, $product"\n')
    (tmp_path / "de.toml").write_text('[login]\nsubject = "Bei $product anmelden"\n', encoding="utf-8")
    template = BOOK.choose(None, TemplateType.LOGIN)

    assert render(template, "en", VALUES, folder=tmp_path).subject == "Knock knock, Acme"
    german = render(template, "de-AT", VALUES, folder=tmp_path)
    assert german.subject == "Bei Acme anmelden"
    assert german.locale == "de"
    assert "Hello," in german.text
    assert render(template, "en", VALUES).subject == "Sign in to Acme"


def test_a_host_overrides_a_layout_and_its_html_is_escaped_too(tmp_path: Path) -> None:
    (tmp_path / "message.html.j2").write_text("<p>{{ product }}</p>{{ link }}")
    mail = render(BOOK.choose(None, TemplateType.LOGIN), "en", attrs.evolve(VALUES, product="<b>"), folder=tmp_path)

    assert mail.html.startswith("<p>&lt;b&gt;</p>")
    assert LINK in mail.text


def test_a_layout_that_names_what_there_is_not_is_an_error(tmp_path: Path) -> None:
    from jinja2 import UndefinedError

    (tmp_path / "message.html.j2").write_text("{{ passwort }}")
    with pytest.raises(UndefinedError):
        render(BOOK.choose(None, TemplateType.LOGIN), "en", VALUES, folder=tmp_path)


def test_jinja_is_loaded_by_the_first_mail_only() -> None:
    program = "import sys, authmw.messages, authmw.templates; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[3]).returncode == 0


def test_no_address_in_the_mail_comes_from_anywhere_but_the_link() -> None:
    html = render(BOOK.choose(None, TemplateType.LOGIN), "en", VALUES).html

    hosts = set(re.findall(r"(?:https?:)?//([^/\"?<]+)", html))
    assert hosts == {"auth.example.com"}
