"""Users arrive with the hashes of another system: each verifies as it did there, and is one of ours after the first sign-in."""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from pathlib import Path
from typing import Any, Literal

import argon2
import bcrypt
import pytest

from authmw.crypto.passwords import read_argon2
from authmw.people.records import User
from tests.stories.test_passwords import (
    ADA,
    AUTHENTICATE,
    CORPUS,
    CREATE,
    FIRST,
    SECOND,
    hash_of,
    owned,
    pair,
    prove,
    refused,
)
from tests.world import World, make_world

MIGRATE = "/v1/passwords/migrate"
FOREIGN = json.loads((Path(__file__).parents[1] / "corpus" / "foreign_hashes.json").read_text())
SALT = base64.b64encode(b"0123456789abcdef").decode()


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def request_of(case: dict[str, Any]) -> dict[str, Any]:
    """A hash of the corpus as a backend would send it."""
    kept, scheme = case["stored"], case["scheme"]
    names = {"md5": "md_5", "sha1": "sha_1", "sha512": "sha_512"}
    if scheme in names:
        salts = {"prepend_salt": kept["prepend_salt"], "append_salt": kept["append_salt"]}
        return {"hash": kept["hash_hex"], "hash_type": names[scheme], f"{names[scheme]}_config": salts}
    if scheme in {"bcrypt", "phpass"}:
        return {"hash": kept, "hash_type": scheme}
    if scheme == "django_pbkdf2":
        return {"hash": kept, "hash_type": "pbkdf_2"}
    if scheme.startswith("argon2"):
        return {"hash": kept, "hash_type": "argon_2i" if scheme == "argon2i" else "argon_2id"}
    salt, key = bytes.fromhex(kept["salt_hex"]), bytes.fromhex(kept["hash_hex"])
    config: dict[str, Any] = {"salt": b64(salt), "key_length": len(key)}
    if scheme == "scrypt":
        config |= {"n_parameter": kept["n"], "r_parameter": kept["r"], "p_parameter": kept["p"]}
        return {"hash": b64(key), "hash_type": "scrypt", "scrypt_config": config}
    config |= {"iteration_amount": kept["iterations"], "algorithm": kept["digest"]}
    return {"hash": b64(key), "hash_type": "pbkdf_2", "pbkdf_2_config": config}


@pytest.fixture
def memory(tmp_path: Path) -> World:
    """One corner is enough where the cases are many and the store is not what they are about."""
    return make_world(tmp_path, "asgi")


def storable(case: dict[str, Any]) -> bool:
    """Whether the wire can carry its password: text of Unicode without NUL."""
    try:
        return "\0" not in bytes.fromhex(case["password_hex"]).decode()
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("case", [one for one in CORPUS["migration"] if storable(one)], ids=lambda case: case["id"])
def test_a_hash_of_the_corpus_signs_in_as_its_source_did_and_becomes_ours(memory: World, case: dict[str, Any]) -> None:
    """A051, A054, PWD-02, PWD-03."""
    typed = bytes.fromhex(case["password_hex"]).decode()
    arrived = memory.backend("POST", MIGRATE, {"email": ADA, "set_email_verified": True, **request_of(case)})
    if arrived.status == 400:
        assert not case["verifies"]
        return
    assert arrived.json["user_created"] is True
    answer = memory.backend("POST", AUTHENTICATE, pair(typed))
    assert (answer.status == 200) == case["verifies"], answer.json
    kept = hash_of(memory, arrived.json["user_id"])
    if not case["verifies"]:
        return
    found = read_argon2(kept.text)
    assert (found.kind, found.memory_kib >= 19_456, kept.digest) == ("argon2id", True, "")
    assert memory.backend("POST", AUTHENTICATE, pair(typed)).status == 200
    after = case.get("after")
    if after:
        again = memory.backend("POST", AUTHENTICATE, pair(after["password"]))
        assert (again.status == 200) == after["verifies"]


@pytest.mark.parametrize("kind", ["argon2i", "argon2id", "bcrypt", "md5"])
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC"])
def test_a_hash_of_what_was_typed_verifies_what_is_typed_in_whichever_form_of_unicode(
    memory: World, kind: str, form: Literal["NFC", "NFD", "NFKC"]
) -> None:
    """PWD-02, PWD-03: the source normalised nothing, and so does the comparison; any other form of it is another password there."""
    typed = unicodedata.normalize(form, "Zoë's ﬁne Ångström 42")
    if kind == "bcrypt":
        body = {"hash": bcrypt.hashpw(typed.encode(), bcrypt.gensalt(4)).decode(), "hash_type": "bcrypt"}
    elif kind == "md5":
        body = {"hash": hashlib.md5(typed.encode()).hexdigest(), "hash_type": "md_5"}
    else:
        which = argon2.Type.I if kind == "argon2i" else argon2.Type.ID
        made = argon2.PasswordHasher(time_cost=2, memory_cost=1024, parallelism=1, type=which).hash(typed)
        body = {"hash": made, "hash_type": "argon_2i" if kind == "argon2i" else "argon_2id"}
    assert memory.backend("POST", MIGRATE, {"email": ADA, **body}).status == 200
    other = unicodedata.normalize("NFKD", typed)
    refused(memory.backend("POST", AUTHENTICATE, pair(other)), 401, "unauthorized_credentials")
    assert memory.backend("POST", AUTHENTICATE, pair(typed)).status == 200


@pytest.mark.parametrize(
    "vector",
    [one for one in FOREIGN["vectors"] if "\0" not in one["password"]],
    ids=lambda vector: ascii(vector["password"])[:20],
)
@pytest.mark.parametrize("kind", ["argon2i", "argon2id"])
def test_an_argon2_hash_is_taken_in_its_parts(memory: World, vector: dict[str, str], kind: str) -> None:
    """The vectors were made by node's crypto; base64 and hexadecimal are told apart by the length that is given."""
    key = base64.b64decode(vector[kind])
    config = {"salt": FOREIGN["salt"], "iteration_amount": 3, "memory": 256, "threads": 2, "key_length": len(key)}
    hash_type = "argon_2i" if kind == "argon2i" else "argon_2id"
    for place, text in enumerate((b64(key), key.hex())):
        email = f"user{place}@example.org"
        body = {"email": email, "hash": text, "hash_type": hash_type, "argon_2_config": config}
        assert memory.backend("POST", MIGRATE, body).status == 200
        assert memory.backend("POST", AUTHENTICATE, pair(vector["password"], email)).status == 200


@pytest.mark.parametrize("hash_type", ["md_5", "sha_1", "sha_512"])
def test_a_fast_hash_rests_under_argon2id_from_the_first_moment(world: World, hash_type: str) -> None:
    """PWD-02: no dump holds what can be guessed fast."""
    digest = hashlib.new(hash_type.replace("_", ""), f"pre{FIRST}post".encode()).hexdigest()
    config = {"prepend_salt": "pre", "append_salt": "post"}
    body = {"email": ADA, "hash": digest.upper(), "hash_type": hash_type, f"{hash_type}_config": config}
    user_id = world.backend("POST", MIGRATE, body).json["user_id"]
    kept = hash_of(world, user_id)
    assert kept.text.startswith("$argon2id$")
    assert kept.digest != ""
    assert digest not in kept.text
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200
    assert hash_of(world, user_id).digest == ""


ARGON2 = {"salt": SALT, "iteration_amount": 2, "memory": 1024, "threads": 1, "key_length": 32}
SCRYPT = {"salt": SALT, "n_parameter": 1024, "r_parameter": 8, "p_parameter": 1, "key_length": 32}
PBKDF2 = {"salt": SALT, "iteration_amount": 1000, "key_length": 32, "algorithm": "sha256"}
KEY = b64(b"k" * 32)
UNUSABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "bcrypt": ("invalid_bcrypt_hash", {"hash": "$2x$05$" + "a" * 53, "hash_type": "bcrypt"}),
    "bcrypt too dear": ("invalid_bcrypt_hash", {"hash": "$2b$31$" + "a" * 53, "hash_type": "bcrypt"}),
    "phpass": ("invalid_phpass_hash_format", {"hash": "$P$Z" + "a" * 30, "hash_type": "phpass"}),
    "md5": ("invalid_md_5_hash", {"hash": "a" * 31, "hash_type": "md_5"}),
    "sha1": ("invalid_sha_1_hash", {"hash": "g" * 40, "hash_type": "sha_1"}),
    "sha512": ("invalid_sha_512_hash", {"hash": "a" * 64, "hash_type": "sha_512"}),
    "argon2 salt": ("invalid_argon_2_salt", {"hash": KEY, "hash_type": "argon_2id", "argon_2_config": ARGON2 | {"salt": "?"}}),
    "argon2 short salt": ("invalid_argon_2_salt", {"hash": KEY, "hash_type": "argon_2id", "argon_2_config": ARGON2 | {"salt": "AAAA"}}),
    "argon2 length": ("argon_2_key_length_mismatch", {"hash": KEY, "hash_type": "argon_2id", "argon_2_config": ARGON2 | {"key_length": 31}}),
    "argon2 hex": ("argon_2_key_length_mismatch", {"hash": "zz" * 32, "hash_type": "argon_2id", "argon_2_config": ARGON2}),
    "argon2 memory": ("invalid_hash", {"hash": KEY, "hash_type": "argon_2id", "argon_2_config": ARGON2 | {"memory": 2**31 - 1}}),
    "argon2 of another kind": ("invalid_hash", {"hash": "$argon2i$v=19$m=1024,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43, "hash_type": "argon_2id"}),
    "argon2d": ("invalid_hash", {"hash": "$argon2d$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43, "hash_type": "argon_2id"}),
    "scrypt without parameters": ("invalid_hash", {"hash": KEY, "hash_type": "scrypt"}),
    "scrypt N": ("invalid_scrypt_n_parameter", {"hash": KEY, "hash_type": "scrypt", "scrypt_config": SCRYPT | {"n_parameter": 1000}}),
    "scrypt N large": ("invalid_scrypt_n_parameter", {"hash": KEY, "hash_type": "scrypt", "scrypt_config": SCRYPT | {"n_parameter": 2**19}}),
    "scrypt r": ("invalid_scrypt_parameters", {"hash": KEY, "hash_type": "scrypt", "scrypt_config": SCRYPT | {"r_parameter": 33}}),
    "scrypt salt": ("invalid_base64_scrypt_salt", {"hash": KEY, "hash_type": "scrypt", "scrypt_config": SCRYPT | {"salt": "*"}}),
    "scrypt hash": ("invalid_base64_scrypt_hash", {"hash": "*", "hash_type": "scrypt", "scrypt_config": SCRYPT}),
    "scrypt length": ("scrypt_key_length_mismatch", {"hash": KEY, "hash_type": "scrypt", "scrypt_config": SCRYPT | {"key_length": 64}}),
    "pbkdf2 rounds": ("invalid_pbkdf_2_iteration_amount", {"hash": KEY, "hash_type": "pbkdf_2", "pbkdf_2_config": PBKDF2 | {"iteration_amount": 5_000_001}}),
    "pbkdf2 algorithm": ("invalid_pbkdf_2_algorithm", {"hash": KEY, "hash_type": "pbkdf_2", "pbkdf_2_config": PBKDF2 | {"algorithm": "md5"}}),
    "pbkdf2 salt": ("invalid_pbkdf_2_salt", {"hash": KEY, "hash_type": "pbkdf_2", "pbkdf_2_config": PBKDF2 | {"salt": ""}}),
    "pbkdf2 hash": ("invalid_pbkdf_2_hash", {"hash": "*", "hash_type": "pbkdf_2", "pbkdf_2_config": PBKDF2}),
    "pbkdf2 short": ("invalid_pbkdf_2_hash", {"hash": b64(b"k"), "hash_type": "pbkdf_2", "pbkdf_2_config": PBKDF2 | {"key_length": 1}}),
    "pbkdf2 length": ("pbkdf_2_key_length_mismatch", {"hash": KEY, "hash_type": "pbkdf_2", "pbkdf_2_config": PBKDF2 | {"key_length": 20}}),
    "pbkdf2 not encoded": ("invalid_pbkdf_2_hash", {"hash": "pbkdf2_sha256$1$$aaaa", "hash_type": "pbkdf_2"}),
    "no such kind": ("invalid_hash_type", {"hash": KEY, "hash_type": "rot13"}),
    "a negative number": ("invalid_scrypt_n_parameter", {"hash": KEY, "hash_type": "scrypt", "scrypt_config": SCRYPT | {"n_parameter": -1}}),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_hash_that_cannot_be_used_is_refused_by_name_and_makes_nobody(memory: World, name: str) -> None:
    """PWD-07."""
    error_type, body = UNUSABLE[name]
    answer = memory.backend("POST", MIGRATE, {"email": ADA, **body})
    refused(answer, 400, error_type)
    assert body["hash"] not in answer.json["error_message"]
    assert memory.backend("POST", "/v1/users/search", {}).json["results"] == []


def test_what_comes_beside_the_hash_is_kept(world: World) -> None:
    digest = hashlib.sha1(FIRST.encode()).hexdigest()
    body = {
        "email": "Ada@Example.org",
        "hash": digest,
        "hash_type": "sha_1",
        "set_email_verified": True,
        "name": {"first_name": "Ada"},
        "external_id": "customer-1",
        "roles": ["editor"],
        "trusted_metadata": {"plan": "gold"},
        "untrusted_metadata": {"theme": "dark"},
        "phone_number": "+14155552671",
        "set_phone_number_verified": True,
    }
    user = world.backend("POST", MIGRATE, body).json["user"]
    assert (user["emails"][0]["email"], user["emails"][0]["verified"]) == (ADA, True)
    assert (user["phone_numbers"][0]["phone_number"], user["phone_numbers"][0]["verified"]) == ("+14155552671", True)
    assert (user["name"]["first_name"], user["external_id"]) == ("Ada", "customer-1")
    assert (user["trusted_metadata"], user["untrusted_metadata"]) == ({"plan": "gold"}, {"theme": "dark"})
    assert "editor" in user["roles"]
    other = {**body, "email": "bob@example.org"}
    refused(world.backend("POST", MIGRATE, other), 400, "duplicate_phone_number")
    del other["phone_number"]
    refused(world.backend("POST", MIGRATE, other), 400, "duplicate_user_external_id")


def test_somebody_who_is_there_gets_the_password_once(world: World) -> None:
    digest = hashlib.md5(FIRST.encode()).hexdigest()
    body = {"email": ADA, "hash": digest, "hash_type": "md_5"}
    signed_in = world.sign_in()
    answer = world.backend("POST", MIGRATE, body).json
    assert (answer["user_id"], answer["user_created"]) == (signed_in["user_id"], False)
    assert prove(world, signed_in) == 200
    refused(world.backend("POST", MIGRATE, body), 400, "password_already_exists")
    owned(world, SECOND, "bob@example.org")
    refused(world.backend("POST", MIGRATE, {**body, "email": "bob@example.org"}), 400, "password_already_exists")
    refused(world.backend("POST", CREATE, pair()), 400, "duplicate_email")


def test_an_address_that_the_project_vouches_for_takes_what_a_stranger_prepared_around_it(world: World) -> None:
    """ACC-05, A209: the squatter's session and second address go, as if the owner had proved theirs."""
    squat = {"email": ADA, "phone_number": "+14155552671"}
    user_id = world.backend("POST", "/v1/users", squat).json["user_id"]
    token = world.backend("POST", "/v1/magic_links", {"user_id": user_id}).json["token"]
    body = {"token": token, "session_duration_minutes": 60}
    session = world.backend("POST", "/v1/magic_links/authenticate", body).json
    digest = hashlib.md5(FIRST.encode()).hexdigest()
    arrived = {"email": ADA, "hash": digest, "hash_type": "md_5", "set_email_verified": True}
    user = world.backend("POST", MIGRATE, arrived).json["user"]
    assert (user["user_id"], user["phone_numbers"], user["password"]["requires_reset"]) == (user_id, [], False)
    assert prove(world, session) == 404
    assert world.visit("/who", f"authmw_session_jwt={session['session_jwt']}").status == 401
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200


def test_a_migrated_password_is_judged_only_when_another_is_set(world: World) -> None:
    """MIG-06, PW-18."""
    digest = hashlib.md5(b"letmein").hexdigest()
    arrived = {"email": ADA, "hash": digest, "hash_type": "md_5", "set_email_verified": True}
    assert world.backend("POST", MIGRATE, arrived).status == 200
    assert world.backend("POST", AUTHENTICATE, pair("letmein")).status == 200
    change = {"email": ADA, "existing_password": "letmein", "new_password": "letmein1"}
    refused(world.backend("POST", "/v1/passwords/existing_password/reset", change), 400, "weak_password")


@pytest.mark.parametrize("word", [{"set_phone_number_verified": True}, {"set_email_verified": True}])
def test_what_a_stranger_prepared_dies_when_the_project_says_whose_the_account_is(
    world: World, word: dict[str, bool]
) -> None:
    """ACC-05, A209: by the number as by the address; their session does not outlive it, and the password that is brought along signs in."""
    body = {**pair("lovely purple submarine kettle"), "session_duration_minutes": 60}
    stranger = world.backend("POST", CREATE, body).json
    token, user_id = stranger["session_token"], stranger["user_id"]
    user = world.auth.run(world.auth.storage.get(User, user_id))
    assert user is not None
    # The host took the password from the account meanwhile, and the stranger signed in again by a link that it minted.
    assert world.backend("DELETE", f"/v1/users/passwords/{user.parts[0].part_id}").status == 200
    minted = world.backend("POST", "/v1/magic_links", {"user_id": user_id}).json["token"]
    again = {"token": minted, "session_duration_minutes": 60}
    theirs = world.backend("POST", "/v1/magic_links/authenticate", again).json["session_token"]
    assert token != theirs
    assert world.backend("POST", "/v1/sessions/authenticate", {"session_token": theirs}).status == 200
    digest = hashlib.sha512(SECOND.encode()).hexdigest()
    brought = {"email": ADA, "phone_number": "+12025550142", "hash": digest, "hash_type": "sha_512", **word}
    moved = world.backend("POST", MIGRATE, brought)
    assert (moved.status, moved.json["user_id"]) == (200, user_id)
    assert world.backend("POST", "/v1/sessions/authenticate", {"session_token": theirs}).status == 404
    assert [one["email"] for one in moved.json["user"]["emails"]] == [ADA]
    assert [one["phone_number"] for one in moved.json["user"]["phone_numbers"]] == ["+12025550142"]
    assert world.backend("POST", AUTHENTICATE, pair(SECOND)).json["user_id"] == user_id


@pytest.mark.parametrize("more", [{}, {"email": "mallory@example.org"}])
def test_a_number_that_a_stranger_only_named_is_whose_the_project_says_it_is(
    world: World, more: dict[str, str]
) -> None:
    """ACC-05, A209: by the project's word as by a code, and without that word it stays where it stands."""
    number = "+12025550142"
    stranger = world.backend("POST", "/v1/users", {"phone_number": number, **more}).json["user_id"]
    minted = world.backend("POST", "/v1/magic_links", {"user_id": stranger}).json["token"]
    again = {"token": minted, "session_duration_minutes": 60}
    theirs = world.backend("POST", "/v1/magic_links/authenticate", again).json
    digest = hashlib.sha512(SECOND.encode()).hexdigest()
    brought = {"email": ADA, "phone_number": number, "hash": digest, "hash_type": "sha_512"}
    refused(world.backend("POST", MIGRATE, brought), 400, "duplicate_phone_number")
    moved = world.backend("POST", MIGRATE, {**brought, "set_phone_number_verified": True})
    assert (moved.status, moved.json["user_created"]) == (200, True)
    assert moved.json["user_id"] != stranger
    assert [one["verified"] for one in moved.json["user"]["phone_numbers"]] == [True]
    assert prove(world, theirs) == 404
    assert world.visit("/who", f"authmw_session_jwt={theirs['session_jwt']}").status == 401
    left = world.backend("GET", f"/v1/users/{stranger}")
    assert (left.status, left.json.get("phone_numbers")) == ((200, []) if more else (404, None))
    assert world.backend("POST", AUTHENTICATE, pair(SECOND)).json["user_id"] == moved.json["user_id"]
