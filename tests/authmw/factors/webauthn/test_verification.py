"""The two ceremonies, as they must be and as an attacker would have them: real authenticators, and the same ones told to lie."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw.crypto import tokens
from authmw.errors import Misconfigured, Refused
from authmw.factors.webauthn.answers import decode, read_assertion, read_attestation
from authmw.factors.webauthn.rules import Registrant, creation_options, request_options
from authmw.factors.webauthn.verification import Registered, Used, verify_assertion, verify_registration
from authmw.passkeys import RelyingParty
from authmw.testing import LIES, SIGN_IN_LIES, AttestationAuthority, Edits, SecurityFault, VirtualAuthenticator
from authmw.testing.lies import answers, flagged, says, with_another_bit

ORIGIN = "http://localhost:8000"
PARTY = RelyingParty("localhost", (ORIGIN,))
CHALLENGE = "Y" * 43
HANDLE = "aGFuZGxl"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNABLE, UNMADE = "unable_to_auth_webauthn_registration", "unable_to_register_webauthn_registration"


def creation(verification: Any = "preferred") -> str:
    return creation_options(
        domain=PARTY.domain,
        project="A project",
        challenge=CHALLENGE,
        registrant=Registrant(handle=HANDLE, name="ada", display_name="Ada"),
        known=(),
        authenticator_type=None,
        passkey=True,
        verification=verification,
        attested=False,
        base64url=True,
    )


def request() -> str:
    return request_options(domain=PARTY.domain, challenge=CHALLENGE, known=(), verification="preferred", base64url=True)


def register(
    device: VirtualAuthenticator,
    edits: Edits | None = None,
    *,
    roots: tuple[str, ...] = (),
    verified: bool = False,
    now: datetime = NOW,
) -> Registered:
    answer = read_attestation(device.register(creation(), origin=ORIGIN, edits=edits))
    return verify_registration(answer, PARTY, user_verification=verified, roots=roots, now=now)


def use(
    device: VirtualAuthenticator, registered: Registered, edits: Edits | None = None, *, named: bool = False
) -> Used:
    answer = read_assertion(device.authenticate(request(), origin=ORIGIN, edits=edits))
    return verify_assertion(answer, PARTY, key=registered.key, handle=HANDLE, named=named)


def refusal(act: Callable[..., object], *arguments: Any, **more: Any) -> str:
    with pytest.raises(Refused) as refused:
        act(*arguments, **more)
    return refused.value.error_type


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
@pytest.mark.parametrize("attestation", ["none", "self", "certificate"])
def test_what_is_kept_is_what_the_authenticator_said(algorithm: Any, attestation: Any) -> None:
    """A117, WAN-06."""
    device = VirtualAuthenticator(
        algorithm=algorithm, attestation=attestation, backup_eligible=True, backed_up=True, aaguid=b"m" * 16
    )
    made = register(device)
    key = made.key
    assert (key.backup_eligible, key.backed_up, key.user_verified) == (True, True, True)
    assert key.aaguid == "6d6d6d6d-6d6d-6d6d-6d6d-6d6d6d6d6d6d"
    assert key.attestation == ("none" if attestation == "none" else "packed")
    assert use(device, made) == Used(counter=1, backed_up=True, user_verified=True)
    device.verifies_users = False
    assert use(device, made).user_verified is False


def test_a_device_registered_for_one_key_signs_for_no_other() -> None:
    one, other = VirtualAuthenticator(), VirtualAuthenticator()
    register(one)
    assert refusal(use, one, register(other)) == UNABLE


def test_the_user_handle_may_be_missing_only_where_the_user_was_named() -> None:
    """A123, WAN-04 (WebAuthn section 7.2, step 6)."""
    device = VirtualAuthenticator()
    made = register(device)
    assert use(device, made, without("userHandle"), named=True)
    assert refusal(use, device, made, without("userHandle")) == UNABLE
    assert refusal(use, device, made, answers(userHandle="YQ"), named=True) == UNABLE


def without(name: str, *, inside: bool = True) -> Edits:
    def drop(answer: dict[str, Any]) -> dict[str, Any]:
        kept = answer["response"] if inside else answer
        left = {key: value for key, value in kept.items() if key != name}
        return {**answer, "response": left} if inside else left

    return Edits(answer=drop)


@pytest.mark.parametrize("lie", SIGN_IN_LIES)
def test_no_lie_of_the_testing_kit_is_taken(lie: str) -> None:
    device = VirtualAuthenticator()
    made = register(device)
    refusal(use, device, made, SIGN_IN_LIES[lie])
    if lie in LIES:
        refusal(register, VirtualAuthenticator(), LIES[lie])


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_a_forged_signature_is_never_the_right_one_by_chance(algorithm: Any) -> None:
    """One signature in 256 ends in a zero byte, so a forgery that only writes one there is at times no forgery; and none that is one is taken."""
    device = VirtualAuthenticator(algorithm=algorithm)
    made = register(device)
    for _ in range(100):
        refusal(use, device, made, Edits(signature=with_another_bit))


@given(st.binary(min_size=1, max_size=80) | st.binary(max_size=70).map(lambda start: start + b"\0"))
def test_a_changed_bit_changes_every_signature(signature: bytes) -> None:
    forged = with_another_bit(signature)
    assert forged != signature
    assert len(forged) == len(signature)


def test_user_verification_is_required_where_it_is_asked_for() -> None:
    """A121."""
    assert refusal(register, VirtualAuthenticator(verifies_users=False), verified=True) == UNMADE


ELSEWHERE = [
    "https://localhost:8000",
    "http://localhost",
    "http://localhost:8001",
    "http://sub.localhost:8000",
    "http://localhost:8000.evil.example",
    "http://localhost:8000/",
    "null",
    "android:apk-key-hash:" + "A" * 43,
    "HTTP://LOCALHOST:8000",
]
WRONG_CLIENT: list[Edits] = [
    *(says(origin=origin) for origin in ELSEWHERE),
    says(crossOrigin=True),
    says(crossOrigin="false"),
    says(topOrigin=ORIGIN),
]


@pytest.mark.parametrize("edits", [*WRONG_CLIENT, says(type="webauthn.create"), says(type="payment.get")])
def test_a_signature_made_for_another_page_signs_nobody_in(edits: Edits) -> None:
    """A118, A120, WAN-01, WAN-03."""
    device = VirtualAuthenticator()
    assert refusal(use, device, register(device), edits) == UNABLE


@pytest.mark.parametrize("edits", [*WRONG_CLIENT, says(type="webauthn.get")])
def test_a_passkey_made_on_another_page_is_not_registered(edits: Edits) -> None:
    """A118, A120."""
    assert refusal(register, VirtualAuthenticator(), edits) == UNMADE


def test_the_browser_itself_lets_no_page_use_a_foreign_domain() -> None:
    with pytest.raises(SecurityFault):
        VirtualAuthenticator().register(creation(), origin="https://evil.example")


WRONG_DATA: list[tuple[str, Edits]] = [
    ("rpIdHash", Edits(data=lambda data: bytes(32) + data[32:])),
    ("nobody present", flagged(off=0x01)),
    ("backed up though not eligible", flagged(on=0x10)),
    ("trailing bytes", Edits(data=lambda data: data + b"\0")),
    ("cut", Edits(data=lambda data: data[:36])),
    ("extensions said but not there", flagged(on=0x80)),
]
WRONG_ASSERTIONS: list[tuple[str, Edits]] = [
    *WRONG_DATA,
    ("eligible though registered as not", flagged(on=0x08)),
    ("attested data", flagged(on=0x40)),
    ("attested data there", Edits(data=lambda data: data[:32] + b"\x45" + data[33:] + bytes(16) + b"\0\x01a\xa0")),
    ("signature of nothing", Edits(signature=lambda one: b"\0")),
    ("another handle", answers(userHandle="YQ")),
    ("no handle", answers(userHandle=None)),
    ("empty handle", answers(userHandle="")),
]


@pytest.mark.parametrize("edits", [one for _, one in WRONG_ASSERTIONS], ids=[name for name, _ in WRONG_ASSERTIONS])
def test_broken_authenticator_data_signs_nobody_in(edits: Edits) -> None:
    """A119, A121, A123, A125."""
    device = VirtualAuthenticator()
    assert refusal(use, device, register(device), edits) == UNABLE


@pytest.mark.parametrize("edits", [one for _, one in WRONG_DATA], ids=[name for name, _ in WRONG_DATA])
def test_broken_authenticator_data_registers_nobody(edits: Edits) -> None:
    """A119, A121, A125."""
    assert refusal(register, VirtualAuthenticator(), edits) == UNMADE


def statement(**changes: Any) -> Edits:
    return Edits(attestation=lambda made: {**made, "attStmt": {**made["attStmt"], **changes}})


WRONG_ATTESTATIONS: list[tuple[str, str, Edits]] = [
    ("none with a statement", "none", statement(sig=b"x")),
    ("unknown format", "none", Edits(attestation=lambda made: {**made, "fmt": "made-up"})),
    ("a format that is not taken", "none", Edits(attestation=lambda made: {**made, "fmt": "android-safetynet"})),
    ("format of no text", "none", Edits(attestation=lambda made: {**made, "fmt": 1})),
    ("another algorithm", "self", statement(alg=-257)),
    ("a forged signature", "self", Edits(signature=with_another_bit)),
    ("no signature", "self", statement(sig=b"")),
    ("an unknown member", "self", statement(ver="2.0")),
    ("an empty chain", "certificate", statement(x5c=[])),
    ("a chain of nothing", "certificate", statement(x5c=[b"\0"])),
    ("a chain of text", "certificate", statement(x5c=["a"])),
    ("a fourth member", "none", Edits(attestation=lambda made: {**made, "more": 1})),
    ("trailing bytes", "none", Edits(attestation=lambda made: _cbor(made) + b"\0")),
    ("indefinite length", "none", Edits(attestation=lambda made: b"\xbf" + _cbor(made)[1:] + b"\xff")),
    ("no map", "none", Edits(attestation=lambda made: b"\x80")),
    ("deep nesting", "none", Edits(attestation=lambda made: b"\x81" * 30_000)),
    ("a huge length", "none", Edits(attestation=lambda made: b"\x5b" + b"\xff" * 8)),
]


def _cbor(value: Any) -> bytes:
    from webauthn.helpers import encode_cbor

    return encode_cbor(value)


@pytest.mark.parametrize(
    ("attestation", "edits"), [case[1:] for case in WRONG_ATTESTATIONS], ids=[case[0] for case in WRONG_ATTESTATIONS]
)
def test_a_malformed_attestation_registers_nobody(attestation: Any, edits: Edits) -> None:
    """A127, WAN-06, WAN-07."""
    assert refusal(register, VirtualAuthenticator(attestation=attestation), edits) == UNMADE


def test_a_certificate_that_is_not_of_an_authenticator_registers_nobody() -> None:
    """WebAuthn section 8.2.1."""
    authority = AttestationAuthority(unit="Somebody else")
    assert refusal(register, VirtualAuthenticator(attestation="certificate", authority=authority)) == UNMADE


def test_a_certificate_of_another_model_registers_nobody() -> None:
    """WebAuthn section 8.2.1: the model that the certificate names is the one that was made."""
    device = VirtualAuthenticator(attestation="certificate", aaguid=b"m" * 16)
    edits = Edits(data=lambda data: data[:37] + b"n" * 16 + data[53:])
    assert refusal(register, device, edits) == UNMADE


def raw(make: Callable[[dict[str, Any]], bytes]) -> Edits:
    return Edits(client=make)


def _json(said: dict[str, Any]) -> str:
    return json.dumps(said)


CLIENT_DATA: list[tuple[str, Edits, str]] = [
    ("byte order mark", raw(lambda said: b"\xef\xbb\xbf" + _json(said).encode()), ""),
    (
        "utf-16",
        raw(lambda said: _json(said).encode("utf-16")),
        "invalid_public_key_credential_malformed_client_data_json",
    ),
    (
        "twice a challenge",
        raw(lambda said: (_json(said)[:-1] + f', "challenge": "{said["challenge"]}"}}').encode()),
        "invalid_public_key_credential_malformed_client_data_json",
    ),
    ("padded challenge", says(challenge="A" * 43 + "="), "invalid_public_key_credential_malformed_client_data_json"),
    ("challenge of another spelling", raw(lambda said: _json({**said, "challenge": "A" * 42 + "B"}).encode()), UNABLE),
    ("challenge of no text", says(challenge=1), "invalid_public_key_credential_malformed_client_data_json"),
    ("no object", raw(lambda said: b"[]"), "invalid_public_key_credential_malformed_client_data_json"),
    ("not json", raw(lambda said: b"{"), "invalid_public_key_credential_malformed_client_data_json"),
    (
        "nan",
        raw(lambda said: (_json(said)[:-1] + ', "more": NaN}').encode()),
        "invalid_public_key_credential_malformed_client_data_json",
    ),
    (
        "deep",
        raw(lambda said: b'{"a":' * 1500 + b"1" + b"}" * 1500),
        "invalid_public_key_credential_malformed_client_data_json",
    ),
    ("what is to come", says(other_keys_can_be_added_here="as the standard says"), ""),
]


@pytest.mark.parametrize(("edits", "error"), [case[1:] for case in CLIENT_DATA], ids=[case[0] for case in CLIENT_DATA])
def test_client_data_is_read_in_one_way(edits: Edits, error: str) -> None:
    """A130: a byte order mark is dropped, as the standard says; what two parsers could read differently is refused."""
    device = VirtualAuthenticator()
    made = register(device)
    if error:
        assert refusal(use, device, made, edits) == error
    else:
        assert use(device, made, edits).user_verified


@pytest.mark.parametrize(
    ("edits", "error"),
    [
        (without("id", inside=False), "missing_id_field"),
        (without("response", inside=False), "missing_response_field"),
        (without("clientDataJSON"), "missing_client_data_json_field"),
        (without("authenticatorData"), "missing_authenticator_data_field"),
        (without("signature"), "missing_signature_field"),
        (Edits(answer=lambda said: {**said, "id": "a="}), "invalid_id"),
        (Edits(answer=lambda said: {**said, "rawId": "YQ"}), "invalid_id"),
        (Edits(answer=lambda said: {**said, "type": "password"}), ""),
        (Edits(answer=lambda said: {**said, "response": 1}), ""),
    ],
)
def test_what_is_missing_from_an_answer_is_named(edits: Edits, error: str) -> None:
    device = VirtualAuthenticator()
    expected = "invalid_public_key_credential" + (f"_{error}" if error else "")
    assert refusal(use, device, register(device), edits) == expected


def test_a_policy_admits_only_who_leads_to_its_roots_today() -> None:
    """A127, WAN-06."""
    maker, other = AttestationAuthority(begins=datetime(2025, 1, 1, tzinfo=UTC), days=400), AttestationAuthority()
    trusted = VirtualAuthenticator(attestation="certificate", authority=maker)
    roots = (other.root, maker.root)
    assert register(trusted, roots=roots).key.attestation == "packed"
    for late in (datetime(2024, 12, 31, tzinfo=UTC), datetime(2026, 2, 6, tzinfo=UTC)):
        assert refusal(register, trusted, roots=roots, now=late) == UNMADE
    assert refusal(register, trusted, roots=(other.root,)) == UNMADE
    for attestation in ("none", "self"):
        assert refusal(register, VirtualAuthenticator(attestation=attestation), roots=roots) == UNMADE


@given(where=st.integers(0, 5000), bit=st.integers(0, 7), part=st.sampled_from(["attestationObject", "clientDataJSON"]))
@settings(max_examples=150, deadline=None)
def test_no_flipped_bit_of_an_attested_registration_passes(where: int, bit: int, part: str) -> None:
    def flip(answer: dict[str, Any]) -> dict[str, Any]:
        data = bytearray(base64.urlsafe_b64decode(answer["response"][part] + "=="))
        data[where % len(data)] ^= 1 << bit
        text = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        return {**answer, "response": {**answer["response"], part: text}}

    with pytest.raises(Refused):
        register(VirtualAuthenticator(attestation="self"), Edits(answer=flip))


@given(data=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_hostile_bytes_are_refused_and_raise_nothing_else(data: bytes) -> None:
    """WAN-07."""
    text = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    device = VirtualAuthenticator()
    made = register(device)

    def put(*names: str) -> Edits:
        return Edits(answer=lambda answer: {**answer, "response": {**answer["response"], **dict.fromkeys(names, text)}})

    for act in (
        lambda: register(VirtualAuthenticator(), put("attestationObject")),
        lambda: register(VirtualAuthenticator(), Edits(data=lambda _: data)),
        lambda: register(VirtualAuthenticator(), Edits(data=lambda good: good[:55] + data)),
        lambda: use(device, made, put("authenticatorData")),
        lambda: use(device, made, put("signature")),
        lambda: use(device, made, put("clientDataJSON")),
    ):
        with pytest.raises(Refused):
            act()


@given(
    text=st.text(max_size=200)
    | st.recursive(
        st.none() | st.text(max_size=5),
        lambda some: (
            st.lists(some, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "signature", "userHandle"]),
                some,
                max_size=4,
            )
        ),
        max_leaves=10,
    ).map(json.dumps)
)
def test_whatever_is_no_answer_is_refused(text: str) -> None:
    for read in (read_attestation, read_assertion):
        assert refusal(read, text).startswith("invalid_public_key_credential")


def test_a_library_that_is_not_there_is_named_and_not_blamed_on_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = read_attestation(VirtualAuthenticator().register(creation(), origin=ORIGIN))
    monkeypatch.setitem(sys.modules, "webauthn.helpers", None)
    with pytest.raises(Misconfigured, match=r"authmw\[passkeys\]"):
        verify_registration(answer, PARTY, user_verification=False, roots=(), now=NOW)


CORPUS = json.loads((Path(__file__).parents[3] / "corpus" / "webauthn_vectors.json").read_text())["cases"]
W3C = RelyingParty("example.org", ("https://example.org",))


def of_the_standard(case: dict[str, Any], part: str, **fields: str) -> str:
    """A vector as the browser would have answered."""
    credential = tokens.base64url(bytes.fromhex(case["credential_id"]))
    response = {name: tokens.base64url(bytes.fromhex(case[part][key])) for name, key in fields.items()}
    return json.dumps({"id": credential, "rawId": credential, "type": "public-key", "response": response})


@pytest.mark.parametrize("case", CORPUS, ids=[case["name"] for case in CORPUS])
def test_the_vectors_of_the_standard_are_judged_as_they_should_be(case: dict[str, Any]) -> None:
    """WebAuthn Level 3, section 16."""
    attestation = read_attestation(
        of_the_standard(case, "registration", clientDataJSON="client_data", attestationObject="attestation_object")
    )
    assertion = read_assertion(
        of_the_standard(
            case,
            "assertion",
            clientDataJSON="client_data",
            authenticatorData="authenticator_data",
            signature="signature",
        )
    )
    for answer, part in ((attestation, "registration"), (assertion, "assertion")):
        assert decode(answer.client.challenge) == bytes.fromhex(case[part]["challenge"])
    if case["verdict"] == "reject":
        assert refusal(verify_registration, attestation, W3C, user_verification=False, roots=(), now=NOW) == UNMADE
        return
    made = verify_registration(attestation, W3C, user_verification=False, roots=(), now=NOW)
    used = verify_assertion(assertion, W3C, key=made.key, handle=HANDLE, named=True)
    assert (used.counter, used.backed_up) == (0, bool(assertion.authenticator_data[32] & 0x10))
