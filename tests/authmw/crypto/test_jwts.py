"""Session JWTs: TOK-04 to TOK-07; what the corpus of attacks does not hold."""

from __future__ import annotations

import base64
import functools
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from authmw.crypto import jwts, signing
from authmw.crypto.jwts import ORGANIZATION_CLAIM, SESSION_CLAIM, ExpiredToken, InvalidToken
from authmw.crypto.signing import Algorithm, PublicKey, SigningKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ISSUER, AUDIENCE = "stytch.com/project-test-1", "project-test-1"
SESSION: dict[str, Any] = {
    "id": "session-test-1",
    "started_at": "2026-01-01T00:00:00Z",
    "last_accessed_at": "2026-01-01T00:00:00Z",
    "expires_at": "2026-01-01T01:00:00Z",
    "attributes": {"ip_address": "203.0.113.7", "user_agent": "Mozilla"},
    "authentication_factors": [{"type": "otp", "email_factor": {"email_address": "ada@example.org"}}],
    "roles": ["stytch_user"],
    "epoch": 3,
    "organization_epoch": 4,
    "mfa": True,
}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": [AUDIENCE],
    "sub": "user-test-1",
    "iat": SECONDS,
    "nbf": SECONDS,
    "exp": SECONDS + 300,
    SESSION_CLAIM: SESSION,
}


@attrs.frozen
class PublicHalf:
    """A key as somebody holds it who cannot sign."""

    public_key: PublicKey
    algorithm: str = "RS256"
    purpose: str = "session"


@functools.cache
def key_of(algorithm: Algorithm = "RS256", purpose: signing.Purpose = "session") -> SigningKey:
    return signing.generate("test", NOW, algorithm, purpose=purpose)


def verify(token: str, key: SigningKey | None = None, **changes: Any) -> jwts.VerifiedClaims:
    key = key or key_of()
    arguments: dict[str, Any] = {"issuers": (ISSUER,), "audience": AUDIENCE, "now": NOW} | changes
    return jwts.verify(token, {key.kid: key}, **arguments)


def signed(key: SigningKey | None = None, /, **changes: Any) -> str:
    return jwts.sign(key or key_of(), CLAIMS | changes)


def signed_text(payload: str | bytes, header: str | bytes | None = None) -> str:
    """A token with a good signature over any text at all, as somebody might make who has our key and another library."""
    key = key_of()
    octets = payload.encode() if isinstance(payload, str) else payload
    head = header if header is not None else json.dumps({"alg": "RS256", "kid": key.kid, "typ": "JWT"})
    signing_input = ".".join(unpadded(part) for part in (head.encode() if isinstance(head, str) else head, octets))
    algorithm = jwt.get_algorithm_by_name("RS256")
    return f"{signing_input}.{unpadded(algorithm.sign(signing_input.encode(), key.private_key))}"


def unpadded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def refused(token: str, **changes: Any) -> str:
    with pytest.raises(InvalidToken) as refusal:
        verify(token, **changes)
    return refusal.value.reason_code


# What a good token says


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_signed_token_says_what_was_signed(algorithm: Algorithm) -> None:
    key = key_of(algorithm)
    claims = verify(signed(key, tenant={"tier": [1, 2.5]}, jti="x"), key)
    assert claims.subject_id == "user-test-1"
    assert claims.kid == key.kid
    assert claims.issued_at == NOW
    assert claims.expires_at == NOW + timedelta(seconds=300)
    assert claims.organization is None
    assert claims.custom == {"tenant": {"tier": [1, 2.5]}}
    session = claims.session
    assert {name: getattr(session, name) for name in SESSION} == SESSION


def test_the_header_is_what_official_clients_insist_on() -> None:
    assert jwt.get_unverified_header(signed()) == {"alg": "RS256", "kid": key_of().kid, "typ": "JWT"}


def test_another_library_accepts_our_token_by_our_published_key() -> None:
    key = key_of()
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    read = jwt.decode(
        signed(), jwt.PyJWK(key.public_jwk()), algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER, options=options
    )
    assert read == CLAIMS


def test_a_member_of_an_organization_is_told_apart() -> None:
    claims = verify(signed(**{ORGANIZATION_CLAIM: {"organization_id": "organization-test-1", "slug": "ada", "new": 1}}))
    assert claims.organization is not None
    assert (claims.organization.organization_id, claims.organization.slug) == ("organization-test-1", "ada")
    assert claims.custom == {}


def test_unknown_members_of_the_session_claim_are_left_out() -> None:
    assert verify(signed(**{SESSION_CLAIM: SESSION | {"tomorrow": [1]}})).session.id == "session-test-1"


def test_a_session_that_does_not_say_so_has_not_satisfied_mfa() -> None:
    bare = {name: SESSION[name] for name in ("id", "started_at", "last_accessed_at", "expires_at")}
    session = verify(signed(**{SESSION_CLAIM: bare})).session
    assert (session.mfa, session.epoch, session.organization_epoch, session.roles) == (False, 0, 0, [])


def test_claims_show_no_address_and_no_custom_value() -> None:
    shown = repr(verify(signed(diagnosis="private")))
    assert "ada@example.org" not in shown
    assert "203.0.113.7" not in shown
    assert "private" not in shown
    assert "session-test-1" in shown


def test_every_accepted_issuer_is_accepted_and_no_part_of_one() -> None:
    token = signed()
    assert verify(token, issuers=["https://auth.example.org", ISSUER]).subject_id == "user-test-1"
    assert verify(token, issuers=ISSUER).subject_id == "user-test-1"
    assert refused(token, issuers=f"{ISSUER}/more") == "issuer"
    assert refused(token, issuers=()) == "issuer"


# Time


def test_a_token_is_dead_at_its_end() -> None:
    token = signed()
    assert verify(token, now=NOW + timedelta(seconds=299, microseconds=999_999)).subject_id == "user-test-1"
    for late in (timedelta(seconds=300), timedelta(seconds=301), timedelta(days=300)):
        with pytest.raises(ExpiredToken) as refusal:
            verify(token, now=NOW + late)
        assert refusal.value.reason_code == "expired"


def test_an_expired_token_is_accepted_where_it_is_renewed() -> None:
    claims = verify(signed(), now=NOW + timedelta(days=20), allow_expired=True)
    assert claims.session.id == "session-test-1"


def test_an_expired_token_by_another_key_is_refused_where_it_is_renewed() -> None:
    stranger = attrs.evolve(key_of("RS256", "access"), kid=key_of().kid, purpose="session")
    assert refused(signed(stranger), now=NOW + timedelta(days=20), allow_expired=True) == "signature"


def test_a_session_that_is_over_is_over_though_its_token_lives() -> None:
    ending = signed(**{SESSION_CLAIM: SESSION | {"expires_at": "2026-01-01T00:01:00Z"}})
    claims = verify(ending, now=NOW + timedelta(seconds=59))
    assert claims.expires_at == NOW + timedelta(seconds=60)
    with pytest.raises(ExpiredToken) as refusal:
        verify(ending, now=NOW + timedelta(seconds=60))
    assert refusal.value.reason_code == "session_over"
    assert verify(ending, now=NOW + timedelta(seconds=60), allow_expired=True).session.id == "session-test-1"


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_may_begin_a_minute_ahead_and_not_more(claim: str) -> None:
    assert verify(signed(**{claim: SECONDS + 60, "exp": SECONDS + 300})).subject_id == "user-test-1"
    assert refused(signed(**{claim: SECONDS + 61, "exp": SECONDS + 300})) == "not_yet"
    assert refused(signed(**{claim: SECONDS + 1, "exp": SECONDS + 300}), leeway=0) == "not_yet"
    assert refused(signed(**{claim: SECONDS + 61, "exp": SECONDS + 300}), allow_expired=True) == "not_yet"


def test_a_token_lives_five_minutes_at_most() -> None:
    assert refused(signed(exp=SECONDS + 301)) == "lifetime"
    assert refused(signed(exp=SECONDS)) == "lifetime"
    assert refused(signed(exp=SECONDS + 301), allow_expired=True) == "lifetime"
    assert verify(signed(exp=SECONDS + 3600), max_lifetime=3600).subject_id == "user-test-1"


def test_a_naive_time_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="aware time"):
        verify(signed(), now=NOW.replace(tzinfo=None))


@given(st.integers(-400, 400), st.integers(-100, 100), st.integers(-100, 100), st.integers(-10, 400))
def test_a_token_is_good_in_its_window_and_nowhere_else(at: int, iat: int, nbf: int, life: int) -> None:
    token = signed_once(iat, nbf, life)
    good = 0 < life <= 300 and at < iat + life and iat <= at + 60 and nbf <= at + 60
    try:
        verify(token, key_of("ES256"), now=NOW + timedelta(seconds=at))
    except InvalidToken:
        assert not good
    else:
        assert good


def signed_once(iat: int, nbf: int, life: int) -> str:
    return signed(key_of("ES256"), iat=SECONDS + iat, nbf=SECONDS + nbf, exp=SECONDS + iat + life)


# What is refused beyond the corpus


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", [True, "1767225600", 1767225600.0, 2**53, 2**63 - 1, -1, 0, None, [1], {}, 253_402_300_800]
)
def test_a_time_is_a_whole_number_that_a_date_can_hold(claim: str, value: object) -> None:
    assert refused(signed(**{claim: value})) in {"claims", "lifetime"}


@pytest.mark.parametrize(
    "number", ["1e3", "1767225900.0", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "9" * 5000]
)
def test_no_unusual_spelling_of_a_number_passes_for_a_time(number: str) -> None:
    text = json.dumps(CLAIMS).replace(f'"exp": {SECONDS + 300}', f'"exp": {number}')
    assert refused(signed_text(text)) == "claims"


@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity"])
def test_no_number_in_a_custom_claim_is_infinite(number: str) -> None:
    assert refused(signed_text(json.dumps(CLAIMS)[:-1] + f', "tier": {number}}}')) == "claims"


@pytest.mark.parametrize(
    "member", ['"sub": "admin"', '"exp": 9999999999', '"tier": 1, "tier": 2', '"tier": {"a": 1, "a": 2}']
)
def test_a_member_given_twice_is_refused_at_any_depth(member: str) -> None:
    assert refused(signed_text(json.dumps(CLAIMS)[:-1] + f", {member}}}")) == "claims"
    assert refused(signed_text(f"{{{member}, " + json.dumps(CLAIMS)[1:])) == "claims"


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "[]",
        '"text"',
        "1",
        "{",
        "{}x",
        "\ufeff{}",
        "[" * 6_000,
        '{"a":' * 2_000,
        b"\xff\xfe{\x00",
        b"{}\xff",
    ],
)
def test_a_payload_that_is_not_one_plain_object_is_refused(payload: str | bytes) -> None:
    assert refused(signed_text(payload)) in {"claims", "shape"}


@pytest.mark.parametrize(
    "change", [{"iss": ["x"]}, {"sub": ""}, {"sub": True}, {"aud": [AUDIENCE, AUDIENCE]}, {"aud": []}]
)
def test_a_registered_claim_of_another_form_is_refused(change: dict[str, object]) -> None:
    assert refused(signed(**change)) in {"claims", "audience"}


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": 1},
        {"expires_at": "soon"},
        {"expires_at": "2026-02-31T00:00:00Z"},
        {"expires_at": "2026-01-01T01:00:00+09:00"},
        {"started_at": "2026-01-01"},
        {"started_at": "2026-01-01T00:00:00Z\n"},
        {"last_accessed_at": 1},
        {"epoch": True},
        {"epoch": -1},
        {"epoch": "3"},
        {"organization_epoch": 1.5},
        {"mfa": "yes"},
        {"mfa": 1},
        {"roles": "admin"},
        {"roles": [1]},
        {"authentication_factors": {}},
        {"attributes": []},
    ],
)
def test_a_session_claim_of_another_form_is_refused(change: dict[str, object]) -> None:
    assert refused(signed(**{SESSION_CLAIM: SESSION | change})) == "claims"


@pytest.mark.parametrize("value", [None, "session-test-1", [], {}])
def test_a_token_without_a_session_is_no_session(value: object) -> None:
    assert refused(signed(**{SESSION_CLAIM: value})) == "claims"


@pytest.mark.parametrize("value", ["organization-test-1", {}, {"organization_id": ""}, {"organization_id": 1}])
def test_an_organization_claim_of_another_form_is_refused(value: object) -> None:
    assert refused(signed(**{ORGANIZATION_CLAIM: value})) == "claims"


@pytest.mark.parametrize(
    "member",
    [
        '"crit": ["exp"], "exp": 1',
        '"crit": []',
        '"b64": false, "crit": ["b64"]',
        '"b64": true',
        '"jku": "https://evil.example/jwks.json"',
        '"x5u": "https://evil.example/x5u"',
        '"zip": "DEF"',
        '"typ": "JWT"',
        '"alg": "RS256"',
    ],
)
def test_a_header_that_says_more_than_ours_is_refused(member: str) -> None:
    header = json.dumps({"alg": "RS256", "kid": key_of().kid, "typ": "JWT"})[:-1] + f", {member}}}"
    assert refused(signed_text(json.dumps(CLAIMS), header)) == "header"


@pytest.mark.parametrize("header", ["", "[]", "null", "{", b"\xff", '{"alg":' * 500, "A"])
def test_a_header_that_is_not_one_plain_object_is_refused(header: str | bytes) -> None:
    assert refused(signed_text(json.dumps(CLAIMS), header)) in {"header", "shape"}


def test_a_header_that_is_not_base64_is_refused() -> None:
    assert refused(f"A.{signed().partition('.')[2]}") == "header"


@pytest.mark.parametrize("kid", ["k" * 65, "k1\n", "k1 ", "ключ", "k.1"])
def test_a_key_id_of_another_alphabet_is_refused_even_if_the_map_holds_it(kid: str) -> None:
    header = json.dumps({"alg": "RS256", "kid": kid, "typ": "JWT"})
    with pytest.raises(InvalidToken) as refusal:
        jwts.verify(
            signed_text(json.dumps(CLAIMS), header),
            {kid: PublicHalf(key_of().public_key)},
            issuers=ISSUER,
            audience=AUDIENCE,
            now=NOW,
        )
    assert refusal.value.reason_code == "header"


def test_a_key_of_another_algorithm_does_not_verify() -> None:
    token = signed(key_of("ES256"))
    renamed = PublicHalf(key_of("ES256").public_key, algorithm="RS256")
    with pytest.raises(InvalidToken) as refusal:
        jwts.verify(token, {key_of("ES256").kid: renamed}, issuers=ISSUER, audience=AUDIENCE, now=NOW)
    assert refusal.value.reason_code == "key"


@pytest.mark.parametrize("purpose", ["access", "identity"])
def test_a_token_by_a_key_of_another_purpose_is_no_session(purpose: signing.Purpose) -> None:
    key = key_of("ES256", purpose)
    with pytest.raises(InvalidToken) as refusal:
        verify(signed(key), key)
    assert refusal.value.reason_code == "key"


def test_a_short_rsa_key_verifies_nothing() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = jwt.PyJWS().encode(json.dumps(CLAIMS).encode(), short, algorithm="RS256", headers={"kid": "k1"})
    with pytest.raises(InvalidToken) as refusal:
        jwts.verify(token, {"k1": PublicHalf(short.public_key())}, issuers=ISSUER, audience=AUDIENCE, now=NOW)
    assert refusal.value.reason_code == "signature"


def test_a_token_over_16_kib_is_refused_before_it_is_read() -> None:
    assert refused(signed(filler="x" * 12_500)) == "shape"
    assert verify(signed(filler="x" * 8_000)).subject_id == "user-test-1"


@given(st.text(st.sampled_from("AZaz09-_.="), max_size=80) | st.text(max_size=80))
def test_no_text_brings_out_another_error(text: str) -> None:
    with pytest.raises(InvalidToken):
        verify(text)


@given(st.data())
def test_one_changed_character_never_makes_another_good_token(data: st.DataObject) -> None:
    token = signed_once(0, 0, 300)
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from("AQgw09-_.x").filter(lambda one: one != token[position]))
    with pytest.raises(InvalidToken):
        verify(token[:position] + character + token[position + 1 :], key_of("ES256"))


# Tokens that are no sessions


def test_an_access_token_is_read_by_its_own_purpose() -> None:
    key = key_of("ES256", "access")
    members = {name: value for name, value in CLAIMS.items() if name != SESSION_CLAIM}
    members |= {"sub": "m2m-client-test-1", "exp": SECONDS + 3600, "scope": "read:all"}
    token = jwts.sign(key, members)
    claims = jwts.verify_claims(
        token, {key.kid: key}, purpose="access", issuers=ISSUER, audience=AUDIENCE, now=NOW, max_lifetime=3600
    )
    assert (claims.subject_id, claims.kid, claims.members["scope"]) == ("m2m-client-test-1", key.kid, "read:all")
    assert (claims.issued_at, claims.expires_at) == (NOW, NOW + timedelta(hours=1))
    assert "read:all" not in repr(claims)


def test_a_session_token_is_no_access_token() -> None:
    with pytest.raises(InvalidToken) as refusal:
        jwts.verify_claims(
            signed(), {key_of().kid: key_of()}, purpose="access", issuers=ISSUER, audience=AUDIENCE, now=NOW
        )
    assert refusal.value.reason_code == "key"


# Start-up


def test_importing_this_room_loads_no_heavy_library() -> None:
    program = (
        "import sys, authmw.crypto.jwts, authmw.crypto.sealing, authmw.crypto.signing\n"
        "from authmw.crypto.roots import RootKeys\n"
        "RootKeys((b'x' * 32,)).token('purpose', 'part')\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'jwt', 'cryptography'}])"
    )
    root = Path(jwts.__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_signature_that_is_no_base64_is_none(cut: int) -> None:
    """RFC 7515 appendix C: a part of one character more than whole groups stands for nothing."""
    with pytest.raises(InvalidToken) as refused:
        verify(signed()[:-cut])
    assert refused.value.reason_code == "signature"
