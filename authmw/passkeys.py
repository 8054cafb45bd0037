"""Where passkeys are made and used, and whose authenticators are trusted: the WebAuthn part of a project's settings.

Law: origins are an exact list, and a domain (the relying party's id) is the host of one of them or a suffix of it that nobody sells (WAN-03).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import attrs

from authmw.redirects import is_public_suffix

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_WEB = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*)(?::[1-9][0-9]{{0,4}})?", re.ASCII)
_APP = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}", re.ASCII)


ATTESTATION_FORMATS = ("none", "packed", "fido-u2f", "tpm", "android-key", "apple")
"""How authenticators show what they are (WebAuthn section 8): all that can be verified."""


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


@attrs.frozen
class RelyingParty:
    """A domain that passkeys belong to, and the exact origins they may be used at."""

    domain: str
    origins: tuple[str, ...]


@attrs.frozen(kw_only=True)
class WebAuthnRules:
    """Passkeys and security keys.

    `origins` are the pages that may use them, exactly (scheme, host, port unless it is the scheme's own), and Android apps as `android:apk-key-hash:...`; unless given,
    the project's own origin and `cors_origins`. Browsers do this at https and at `http://localhost` only, never at an IP address. `domains` are what passkeys belong to;
    unless given, the hosts of the origins. `user_verification` is `required` to refuse a registration and a second factor without a PIN or biometric too; a sign-in
    by a passkey alone always needs one. `attestation_roots` are certificates (PEM): with them only authenticators register whose attestation leads to one of them.
    `attestation_formats` are those that are taken: `packed` and `fido-u2f` of security keys, `tpm` of Windows, `android-key`, `apple`, and `none`.
    """

    origins: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    domains: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    user_verification: Literal["preferred", "required"] = "preferred"
    attestation_roots: tuple[str, ...] = attrs.field(default=(), converter=_texts, repr=False)
    attestation_formats: tuple[str, ...] = attrs.field(default=ATTESTATION_FORMATS, converter=_texts)

    def faults(self, *, live: bool, own: Iterable[str]) -> Iterator[str]:
        """What cannot work, where the project's own origins are these."""
        if not all(_APP.fullmatch(origin) or _usable(origin) for origin in self.origins):
            yield "webauthn.origins must be https origins without a default port, http ones of localhost, or android:apk-key-hash:... of an app."
        elif live and any(origin.startswith("http:") for origin in self.origins):
            yield "webauthn.origins must be https in Live."
        if not all(_can_be_domain(domain) for domain in self.domains):
            yield "webauthn.domains must be lower-case host names, none of them a public suffix or an IP address."
        elif self.origins and any(not _belongs(origin, self.domains) for origin in self.origins if self.domains):
            yield "webauthn.origins names one that lies under none of webauthn.domains."
        elif any(not _is_served(domain, self._origins(own)) for domain in self.domains):
            yield "webauthn.domains names one that no origin of the project lies at or under."
        if self.user_verification not in {"preferred", "required"}:
            yield "webauthn.user_verification must be preferred or required."
        if not self.attestation_formats or not set(self.attestation_formats) <= set(ATTESTATION_FORMATS):
            yield "webauthn.attestation_formats may name " + ", ".join(ATTESTATION_FORMATS) + "."
        if any("-----BEGIN CERTIFICATE-----" not in root for root in self.attestation_roots):
            yield "webauthn.attestation_roots must be certificates in PEM form."

    def relying_party(self, domain: str, own: Iterable[str]) -> RelyingParty | None:
        """The relying party of this domain, or None if it is not one of the project's. `own` are the project's origins, which count unless others are given."""
        origins = self._origins(own)
        if domain not in self._domains(origins):
            return None
        return RelyingParty(domain, tuple(dict.fromkeys(origin for origin in origins if _belongs(origin, (domain,)))))

    def has_domain(self, own: Iterable[str]) -> bool:
        """Whether there is any relying party."""
        return bool(self._domains(self._origins(own)))

    def _origins(self, own: Iterable[str]) -> tuple[str, ...]:
        return self.origins or tuple(origin for origin in own if _usable(origin))

    def _domains(self, origins: Iterable[str]) -> tuple[str, ...]:
        return self.domains or tuple(host for origin in origins if _can_be_domain(host := _host(origin)))


def _usable(origin: str) -> bool:
    """Whether browsers do WebAuthn there: a secure context with a host name, spelled as they spell it."""
    host = _host(origin)
    if origin.endswith(":443" if origin.startswith("https:") else ":80"):
        return False
    return bool(host) and (origin.startswith("https:") or host == "localhost" or host.endswith(".localhost"))


def _host(origin: str) -> str:
    web = _WEB.fullmatch(origin)
    return web.group(2) if web else ""


def _can_be_domain(domain: str) -> bool:
    if not _DOMAIN.fullmatch(domain) or domain.rpartition(".")[2].isdigit():
        return False
    return domain == "localhost" or not is_public_suffix(domain)


def _is_served(domain: str, origins: Iterable[str]) -> bool:
    return any(_belongs(origin, (domain,)) for origin in origins)


def _belongs(origin: str, domains: Iterable[str]) -> bool:
    """Whether an origin's host is one of the domains or lies under it (HTML, "is a registrable domain suffix of or is equal to"). An app's origin has no host: it is listed for all."""
    host = _host(origin)
    return not host or any(host == domain or host.endswith("." + domain) for domain in domains)
