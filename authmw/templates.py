"""Message templates: which mail is sent when, and how a project may change its looks.

Law: a template is checked when it is built, never when it is sent. What an administrator writes is not a program: a
fixed set of `$name` substitutions, each value escaped, in text or in a few quoted attributes only (CSR-05). Links and
codes come from us alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from string import Template as Substitution
from typing import Final, Literal, TypeAlias, get_args

import attrs

from authmw.errors import Refused

MAXIMUM_BODY = 100_000
"""Characters of the longest custom HTML or text; longer mails are cut off by common mail clients."""
MAXIMUM_SUBJECT = 200
MAXIMUM_TRANSLATIONS = 20
MAXIMUM_TEMPLATES = 200
"""Templates that one project may have."""

Carries: TypeAlias = Literal["link", "code", "notice"]
Font: TypeAlias = Literal["system", "arial", "georgia", "helvetica", "times", "trebuchet", "verdana"]


class TemplateType(StrEnum):
    """What a mail is for. Without a template of its own a project uses ours."""

    LOGIN = "LOGIN"
    SIGNUP = "SIGNUP"
    INVITE = "INVITE"
    RESET_PASSWORD = "RESET_PASSWORD"
    ONE_TIME_PASSCODE = "ONE_TIME_PASSCODE"
    ONE_TIME_PASSCODE_SIGNUP = "ONE_TIME_PASSCODE_SIGNUP"
    UNLOCK = "UNLOCK"
    VERIFY_EMAIL_PASSWORD_RESET = "VERIFY_EMAIL_PASSWORD_RESET"
    NOTICE = "NOTICE"
    """Our own: something happened to an account that its owner must know."""

    @property
    def wire_title(self) -> str:
        """What the type is called where people choose templates."""
        return _TITLES[self]

    @property
    def carries(self) -> Carries:
        """What a mail of this type must bring."""
        if self is TemplateType.NOTICE:
            return "notice"
        return "code" if self in _CODES else "link"


_CODES = frozenset({TemplateType.ONE_TIME_PASSCODE, TemplateType.ONE_TIME_PASSCODE_SIGNUP})
_TITLES = {
    TemplateType.LOGIN: "Magic links - Login",
    TemplateType.SIGNUP: "Magic links - Sign-up",
    TemplateType.INVITE: "Magic links - Invite",
    TemplateType.RESET_PASSWORD: "Passwords - Password reset",
    TemplateType.ONE_TIME_PASSCODE: "OTP - Login",
    TemplateType.ONE_TIME_PASSCODE_SIGNUP: "OTP - Sign-up",
    TemplateType.UNLOCK: "Unlock",
    TemplateType.VERIFY_EMAIL_PASSWORD_RESET: "Passwords - Email verification",
    TemplateType.NOTICE: "Security notices",
}

PLACEHOLDERS: Final = frozenset(
    {"product", "first_name", "greeting", "organization", "device", "time", "minutes", "expires_in"}
)
"""What any custom template may substitute; what a message does not have is empty."""
_OWN_PLACEHOLDERS: Final[Mapping[Carries, frozenset[str]]] = {
    "link": frozenset({"link"}),
    "code": frozenset({"code"}),
    "notice": frozenset({"notice", "explanation"}),
}
_SUBJECT_PLACEHOLDERS: Final = frozenset({"product", "organization", "notice"})
"""A subject is shown on locked screens and logged by mail servers: it holds no person's name, link or code."""

_COLOR = re.compile(r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", re.ASCII)
_IMAGE_URL = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9._~/?=&%+,:@-]{0,2000}", re.ASCII)
_TEMPLATE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_CONTROL_IN_BODY = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


def _parameters(fault: str) -> Refused:
    return Refused("invalid_email_template_parameters", fault)


def _content(fault: str) -> Refused:
    return Refused("invalid_email_template_content", fault)


@attrs.frozen(kw_only=True)
class BuiltIn:
    """Our layout with a project's looks. Raises Refused("invalid_email_template_parameters").

    `sender_name` is how the mail calls the product (at most 100 characters), `greeting` replaces the first line (at
    most 200). Colours are `#RGB` or `#RRGGBB`; without `button_text_color` it is black or white, whichever reads
    better on the button. `logo_url` is https and is shown at most 48 pixels high.
    """

    sender_name: str | None = None
    greeting: str | None = None
    button_color: str = "#1a56db"
    button_text_color: str | None = None
    logo_url: str | None = None
    font: Font = "system"

    def __attrs_post_init__(self) -> None:
        """Refuse what could break out of its place in the layout."""
        for name, text, limit in (("sender_name", self.sender_name, 100), ("greeting", self.greeting, 200)):
            if text is not None and (not text.strip() or len(text) > limit or _CONTROL.search(text)):
                raise _parameters(f"{name} must be one line of 1 to {limit} characters.")
        for name, color in (("button_color", self.button_color), ("button_text_color", self.button_text_color)):
            if color is not None and not _COLOR.fullmatch(color):
                raise _parameters(f"{name} must be a colour such as #1a56db.")
        if self.logo_url is not None and not _IMAGE_URL.fullmatch(self.logo_url):
            raise _parameters("logo_url must be an https address of at most 2000 characters.")
        if self.font not in get_args(Font):
            raise _parameters("font is not one of " + ", ".join(get_args(Font)) + ".")


def _unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n")


@attrs.frozen(kw_only=True)
class CustomHTML:
    """A mail written by the project: `$name` or `${name}` is replaced (escaped in `html`), `$$` is a dollar sign."""

    subject: str
    html: str = attrs.field(converter=_unix_lines, repr=False)
    text: str = attrs.field(converter=_unix_lines, repr=False)


def _translations(translations: Mapping[str, CustomHTML]) -> Mapping[str, CustomHTML]:
    return {tag.replace("_", "-").lower(): content for tag, content in translations.items()}


@attrs.frozen(kw_only=True)
class Template:
    """One template of a project. Raises Refused.

    `template_id` has 1 to 128 letters, digits, hyphens and underscores. Custom content must bring what its type is
    for (`$link`, or `$code`, or `$notice`) both as HTML and as text, and may use only the placeholders of its type,
    see `placeholders`. `translations` are the same mail in other languages, by tag (`pt-br`), at most 20; what is not
    asked for in one of them is sent as `content`. Ours speaks every language that has a catalogue, so built-in content has none.
    """

    template_id: str
    type: TemplateType
    content: BuiltIn | CustomHTML = attrs.field(factory=BuiltIn)
    translations: Mapping[str, CustomHTML] = attrs.field(factory=dict[str, CustomHTML], converter=_translations)

    def __attrs_post_init__(self) -> None:
        """Check the id, and custom content against the type."""
        if not _TEMPLATE_ID.fullmatch(self.template_id):
            raise _parameters("template_id must have 1 to 128 letters, digits, hyphens and underscores.")
        if len(self.translations) > MAXIMUM_TRANSLATIONS or not all(map(_LANGUAGE.fullmatch, self.translations)):
            raise _parameters(
                f"translations are at most {MAXIMUM_TRANSLATIONS}, each under a language tag such as pt-br."
            )
        if isinstance(self.content, BuiltIn):
            if self.translations:
                raise _parameters("Built-in content is translated by the catalogues and takes no translations.")
            return
        for content in (self.content, *self.translations.values()):
            _check_custom(content, self.type)


def placeholders(type: TemplateType) -> frozenset[str]:  # noqa: A002 -- the field's own word
    """The names that custom HTML and text of this type may substitute."""
    more = frozenset({"login_link"}) if type is TemplateType.RESET_PASSWORD else frozenset[str]()
    return PLACEHOLDERS | _OWN_PLACEHOLDERS[type.carries] | more


def _check_custom(content: CustomHTML, type_: TemplateType) -> None:
    allowed = placeholders(type_)
    if not content.subject.strip() or len(content.subject) > MAXIMUM_SUBJECT or _CONTROL.search(content.subject):
        raise _content(f"subject must be one line of 1 to {MAXIMUM_SUBJECT} characters.")
    _placeholders_of("subject", content.subject, allowed & _SUBJECT_PLACEHOLDERS)
    for name, body in (("html", content.html), ("text", content.text)):
        if len(body) > MAXIMUM_BODY or _CONTROL_IN_BODY.search(body):
            raise _content(f"{name} must have at most {MAXIMUM_BODY} characters and no control characters.")
        if type_.carries not in _placeholders_of(name, body, allowed):
            raise _content(f"{name} of this type must hold ${type_.carries}.")
    from authmw.template_markup import refuse_unsafe_markup  # a parser of HTML, for projects with HTML of their own

    refuse_unsafe_markup(content.html)


def _placeholders_of(name: str, body: str, allowed: frozenset[str]) -> frozenset[str]:
    substitution = Substitution(body)
    if not substitution.is_valid():
        raise _content(f"{name} has a dollar sign that begins no placeholder; write $$ for a dollar sign.")
    found = frozenset(substitution.get_identifiers())
    if not found <= allowed:
        raise _content(
            f"{name} may only hold the placeholders " + ", ".join(f"${one}" for one in sorted(allowed)) + "."
        )
    return found


def _templates(templates: Sequence[Template]) -> tuple[Template, ...]:
    return tuple(templates)


def _defaults(defaults: Mapping[TemplateType, str]) -> Mapping[TemplateType, str]:
    return dict(defaults)


@attrs.frozen
class TemplateBook:
    """The templates of a project and which of them is its type's default.

    Our own template of each type is always in it, as `default-<type>` in lower case with hyphens. Raises Refused:
    "duplicate_email_template_vanity_id" for two templates of one id, "too_many_email_templates", and for `defaults`
    what `choose` raises.
    """

    templates: Sequence[Template] = attrs.field(default=(), converter=_templates)
    defaults: Mapping[TemplateType, str] = attrs.field(factory=dict[TemplateType, str], converter=_defaults)
    _by_id: Mapping[str, Template] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Check ids and defaults."""
        if len(self.templates) > MAXIMUM_TEMPLATES:
            raise Refused("too_many_email_templates")
        by_id = {_own_id(one): Template(template_id=_own_id(one), type=one) for one in TemplateType}
        for template in self.templates:
            if template.template_id in by_id:
                raise Refused("duplicate_email_template_vanity_id")
            by_id[template.template_id] = template
        object.__setattr__(self, "_by_id", by_id)
        for type_, template_id in self.defaults.items():
            self.choose(template_id, type_)

    def all(self) -> tuple[Template, ...]:
        """Every template, ours first."""
        return tuple(self._by_id.values())

    def default_of(self, type: TemplateType) -> str:  # noqa: A002 -- the field's own word
        """The id of the template that mails of this type use unless another is asked for."""
        return self.defaults.get(type, _own_id(type))

    def choose(self, template_id: str | None, type: TemplateType) -> Template:  # noqa: A002 -- the field's own word
        """The template of this id, or the type's default for None.

        Raises Refused: "email_template_not_found" for an id that the project does not have, "invalid_template_id" for
        a template of another type.
        """
        template = self._by_id.get(self.default_of(type) if template_id is None else template_id)
        if template is None:
            raise Refused("email_template_not_found")
        if template.type is not type:
            raise Refused("invalid_template_id", f'The template is not of the type "{type.wire_title}".')
        return template


def _own_id(type_: TemplateType) -> str:
    return "default-" + type_.value.lower().replace("_", "-")
