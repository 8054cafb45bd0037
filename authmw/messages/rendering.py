"""From a template and values to the mail that is sent.

Law: HTML is made by an environment that escapes everything, text by one that escapes nothing, and neither leaves a
missing value empty by accident. Custom templates are substituted, never executed.
"""

from __future__ import annotations

import html as markup
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from string import Template as Substitution
from typing import TYPE_CHECKING

import attrs

from authmw.messages.catalogues import Catalogue, catalogue, closest, phone_words
from authmw.messages.values import MessageValues, domain_binding, harmless, harmless_name
from authmw.templates import BuiltIn, CustomHTML, Template, TemplateType

if TYPE_CHECKING:
    from jinja2 import Environment

LAYOUTS = Path(__file__).parent / "layouts"

_FONTS = {
    "system": "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "arial": "Arial, Helvetica, sans-serif",
    "georgia": "Georgia, 'Times New Roman', serif",
    "helvetica": "'Helvetica Neue', Helvetica, Arial, sans-serif",
    "times": "'Times New Roman', Times, serif",
    "trebuchet": "'Trebuchet MS', Verdana, sans-serif",
    "verdana": "Verdana, Geneva, sans-serif",
}


@attrs.frozen(kw_only=True)
class Rendered:
    """A mail's parts, ready to be sent."""

    subject: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    html: str = attrs.field(repr=False)
    locale: str


def render(template: Template, locale: str | None, values: MessageValues, *, folder: Path | None = None) -> Rendered:
    """The mail of this template in the best language there is for `locale`.

    `folder` is the host's own: catalogues (`<locale>.toml`) and layouts (`message.html.j2`, `message.txt.j2`) in it
    come before ours. Raises ValueError when `values` lacks the link, the code or the notice that the template's type
    must bring.
    """
    needed = {"link": values.link, "code": values.code, "notice": values.notice}[template.type.carries]
    if needed is None:
        message = f"A message of the type {template.type.value} needs a {template.type.carries}."
        raise ValueError(message)
    words = catalogue(locale, folder)
    if isinstance(template.content, CustomHTML):
        facts = _facts(template.type, words, values, values.product, None)
        tag = closest(locale, tuple(template.translations))
        if tag is not None:
            return _substituted(template.translations[tag], tag, facts)
        return _substituted(template.content, words.locale, facts)
    return _laid_out(template, template.content, words, values, folder)


def phone_text(
    *, locale: str | None, product: str, code: str, domain: str | None = None, folder: Path | None = None
) -> str:
    """The text of an SMS or WhatsApp message with a code: one line and, with `domain`, a last line for phones (OTP-11).

    Raises ValueError for a product, code or domain that is not well formed.
    """
    values = MessageValues(product=product, code=code)
    line = phone_words(locale, folder).substitute(product=values.product, code=code)
    return f"{line}\n{domain_binding(domain, code)}" if domain else line


def _section(type_: TemplateType, values: MessageValues) -> str:
    return f"notice.{values.notice.value}" if type_ is TemplateType.NOTICE and values.notice else type_.value.lower()


def _facts(
    type_: TemplateType, words: Catalogue, values: MessageValues, product: str, greeting: str | None
) -> dict[str, str]:
    """Everything that a text may be told, each as one plain text; what there is not is empty."""
    facts = {
        "product": product,
        "first_name": harmless_name(values.first_name),
        "organization": harmless(values.organization, 100),
        "device": harmless(values.device, 120),
        "time": values.time,
        "minutes": str(values.minutes or ""),
        "expires_in": _duration(words, values.minutes) if values.minutes else "",
        "link": values.link or "",
        "login_link": values.login_link or "",
        "code": values.code or "",
    }
    facts["greeting"] = greeting or words.words(
        "common.greeting_named" if facts["first_name"] else "common.greeting", facts
    )
    if type_ is TemplateType.NOTICE:
        section = _section(type_, values)
        facts["notice"] = words.words(f"{section}.heading", facts)
        # A custom template has no rows of details, and must say all the same how many codes are left (OTP-07).
        left = "" if values.remaining is None else f" {words.words('detail.remaining', {})}: {values.remaining}."
        facts["explanation"] = words.words(f"{section}.body", facts) + left
    return facts


def _duration(words: Catalogue, minutes: int) -> str:
    """In days or hours if that is exact and at least two of them, so that each unit is a plural in every language."""
    for unit, size in (("days", 1440), ("hours", 60)):
        if minutes >= 2 * size and minutes % size == 0:
            return words.words(f"common.{unit}", {"count": str(minutes // size)})
    return words.words("common.minutes", {"count": str(minutes)})


def _substituted(content: CustomHTML, locale: str, facts: Mapping[str, str]) -> Rendered:
    escaped = {name: markup.escape(value, quote=True) for name, value in facts.items()}
    return Rendered(
        subject=Substitution(content.subject).substitute(facts),
        text=Substitution(content.text).substitute(facts),
        html=Substitution(content.html).substitute(escaped),
        locale=locale,
    )


def _laid_out(
    template: Template, looks: BuiltIn, words: Catalogue, values: MessageValues, folder: Path | None
) -> Rendered:
    facts = _facts(template.type, words, values, looks.sender_name or values.product, looks.greeting)
    section = _section(template.type, values)

    def say(key: str) -> str:
        return words.words(key, facts)

    carries = template.type.carries
    subject = say(f"{section}.subject")
    told = {
        "lang": _language_tag(words.locale),
        "direction": say("common.direction"),
        "subject": subject,
        "heading": say(f"{section}.heading"),
        "greeting": facts["greeting"],
        "body": say(f"{section}.body"),
        "button": say(f"{section}.button") if carries == "link" else "",
        "link": facts["link"] if carries == "link" else "",
        "link_hint": say("common.link_hint"),
        "login_link": facts["login_link"] if template.type is TemplateType.RESET_PASSWORD else "",
        "login_button": say("reset_password.login"),
        "code": facts["code"] if carries == "code" else "",
        "code_label": say("common.code_label"),
        "expiry": say(f"common.expiry_{carries}") if carries != "notice" and facts["expires_in"] else "",
        "details": _details(words, values, facts),
        "closing": say(f"{section}.closing"),
        "footer": say("common.footer"),
        "product": facts["product"],
        "looks": looks,
        "font": _FONTS[looks.font],
        "button_text_color": looks.button_text_color or _readable_on(looks.button_color),
    }
    return Rendered(
        subject=subject,
        text=_environment(folder, escape=False).get_template("message.txt.j2").render(told).strip() + "\n",
        html=_environment(folder, escape=True).get_template("message.html.j2").render(told),
        locale=words.locale,
    )


def _details(words: Catalogue, values: MessageValues, facts: Mapping[str, str]) -> list[tuple[str, str]]:
    factor = words.words(f"factor.{values.factor.value}", {}) if values.factor else ""
    rows = (
        ("factor", factor),
        ("organization", facts["organization"]),
        ("device", facts["device"]),
        ("time", facts["time"]),
        ("remaining", "" if values.remaining is None else str(values.remaining)),
    )
    return [(words.words(f"detail.{name}", {}), value) for name, value in rows if value]


def _language_tag(locale: str) -> str:
    language, *rest = locale.split("-")
    return "-".join([language, *(part.upper() if len(part) == 2 else part for part in rest)])


def _readable_on(color: str) -> str:
    """Black or white, whichever has the greater contrast (WCAG 2.2, relative luminance)."""
    digits = color[1:] if len(color) == 7 else "".join(one * 2 for one in color[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#ffffff"


@lru_cache(maxsize=16)
def _environment(folder: Path | None, *, escape: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folders = [LAYOUTS] if folder is None else [folder, LAYOUTS]
    # Not `select_autoescape`, which looks at the end of a file's name: text/plain must not be escaped, HTML always is.
    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=escape,  # noqa: S701 -- see above
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
