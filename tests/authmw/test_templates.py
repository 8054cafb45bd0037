"""Message templates: what is chosen, what is refused (TPL-01 to TPL-07, CSR-05)."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.templates import BuiltIn, CustomHTML, Template, TemplateBook, TemplateType, placeholders

LINK_TYPES = [one for one in TemplateType if one.carries == "link"]


def custom(
    html: str = '<p><a href="$link">Sign in</a></p>', text: str = "$link", subject: str = "Sign in to $product"
) -> Template:
    return Template(
        template_id="own", type=TemplateType.LOGIN, content=CustomHTML(subject=subject, html=html, text=text)
    )


def test_types_have_the_titles_of_the_wire() -> None:
    assert {one.name: one.wire_title for one in TemplateType if one.name in {"LOGIN", "SIGNUP", "INVITE"}} == {
        "LOGIN": "Magic links - Login",
        "SIGNUP": "Magic links - Sign-up",
        "INVITE": "Magic links - Invite",
    }
    assert TemplateType.RESET_PASSWORD.wire_title == "Passwords - Password reset"
    assert TemplateType.ONE_TIME_PASSCODE.wire_title == "OTP - Login"
    assert TemplateType.ONE_TIME_PASSCODE_SIGNUP.wire_title == "OTP - Sign-up"
    assert len({one.wire_title for one in TemplateType}) == len(TemplateType)


@pytest.mark.parametrize("type_", list(TemplateType))
def test_without_an_id_a_mail_uses_the_built_in_template_of_its_type(type_: TemplateType) -> None:
    chosen = TemplateBook().choose(None, type_)

    assert chosen.type is type_
    assert chosen.content == BuiltIn()


def test_without_an_id_a_mail_uses_the_default_that_the_project_chose() -> None:
    mine = Template(template_id="mine", type=TemplateType.LOGIN)
    book = TemplateBook([mine], {TemplateType.LOGIN: "mine"})

    assert book.choose(None, TemplateType.LOGIN) is mine
    assert book.choose(None, TemplateType.SIGNUP).template_id == "default-signup"


def test_a_template_is_chosen_by_its_id_though_another_is_the_default() -> None:
    book = TemplateBook([Template(template_id="mine", type=TemplateType.LOGIN)])

    assert book.choose("mine", TemplateType.LOGIN).template_id == "mine"
    assert book.choose(None, TemplateType.LOGIN).template_id == "default-login"


def test_our_own_template_can_be_chosen_by_its_id() -> None:
    assert TemplateBook().choose("default-reset-password", TemplateType.RESET_PASSWORD).content == BuiltIn()


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        TemplateBook().choose("nobody-knows", TemplateType.LOGIN)
    assert refused.value.error_type == "email_template_not_found"
    assert refused.value.status == 404
    assert "nobody-knows" not in str(refused.value)


def test_an_empty_id_is_an_unknown_id() -> None:
    with pytest.raises(Refused, match="email_template_not_found"):
        TemplateBook().choose("", TemplateType.LOGIN)


@pytest.mark.parametrize("own", list(TemplateType))
@pytest.mark.parametrize("asked", list(TemplateType))
def test_a_template_serves_its_own_type_only(own: TemplateType, asked: TemplateType) -> None:
    book = TemplateBook([Template(template_id="mine", type=own)])

    if own is asked:
        assert book.choose("mine", asked).type is asked
    else:
        with pytest.raises(Refused) as refused:
            book.choose("mine", asked)
        assert refused.value.error_type == "invalid_template_id"


def test_two_templates_of_one_id_are_refused() -> None:
    twin = Template(template_id="mine", type=TemplateType.LOGIN)
    with pytest.raises(Refused, match="duplicate_email_template_vanity_id"):
        TemplateBook([twin, Template(template_id="mine", type=TemplateType.SIGNUP)])


def test_a_template_cannot_take_the_id_of_ours() -> None:
    with pytest.raises(Refused, match="duplicate_email_template_vanity_id"):
        TemplateBook([Template(template_id="default-login", type=TemplateType.LOGIN)])


def test_a_project_has_at_most_200_templates() -> None:
    many = [Template(template_id=f"mine-{number}", type=TemplateType.LOGIN) for number in range(201)]

    assert TemplateBook(many[:200]).choose("mine-199", TemplateType.LOGIN)
    with pytest.raises(Refused, match="too_many_email_templates"):
        TemplateBook(many)


def test_a_default_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refused, match="email_template_not_found"):
        TemplateBook((), {TemplateType.LOGIN: "missing"})


def test_a_default_of_another_type_is_refused() -> None:
    with pytest.raises(Refused, match="invalid_template_id"):
        TemplateBook([Template(template_id="mine", type=TemplateType.LOGIN)], {TemplateType.SIGNUP: "mine"})


def test_a_book_does_not_change_with_the_list_it_was_made_of() -> None:
    templates = [Template(template_id="mine", type=TemplateType.LOGIN)]
    defaults = {TemplateType.LOGIN: "mine"}
    book = TemplateBook(templates, defaults)
    templates.clear()
    defaults.clear()

    assert book.choose(None, TemplateType.LOGIN).template_id == "mine"
    assert len(book.templates) == 1


@pytest.mark.parametrize("template_id", ["", "a b", "a/b", "ä", "a\n", "x" * 129, "<b>"])
def test_an_id_that_is_not_plain_is_refused(template_id: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        Template(template_id=template_id, type=TemplateType.LOGIN)


@pytest.mark.parametrize("color", ["#1a2", "#1A56dB", "#000000"])
def test_a_hexadecimal_colour_is_taken(color: str) -> None:
    assert BuiltIn(button_color=color, button_text_color=color).button_color == color


@pytest.mark.parametrize(
    "color", ["red", "#12", "#12345", "#1234567", "#12345g", "#fff; background: url(x)", "", "#ffffff\n", "#１２３"]
)
def test_what_is_no_hexadecimal_colour_is_refused(color: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        BuiltIn(button_color=color)
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        BuiltIn(button_text_color=color)


def test_a_logo_on_https_is_taken() -> None:
    url = "https://cdn.example.com:8443/logo%20v2.png?size=2&x=1"
    assert BuiltIn(logo_url=url).logo_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example.com/logo.png",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "//cdn.example.com/logo.png",
        'https://cdn.example.com/"onerror="x',
        "https://cdn.example.com/a b.png",
        "https://cdn.example.com/x'y",
        "https://user@cdn.example.com/logo.png",
        "https://cdn.example.com/a\r\nb",
        "https://cdn.example.com",
        "https://cdn.example.com/" + "a" * 2001,
        "",
    ],
)
def test_a_logo_from_anywhere_else_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        BuiltIn(logo_url=url)


@pytest.mark.parametrize("line", ["", "  ", "a\nb", "a\rb", "a\x00b", "a\u2028b", "a\u202eb", "x" * 201])
def test_a_name_or_greeting_of_more_than_one_plain_line_is_refused(line: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        BuiltIn(sender_name=line)
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        BuiltIn(greeting=line)


def test_an_unknown_font_is_refused() -> None:
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        BuiltIn(font="comic; color: red")  # type: ignore[arg-type]  # what a request could hold


def test_custom_content_with_its_link_is_taken() -> None:
    assert custom(html="<!doctype html><style>a { color: red }</style><a href='${link}' title=\"$product\">Go</a>")


@pytest.mark.parametrize("type_", LINK_TYPES)
@pytest.mark.parametrize("part", ["html", "text"])
def test_a_link_template_without_its_link_is_refused(type_: TemplateType, part: str) -> None:
    parts = {"html": "$link", "text": "$link"} | {part: "no way in"}
    with pytest.raises(Refused) as refused:
        Template(template_id="own", type=type_, content=CustomHTML(subject="Hello", **parts))
    assert refused.value.error_type == "invalid_email_template_content"
    assert "$link" in refused.value.message


@pytest.mark.parametrize("type_", [TemplateType.ONE_TIME_PASSCODE, TemplateType.ONE_TIME_PASSCODE_SIGNUP])
def test_a_passcode_template_without_its_code_is_refused(type_: TemplateType) -> None:
    with pytest.raises(Refused, match="invalid_email_template_content"):
        Template(template_id="own", type=type_, content=CustomHTML(subject="Hello", html="hi", text="hi"))


def test_a_passcode_template_takes_no_link() -> None:
    content = CustomHTML(subject="Hello", html="$code $link", text="$code")
    with pytest.raises(Refused, match="invalid_email_template_content"):
        Template(template_id="own", type=TemplateType.ONE_TIME_PASSCODE, content=content)


def test_an_escaped_dollar_sign_is_no_link() -> None:
    with pytest.raises(Refused, match="invalid_email_template_content"):
        custom(html="$$link")


def test_an_unknown_placeholder_is_refused_without_being_repeated() -> None:
    with pytest.raises(Refused) as refused:
        custom(html="$link $password_hash")
    assert refused.value.error_type == "invalid_email_template_content"
    assert "password_hash" not in str(refused.value)


@pytest.mark.parametrize("text", ["$link costs 5$", "$link $1", "$link ${", "$link ${link", "$link ${a b}"])
def test_a_dollar_sign_that_begins_nothing_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_content"):
        custom(text=text)


@pytest.mark.parametrize("subject", ["", " ", "a\nBcc: x@example.org", "a\rb", "x" * 201, "a\u2028b", "a\x00"])
def test_a_subject_of_more_than_one_plain_line_is_refused(subject: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_content"):
        custom(subject=subject)


@pytest.mark.parametrize("subject", ["$link", "$code", "Hi $first_name", "$device"])
def test_a_subject_holds_no_link_code_or_name(subject: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_content"):
        custom(subject=subject)


@pytest.mark.parametrize(
    "html",
    [
        "$link <script>alert(1)</script>",
        "$link <SCRIPT src='https://evil.example/x.js'>",
        "$link <iframe src='https://evil.example/'></iframe>",
        "$link <form action='https://evil.example/'><input></form>",
        "$link <object data='https://evil.example/'></object>",
        "$link <svg onload='x()'></svg>",
        "$link <base href='https://evil.example/'>",
        "$link <link rel='stylesheet' href='https://evil.example/'>",
        "$link <meta http-equiv='refresh' content='0'>",
        "$link <p onclick='x()'>hi</p>",
        "$link <a href='javascript:alert(1)'>hi</a>",
        "$link <a href=' JaVaScRiPt:alert(1)'>hi</a>",
        "$link <a href='java&#115;cript:alert(1)'>hi</a>",
        "$link <img src='data:text/html,x'>",
        "$link <a href='/relative'>hi</a>",
    ],
)
def test_markup_that_runs_embeds_or_submits_is_refused(html: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_content"):
        custom(html=html)


@pytest.mark.parametrize(
    "html",
    [
        "<a href=$link>go</a>",
        "<a href='https://evil.example/?$link'>go</a>",
        "<a href='$link&x=1'>go</a>",
        "<a href='$product'>$link</a>",
        "<img src='$link'>",
        "<p style='color: $product'>$link</p>",
        '<p class="$first_name">$link</p>',
        "<p $product='x'>$link</p>",
        "<style>p { color: $product }</style>$link",
        "<style>@import 'https://evil.example/x.css';</style>$link",
        "<!-- $product -->$link",
    ],
)
def test_a_placeholder_where_escaping_is_not_enough_is_refused(html: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_content"):
        custom(html=html)


@pytest.mark.parametrize("control", ["\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\r"])
def test_control_characters_in_custom_content_are_refused(control: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_content"):
        custom(text=f"$link{control}")
    with pytest.raises(Refused, match="invalid_email_template_content"):
        custom(html=f"$link{control}")


def test_line_ends_of_a_browser_form_become_line_feeds() -> None:
    content = custom(text="Hello,\r\n$link\r\n").content

    assert isinstance(content, CustomHTML)
    assert content.text == "Hello,\n$link\n"


def test_custom_content_has_at_most_100_000_characters() -> None:
    with pytest.raises(Refused, match="invalid_email_template_content"):
        custom(html="$link" + "x" * 100_000)


@given(st.text(max_size=60))
def test_a_custom_template_is_either_refused_or_holds_known_placeholders_only(text: str) -> None:
    try:
        content = custom(html=f"$link {text}", text=f"$link {text}").content
    except Refused as refused:
        assert refused.error_type == "invalid_email_template_content"
        return
    assert isinstance(content, CustomHTML)
    values = dict.fromkeys(placeholders(TemplateType.LOGIN), "")
    from string import Template as Substitution

    Substitution(content.html).substitute(values)
    Substitution(content.text).substitute(values)


def test_a_template_does_not_show_its_body() -> None:
    assert "Sign in</a>" not in repr(custom())


def spoken(**translations: str) -> Template:
    content = {tag: CustomHTML(subject=tag, html='<a href="$link">x</a>', text="$link") for tag in translations}
    return attrs.evolve(custom(), translations=content)


def test_translations_are_kept_under_lower_case_tags() -> None:
    assert list(spoken(pt_BR="", ES="").translations) == ["pt-br", "es"]


@pytest.mark.parametrize("tag", ["", "english", "e", "pt-", "../en", "en\n", "en.html"])
def test_a_translation_stands_under_a_language_tag(tag: str) -> None:
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        spoken(**{tag: ""})


def test_each_translation_is_held_to_the_rules_of_the_type() -> None:
    bad = CustomHTML(subject="s", html="<p>no link</p>", text="$link")
    with pytest.raises(Refused, match="invalid_email_template_content"):
        attrs.evolve(custom(), translations={"es": bad})


def test_our_own_layout_takes_no_translations() -> None:
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        Template(template_id="x", type=TemplateType.LOGIN, translations=dict(spoken(es="").translations))


def test_a_template_has_at_most_20_translations() -> None:
    tags = [f"a{one}" for one in "abcdefghijklmnopqrstu"]
    with pytest.raises(Refused, match="invalid_email_template_parameters"):
        spoken(**dict.fromkeys(tags, ""))
