"""What an administrator's HTML may hold.

Law: the markup is a document, not a program, and a substituted value stands in text, as the whole of a quoted `href`,
or inside a quoted description. There the escaping of `&`, `<`, `>` and both quotes is enough; anywhere else it is not
(unquoted attributes, styles, scripts, event handlers, other addresses).
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from authmw.errors import Refused

_FORBIDDEN_TAGS = frozenset(
    {
        "applet",
        "audio",
        "base",
        "button",
        "embed",
        "form",
        "frame",
        "frameset",
        "iframe",
        "input",
        "link",
        "math",
        "noscript",
        "object",
        "portal",
    }
    | {"plaintext", "script", "select", "svg", "template", "textarea", "video", "xmp"}
)
_ADDRESSES = frozenset(
    {
        "action",
        "background",
        "cite",
        "data",
        "formaction",
        "href",
        "longdesc",
        "ping",
        "poster",
        "src",
        "srcset",
        "xlink:href",
    }
)
_DESCRIPTIONS = frozenset({"alt", "aria-label", "title"})
_SCHEMES = re.compile(r"(?:https?://|mailto:|cid:|#)", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def refuse_unsafe_markup(html: str) -> None:
    """Raise Refused("invalid_email_template_content") for what runs, embeds, submits or misplaces a value."""
    reader = _Reader()
    reader.feed(html)
    reader.close()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _FORBIDDEN_TAGS:
            raise _refused("html must not hold scripts, forms, frames or embedded objects.")
        self._in_style = tag == "style"
        if _substitutes(_QUOTED.sub("", self.get_starttag_text() or "")):
            raise _refused("A placeholder inside a tag of html must stand in a quoted attribute.")
        for name, value in attrs:
            _check_attribute(tag, name, value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style and (_substitutes(data) or "@import" in data.lower()):
            raise _refused("A style of html must hold neither placeholders nor imports.")

    def handle_comment(self, data: str) -> None:
        if _substitutes(data):
            raise _refused("A comment of html must not hold a placeholder.")

    def unknown_decl(self, data: str) -> None:
        if _substitutes(data):
            raise _refused("A declaration of html must not hold a placeholder.")

    def handle_pi(self, data: str) -> None:
        if _substitutes(data):
            raise _refused("A processing instruction of html must not hold a placeholder.")


def _check_attribute(tag: str, name: str, value: str) -> None:
    if name.startswith("on") or name in {"srcdoc", "http-equiv"}:
        if name == "http-equiv" and value.strip().lower() in {"content-type", "x-ua-compatible"}:
            return
        raise _refused("html must not hold event handlers, embedded documents or redirects.")
    if name == "href" and tag in {"a", "area"} and value in {"$link", "${link}"}:
        return
    if name in _ADDRESSES and not _SCHEMES.match(value.strip()):
        raise _refused("An address in html must be $link or begin with https://, http://, mailto:, cid: or #.")
    if _substitutes(value) and name not in _DESCRIPTIONS:
        raise _refused(
            "A placeholder in an attribute of html must be a whole href or stand in alt, title or aria-label."
        )


def _substitutes(text: str) -> bool:
    return "$" in text.replace("$$", "")


def _refused(fault: str) -> Refused:
    return Refused("invalid_email_template_content", fault)
