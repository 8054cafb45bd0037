"""What a trusted token says, by the profile that trusts it: one strict reading, that of ID tokens, and the claims that the profile names.

Law: every way in which a token does not count is one exception, InvalidIDToken; nothing that a profile does not map is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.oauth.id_tokens import Expected, InvalidIDToken, check_id_token
from authmw.identifiers import canonical_email, valid_external_id
from authmw.trusted_tokens import TrustedTokenProfile

_LONGEST_NAME = 128


@attrs.frozen(kw_only=True)
class Attested:
    """What a trusted token says of its holder. `email` is canonical and empty unless the profile takes it for proof. `proved_at` is when the holder was last asked to prove who they are, as far as the issuer says."""

    token_id: str
    external_id: str = ""
    email: str = attrs.field(default="", repr=False)
    first_name: str = attrs.field(default="", repr=False)
    last_name: str = attrs.field(default="", repr=False)
    proved_at: datetime
    expires_at: datetime


def check_trusted_token(
    token: str, keys: Sequence[Mapping[str, Any]], profile: TrustedTokenProfile, now: datetime
) -> Attested:
    """What a token of this profile says, proved by a published key. Raises InvalidIDToken, and UnknownKeyID if no key fits."""
    expected = Expected(issuers=(profile.issuer,), client_id=profile.audience, among=True)
    return attested(token, check_id_token(token, keys, expected, now), profile, now)


def check_by_listed_keys(token: str, profile: TrustedTokenProfile, now: datetime) -> Attested:
    """The same by the keys that the profile itself lists. They have no ids, so each one is tried."""
    expected = Expected(issuers=(profile.issuer,), client_id=profile.audience, among=True, names_keys=False)
    failed = InvalidIDToken("key")
    for key in profile.keys:
        try:
            claims = check_id_token(token, [key], expected, now)
        except InvalidIDToken as fault:
            failed = fault
        else:
            return attested(token, claims, profile, now)
    raise failed


def attested(token: str, claims: Mapping[str, Any], profile: TrustedTokenProfile, now: datetime) -> Attested:
    """What verified claims mean. Raises InvalidIDToken if the token lives too long or does not say who somebody is."""
    if claims["exp"] - claims["iat"] > timedelta(minutes=profile.longest_minutes).total_seconds():
        raise InvalidIDToken("lifetime")
    mapping = profile.attribute_mapping
    external_id = _external_id(claims, mapping.external_id)
    email = _email(claims, profile)
    if not external_id and not email:
        raise InvalidIDToken("nobody")
    return Attested(
        token_id=_token_id(token, claims, mapping.token_id),
        external_id=external_id,
        email=email,
        first_name=_name(claims, mapping.first_name),
        last_name=_name(claims, mapping.last_name),
        proved_at=_proved_at(claims, now),
        expires_at=datetime.fromtimestamp(claims["exp"], tz=now.tzinfo),
    )


def _token_id(token: str, claims: Mapping[str, Any], name: str) -> str:
    """What tells this token from others of its issuer. Without a claim it is what was signed: of one content there can be several signatures."""
    said = claims.get(name) if name else None
    if said is None:
        return tokens.digest(token.rpartition(".")[0])
    if not isinstance(said, str) or not 0 < len(said) <= 256:
        raise InvalidIDToken("token_id")
    return said


def _external_id(claims: Mapping[str, Any], name: str) -> str:
    if not name:
        return ""
    try:
        return valid_external_id(claims.get(name))
    except Refused:
        raise InvalidIDToken("external_id") from None


def _email(claims: Mapping[str, Any], profile: TrustedTokenProfile) -> str:
    name, proof = profile.attribute_mapping.email, profile.email_proof
    if not name or name not in claims or proof == "never":
        return ""
    if proof == "flag" and claims.get("email_verified") is not True:
        return ""
    try:
        return canonical_email(claims[name])
    except Refused:
        raise InvalidIDToken("email") from None


def _name(claims: Mapping[str, Any], name: str) -> str:
    said = claims.get(name) if name else None
    return said if isinstance(said, str) and len(said) <= _LONGEST_NAME and said.isprintable() else ""


def _proved_at(claims: Mapping[str, Any], now: datetime) -> datetime:
    """When the issuer had the holder prove themselves (`auth_time`), else when it made the token: changing one token for another makes nothing fresher (SES-05)."""
    said, issued = claims.get("auth_time"), claims["iat"]
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said <= issued:
        said = issued
    return min(now, datetime.fromtimestamp(said, tz=now.tzinfo))
