"""The types of parameters that many operations share, with their bounds. Canonical forms are made by `identifiers`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from authmw.errors import Refused
from authmw.identifiers import canonical_ip

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._|\-]+$(?!\n)")]
ResourceList: TypeAlias = Annotated[str, Meta(max_length=8192)]
"""URLs of protected resources, separated by spaces: over HTTP each is a parameter of its own."""
ClientId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2048)]
"""The id of a client: one of ours, or the address of a document that describes it."""
EmailAddress: TypeAlias = Annotated[str, Meta(min_length=3, max_length=254)]
PhoneNumber: TypeAlias = Annotated[str, Meta(min_length=8, max_length=16)]
URL: TypeAlias = Annotated[str, Meta(max_length=2048)]
Token: TypeAlias = Annotated[str, Meta(max_length=512)]
JWT: TypeAlias = Annotated[str, Meta(max_length=16384)]
TemplateId: TypeAlias = Annotated[str, Meta(max_length=128)]
TelemetryId: TypeAlias = Annotated[str, Meta(max_length=256)]
NamePart: TypeAlias = Annotated[str, Meta(max_length=128)]
Text: TypeAlias = Annotated[str, Meta(max_length=512)]
Password: TypeAlias = Annotated[str, Meta(max_length=1024)]
SessionMinutes: TypeAlias = Annotated[int, Meta(ge=5, le=527040)]
LinkMinutes: TypeAlias = Annotated[int, Meta(ge=5, le=10080)]
CodeMinutes: TypeAlias = Annotated[int, Meta(ge=1, le=10)]
Locale: TypeAlias = Literal["en", "es", "pt-br", "fr"]
RoleId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
PhoneLocale: TypeAlias = Literal[
    "en",
    "es",
    "pt-br",
    "fr",
    "it",
    "de-DE",
    "zh-Hans",
    "ca-ES",
    "ja",
    "ru",
    "nl",
    "pl",
    "tr",
    "fa",
    "vi",
    "cs",
]
Roles: TypeAlias = Annotated[list[RoleId], Meta(max_length=50)]
Claims: TypeAlias = dict[str, Any]
Metadata: TypeAlias = dict[str, Any]


class Name(msgspec.Struct, kw_only=True):
    """A person's name; each part up to 128 characters."""

    first_name: NamePart = ""
    middle_name: NamePart = ""
    last_name: NamePart = ""


class Attributes(msgspec.Struct, kw_only=True):
    """Where a person's request came from, as the host saw it: an IPv4 or IPv6 address, and the browser's User-Agent, up to 1024 characters of one line.

    What is empty or null is not given. An address is kept in its canonical text, so that one that is spelled in two ways matches itself.
    """

    ip_address: Annotated[str, Meta(max_length=64)] = ""
    user_agent: Annotated[str, Meta(max_length=1024)] = ""

    def checked(self) -> Attributes:
        """The same in canonical form. Refused: `invalid_ip_address`, `invalid_user_agent` for one with control characters, which no header can hold."""
        if _CONTROL.search(self.user_agent):
            raise Refused("invalid_user_agent")
        return Attributes(
            ip_address=canonical_ip(self.ip_address) if self.ip_address else "", user_agent=self.user_agent
        )


class MatchOptions(msgspec.Struct, kw_only=True):
    """What must be the same at authentication as at sending."""

    ip_match_required: bool = False
    user_agent_match_required: bool = False
