"""JWTs of ours: signed with one key, verified by one strict reading (RFC 7519, RFC 8725).

Law: the algorithm comes from the key, the key from our own map, the time from the caller. A token is dead at `exp`;
`nbf` and `iat` may be ahead by the leeway. Every failure is `InvalidToken`, whose words never hold a part of the
token.

One signed content has many spellings (JSON, base64), so the text of a token may key a cache, never a revocation.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeAlias

import attrs
import msgspec

from authmw.crypto.signing import KID, PublicKey, Purpose, SigningKey
from authmw.crypto.strict_json import strict_object
from authmw.crypto.tokens import from_base64url
from authmw.errors import AuthError
from authmw.typed import convert, from_json

if TYPE_CHECKING:
    from jwt import PyJWS

SESSION_CLAIM = "https://stytch.com/session"
ORGANIZATION_CLAIM = "https://stytch.com/organization"
RESERVED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
"""The registered claims: custom claims never replace them (TOK-10)."""
MAXIMUM_LENGTH = 16 * 1024
"""Characters of a token; a longer one is refused before anything is decoded."""
LIFETIME = 300
"""Seconds that a session JWT lives."""
LEEWAY = 60
"""Seconds that `nbf` and `iat` may be ahead of our clock."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_OURS = RESERVED | {SESSION_CLAIM, ORGANIZATION_CLAIM}
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that a datetime can hold; far below 2^53
_RFC3339_UTC = r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z\Z"

Reason: TypeAlias = Literal[
    "shape",
    "header",
    "key",
    "signature",
    "claims",
    "issuer",
    "audience",
    "lifetime",
    "not_yet",
    "expired",
    "session_over",
]
"""Why a token is refused, for logs and tests; never shown to who sent it."""
Type: TypeAlias = Literal["JWT", "at+jwt"]
"""The `typ` of a token: `at+jwt` marks an access token for a resource server (RFC 9068 section 2.1)."""
Seconds: TypeAlias = Annotated[int, msgspec.Meta(gt=0, le=_LAST_SECOND)]
Moment: TypeAlias = Annotated[str, msgspec.Meta(pattern=_RFC3339_UTC)]


class InvalidToken(AuthError):
    """A token is not one of ours, or not one that is good now. `reason_code` is a fixed word."""

    def __init__(self, reason_code: Reason) -> None:
        super().__init__(f"The token is not valid ({reason_code}).")
        self.reason_code: Reason = reason_code


class ExpiredToken(InvalidToken):
    """A token of ours whose time is over: its own, or that of the session it speaks of."""


class VerifyingKey(Protocol):
    """What verification needs of a key; a `SigningKey` is one."""

    @property
    def algorithm(self) -> str:
        """The one algorithm of this key."""
        ...

    @property
    def purpose(self) -> str:
        """The one kind of token that this key signs."""
        ...

    @property
    def public_key(self) -> PublicKey:
        """The loaded public key."""
        ...


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A header of ours. What it does not name (`jku`, `jwk`, `x5c`, `crit`, `b64`, `cty`, `zip` ...) makes a token somebody else's (TOK-05)."""

    alg: str
    kid: Annotated[str, msgspec.Meta(pattern=rf"\A{KID.pattern}\Z")]
    typ: Literal["JWT", "at+jwt"]


class _Registered(msgspec.Struct, frozen=True):
    iss: str
    sub: Annotated[str, msgspec.Meta(min_length=1)]
    aud: str | list[str]
    exp: Seconds
    iat: Seconds
    nbf: Seconds


class SessionClaim(msgspec.Struct, kw_only=True, frozen=True):
    """What a JWT says of its session; times are RFC 3339 in UTC. Unknown members are left out.

    `epoch`, `organization_epoch` and `mfa` are ours; official clients ignore them. Without `mfa` the session does not
    pass for signed-in where MFA is asked.
    """

    id: Annotated[str, msgspec.Meta(min_length=1)]
    started_at: Moment
    last_accessed_at: Moment
    expires_at: Moment
    attributes: dict[str, Any] = {}
    authentication_factors: list[dict[str, Any]] = []
    roles: list[str] = []
    epoch: Annotated[int, msgspec.Meta(ge=0)] = 0
    organization_epoch: Annotated[int, msgspec.Meta(ge=0)] = 0
    mfa: bool = False

    def __repr__(self) -> str:
        """Only the id: factors hold addresses."""
        return f"SessionClaim(id={self.id!r})"


class OrganizationClaim(msgspec.Struct, kw_only=True, frozen=True):
    """The organization that a member's session belongs to."""

    organization_id: Annotated[str, msgspec.Meta(min_length=1)]
    slug: str = ""


class _SessionMembers(msgspec.Struct, frozen=True):
    session: SessionClaim = msgspec.field(name=SESSION_CLAIM)
    organization: OrganizationClaim | None = msgspec.field(name=ORGANIZATION_CLAIM, default=None)


@attrs.frozen(kw_only=True)
class TokenClaims:
    """What a verified token of any kind says: who, from when to when, under which key, and all members as they were signed."""

    subject_id: str
    issued_at: datetime
    expires_at: datetime
    kid: str
    members: dict[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class VerifiedClaims:
    """What a verified session JWT says. `expires_at` is when it stops being good: its `exp`, or `session_over`, the end of the session, if that is earlier."""

    subject_id: str
    session: SessionClaim
    organization: OrganizationClaim | None
    custom: dict[str, Any] = attrs.field(repr=False)
    issued_at: datetime
    expires_at: datetime
    session_over: datetime
    kid: str


def sign(key: SigningKey, claims: Mapping[str, Any], *, typ: Type = "JWT") -> str:
    """A token over these claims. Its header is `alg`, `kid` and `typ`, for which official clients insist on `JWT`. RS256 takes 230 µs, ES256 30."""
    headers = {"kid": key.kid, "typ": typ}
    payload = msgspec.json.encode(claims)
    return _jws(key.algorithm).encode(payload, key.private_key, algorithm=key.algorithm, headers=headers)


def verify(
    token: str,
    keys: Mapping[str, VerifyingKey],
    *,
    issuers: str | Sequence[str],
    audience: str,
    now: datetime,
    leeway: int = LEEWAY,
    max_lifetime: int = LIFETIME,
    allow_expired: bool = False,
) -> VerifiedClaims:
    """What a session JWT says, once everything about it is proved. Raises InvalidToken, and ExpiredToken for one that was good.

    A session JWT is signed by a key of purpose `session` and carries the session claim. `allow_expired` accepts it
    after its end, for the call that renews it; every other rule holds. `leeway` and `max_lifetime` are in seconds.
    """
    claims = verify_claims(
        token,
        keys,
        purpose="session",
        issuers=issuers,
        audience=audience,
        now=now,
        leeway=leeway,
        max_lifetime=max_lifetime,
        allow_expired=allow_expired,
    )
    said = _session_claims(claims)
    if said.session_over <= now and not allow_expired:
        raise ExpiredToken("session_over")
    return said


def signed(key: SigningKey, claims: Mapping[str, Any]) -> VerifiedClaims:
    """What the session JWT says that `sign(key, claims)` has just made: nothing needs to be verified of it. Raises InvalidToken for claims of another shape."""
    return _session_claims(
        TokenClaims(
            subject_id=claims["sub"],
            issued_at=datetime.fromtimestamp(claims["iat"], UTC),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            kid=key.kid,
            members=dict(claims),
        )
    )


def _session_claims(claims: TokenClaims) -> VerifiedClaims:
    try:
        ours = convert(claims.members, _SessionMembers)
        session_end = datetime.fromisoformat(ours.session.expires_at)
    except ValueError:  # msgspec's ValidationError is one; the other is a 31st of February
        raise InvalidToken("claims") from None
    return VerifiedClaims(
        subject_id=claims.subject_id,
        session=ours.session,
        organization=ours.organization,
        custom={name: value for name, value in claims.members.items() if name not in _OURS},
        issued_at=claims.issued_at,
        expires_at=min(claims.expires_at, session_end),
        session_over=session_end,
        kid=claims.kid,
    )


def verify_claims(
    token: str,
    keys: Mapping[str, VerifyingKey],
    *,
    purpose: Purpose,
    issuers: str | Sequence[str],
    audience: str | None,
    now: datetime,
    leeway: int = LEEWAY,
    max_lifetime: int = LIFETIME,
    allow_expired: bool = False,
    typ: Type | None = "JWT",
    among: bool = False,
) -> TokenClaims:
    """What a token of one kind says, once its signature and registered claims are proved. Raises InvalidToken, ExpiredToken; ValueError for a naive `now`.

    `iss` is exactly one of `issuers`, `typ` the one that is asked for, `aud` exactly `audience` (as text or as a list of one; with
    `among` it may stand beside others, as RFC 9068 section 4 allows for access tokens), and `exp` at most `max_lifetime` seconds after `iat`.
    An audience or type of None is not judged, for the issuer who looks at a token of its own (RFC 7662).
    """
    if now.tzinfo is None:
        message = "Tokens are judged at an aware time."
        raise ValueError(message)
    kid, members = _signed_members(token, keys, purpose, typ)
    try:
        registered = convert(members, _Registered)
    except msgspec.ValidationError:
        raise InvalidToken("claims") from None
    if registered.iss not in ((issuers,) if isinstance(issuers, str) else issuers):
        raise InvalidToken("issuer")
    named = [registered.aud] if isinstance(registered.aud, str) else registered.aud
    if audience is not None and named != [audience] and not (among and audience in named):
        raise InvalidToken("audience")
    _judge_times(registered, now.timestamp(), leeway, max_lifetime, allow_expired=allow_expired)
    return TokenClaims(
        subject_id=registered.sub,
        issued_at=datetime.fromtimestamp(registered.iat, UTC),
        expires_at=datetime.fromtimestamp(registered.exp, UTC),
        kid=kid,
        members=members,
    )


def key_id(token: str) -> str | None:
    """The id of the key that a token says it was signed with, which proves nothing; None if the token cannot be one of ours."""
    if len(token) > MAXIMUM_LENGTH or not _SHAPE.fullmatch(token):
        return None
    try:
        return _header(token.partition(".")[0]).kid
    except InvalidToken:
        return None


def _judge_times(said: _Registered, now: float, leeway: int, max_lifetime: int, *, allow_expired: bool) -> None:
    if not 0 < said.exp - said.iat <= max_lifetime:
        raise InvalidToken("lifetime")
    if said.nbf > now + leeway or said.iat > now + leeway:
        raise InvalidToken("not_yet")
    if said.exp <= now and not allow_expired:
        raise ExpiredToken("expired")


def _signed_members(
    token: str, keys: Mapping[str, VerifyingKey], purpose: Purpose, typ: Type | None
) -> tuple[str, dict[str, Any]]:
    """The id of the key that signed a token, and the members of its payload, read only after the signature holds."""
    if len(token) > MAXIMUM_LENGTH or not _SHAPE.fullmatch(token):
        raise InvalidToken("shape")
    header = _header(token.partition(".")[0])
    if typ is not None and header.typ != typ:
        raise InvalidToken("header")
    key = keys.get(header.kid)
    if key is None or key.purpose != purpose or key.algorithm != header.alg:
        raise InvalidToken("key")
    # The token was read strictly already; PyJWT's own reading looks at each of its characters again, which takes as long as everything else here.
    signed, _, signature = token.rpartition(".")
    algorithm = _jws(key.algorithm).get_algorithm_by_name(key.algorithm)
    if algorithm.check_key_length(key.public_key) or not algorithm.verify(
        signed.encode("ascii"), key.public_key, _decoded(signature)
    ):
        raise InvalidToken("signature")
    try:
        return header.kid, strict_object(_decoded(signed.partition(".")[2]))
    except (ValueError, RecursionError):
        raise InvalidToken("claims") from None


def _decoded(part: str) -> bytes:
    """What a part of a token stands for (RFC 7515 appendix C). Raises InvalidToken."""
    try:
        return from_base64url(part)
    except ValueError:
        raise InvalidToken("signature") from None


def is_settled_by(token: str, keys: Mapping[str, VerifyingKey]) -> bool:
    """Whether these keys suffice to judge a token: it names one of them as its signer, or is no token of ours."""
    try:
        return len(token) > MAXIMUM_LENGTH or _header(token.partition(".")[0]).kid in keys
    except InvalidToken:
        return True


class _Ending(msgspec.Struct, frozen=True):
    exp: int


def says_it_is_over(token: str, now: datetime) -> bool:
    """Whether a token itself says that its time is over, so that its signature need not be looked at to refuse it. Never a reason to accept one."""
    try:
        said = from_json(from_base64url(token.split(".", 2)[1]), _Ending)
    except (ValueError, IndexError, RecursionError):
        return False
    return said.exp <= now.timestamp()


@functools.lru_cache(maxsize=64)
def _header(part: str) -> _Header:
    """The header that a token begins with; read once for all tokens of a key, since they all begin alike."""
    try:
        return convert(strict_object(from_base64url(part)), _Header)
    except (ValueError, RecursionError):  # bad base64, UTF-8, JSON and msgspec's ValidationError are all ValueErrors
        raise InvalidToken("header") from None


@functools.cache
def _jws(algorithm: str) -> PyJWS:
    """PyJWT's signature reader for one algorithm and no other; it refuses short keys."""
    from jwt import PyJWS

    return PyJWS(algorithms=[algorithm], options={"verify_signature": True, "enforce_minimum_key_length": True})
