"""The rules of people: who owns an address, what stays, how metadata is merged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.people.records import MAXIMUM_ADDRESSES, Email, Lock, Part, Phone, User
from authmw.people.rules import (
    METADATA_BYTES,
    METADATA_KEYS,
    check_unlocked,
    has_owner,
    is_theirs,
    live_locks,
    merged_metadata,
    prove_email,
    prove_phone,
    with_email,
    with_part,
    without_email,
    without_part,
    without_phone,
)

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def email(address: str = "a@example.org", *, verified: bool = False) -> Email:
    return Email(email_id=f"id of {address}", address=address, verified=verified, created_at=NOW)


def phone(*, verified: bool = False) -> Phone:
    return Phone(phone_id="phone", number="+14155552671", verified=verified, created_at=NOW)


def part(kind: str, part_id: str = "", *, verified: bool = True) -> Part:
    return Part(part_id=part_id or kind, kind=kind, verified=verified, created_at=NOW)


def user(*emails: Email, id: str = "one", **more: Any) -> User:
    return User(id=id, created_at=NOW, emails=emails, **more)


_values = st.none() | st.booleans() | st.integers(-9, 9) | st.dictionaries(st.sampled_from("xy"), st.none(), max_size=2)


@given(
    before=st.dictionaries(st.sampled_from("abcd"), st.integers()),
    changes=st.dictionaries(st.sampled_from("abcd"), _values),
)
def test_metadata_is_merged_at_the_top_only_and_null_deletes(before: dict[str, Any], changes: dict[str, Any]) -> None:
    """USR-16."""
    model = dict(before)
    for name, value in changes.items():
        model.pop(name, None)
        if value is not None:
            model[name] = value
    assert merged_metadata(before, changes) == model


@pytest.mark.parametrize(("keys", "allowed"), [(METADATA_KEYS, True), (METADATA_KEYS + 1, False)])
def test_metadata_may_have_exactly_twenty_keys_together(keys: int, allowed: bool) -> None:
    before = {str(number): 1 for number in range(10)}
    changes = {str(number): 1 for number in range(10, keys)}
    if allowed:
        assert len(merged_metadata(before, changes)) == keys
        return
    with pytest.raises(Refused) as refused:
        merged_metadata(before, changes)
    assert refused.value.error_type == "metadata_too_many_keys"


def test_a_key_that_is_deleted_makes_room_for_another_in_the_same_change() -> None:
    before = {str(number): 1 for number in range(METADATA_KEYS)}
    assert len(merged_metadata(before, {"0": None, "new": 1})) == METADATA_KEYS


@pytest.mark.parametrize(("over", "allowed"), [(0, True), (1, False)])
def test_metadata_may_have_exactly_four_kibibytes(over: int, allowed: bool) -> None:
    frame = len(msgspec.json.encode({"x": ""}))
    changes = {"x": "y" * (METADATA_BYTES - frame + over)}
    if allowed:
        assert merged_metadata({}, changes) == changes
        return
    with pytest.raises(Refused) as refused:
        merged_metadata({}, changes)
    assert refused.value.error_type == "metadata_too_large"


@pytest.mark.parametrize(
    ("subject", "owned"),
    [
        (user(email()), False),
        (user(email(verified=True)), True),
        (user(phones=(phone(),)), False),
        (user(phones=(phone(verified=True),)), True),
        (user(parts=(part("oauth"),)), True),
        (user(parts=(part("oauth", verified=False),)), False),
        (user(parts=(part("password"),)), False),
        (user(parts=(part("webauthn"),)), False),
    ],
    ids=range(8),
)
def test_only_a_verified_address_or_a_provider_makes_an_owner(subject: User, owned: bool) -> None:
    assert has_owner(subject) is owned


@given(
    stands=st.booleans(),
    verified=st.booleans(),
    claimed=st.booleans(),
    owner=st.sampled_from(["nobody", "email", "phone", "oauth", "crypto_wallet", "password", "unverified oauth"]),
)
def test_an_address_that_is_only_named_on_somebodys_account_is_not_theirs(
    stands: bool, verified: bool, claimed: bool, owner: str
) -> None:
    """Proof wins: only an account without an owner, or one whose owner asked for the proof, is that of who proves an address that stands there unproved."""
    emails = (email(verified=verified),) if stands else ()
    more: dict[str, Any] = {}
    if owner == "email":
        emails = (*emails, email("owner@example.org", verified=True))
    elif owner == "phone":
        more["phones"] = (phone(verified=True),)
    elif owner != "nobody":
        more["parts"] = (part(owner.split()[-1], verified=not owner.startswith("unverified")),)
    somebody = owner in {"email", "phone", "oauth", "crypto_wallet"}
    only_named = stands and not verified and somebody
    assert is_theirs(user(*emails, **more), email(), claimed=claimed) is (claimed or not only_named)


def test_proof_verifies_the_address_and_activates_a_pending_user() -> None:
    proved = prove_email(user(email(), status="pending"), email(), None, by_own_session=False).subject
    assert proved.emails[0].verified
    assert proved.status == "active"


def test_a_verified_address_stays_with_its_owner() -> None:
    holder = user(email(verified=True), id="two")
    with pytest.raises(Refused) as refused:
        prove_email(user(email("b@example.org", verified=True)), email(), holder, by_own_session=True)
    assert refused.value.error_type == "duplicate_email"


def test_who_proves_an_address_takes_it_from_who_did_not() -> None:
    holder = user(email(), id="two", phones=(phone(),))
    owned = prove_email(user(email("b@example.org", verified=True)), email(), holder, by_own_session=True)
    assert [one.address for one in owned.subject.emails] == ["b@example.org", "a@example.org"]
    assert owned.loser is not None
    assert owned.loser.emails == ()
    assert owned.loser.session_epoch == 1
    assert not owned.loser_is_empty


def test_who_loses_the_only_thing_they_had_is_empty() -> None:
    owned = prove_email(user(), email(), user(email(), id="two"), by_own_session=True)
    assert owned.loser_is_empty


def test_who_is_left_with_a_password_and_no_address_is_empty() -> None:
    holder = user(email(), parts=(part("password", verified=False),), id="two")
    assert prove_email(user(), email(), holder, by_own_session=True).loser_is_empty


@pytest.mark.parametrize("kind", ["webauthn", "totp"])
def test_what_was_prepared_before_the_first_proof_dies_with_its_sessions(kind: str) -> None:
    """A209, A210, ACC-05."""
    before = user(email(), email("evil@example.org"), phones=(phone(),), parts=(part(kind),))
    owned = prove_email(before, email(), before, by_own_session=False)
    after = owned.subject
    assert ([one.address for one in after.emails], after.phones, after.parts) == (["a@example.org"], (), ())
    assert after.session_epoch == before.session_epoch + 1
    assert owned.reset_sessions


def test_a_password_from_before_the_first_proof_stays_as_one_that_signs_nobody_in() -> None:
    """A209: whoever set it is told to set another by mail, which only the owner of the address gets."""
    before = user(email(), email("evil@example.org"), parts=(part("password", verified=False), part("totp")))
    owned = prove_email(before, email(), before, by_own_session=False)
    assert owned.reset_sessions
    kept = owned.subject.parts[0]
    assert [one.kind for one in owned.subject.parts] == ["password"]
    assert (kept.verified, kept.details["requires_reset"]) == (False, True)
    elsewhere = prove_email(before, email("new@example.org"), None, by_own_session=False)
    assert elsewhere.subject.parts == ()
    assert prove_phone(before, phone(), None, by_own_session=False).subject.parts == ()


def test_a_password_counts_once_its_user_has_an_owner_by_their_own_session() -> None:
    before = user(email(), parts=(part("password", verified=False),))
    kept = prove_email(before, email(), before, by_own_session=True).subject.parts[0]
    assert (kept.verified, kept.details) == (True, {})


def test_what_an_owner_has_survives_a_further_proof() -> None:
    before = user(email(verified=True), email("b@example.org"), phones=(phone(),), parts=(part("totp"),))
    after = prove_email(before, email("b@example.org"), before, by_own_session=False).subject
    assert (after.phones, after.parts, after.session_epoch) == (before.phones, before.parts, before.session_epoch)


def test_a_proof_by_the_own_session_resets_nothing() -> None:
    before = user(email(), phones=(phone(),), parts=(part("totp"),))
    owned = prove_email(before, email(), before, by_own_session=True)
    assert not owned.reset_sessions
    assert owned.subject.parts == before.parts


def test_the_last_way_to_reach_somebody_stays() -> None:
    """USR-09."""
    with pytest.raises(Refused) as refused:
        without_email(user(email(), parts=(part("totp"), part("password"))), email().email_id)
    assert refused.value.error_type == "cannot_delete_last_primary_factor"
    with pytest.raises(Refused):
        without_phone(user(phones=(phone(),)), "phone")


@pytest.mark.parametrize("rest", [{"phones": (phone(),)}, {"parts": (part("oauth"),)}], ids=["phone", "provider"])
def test_an_address_may_go_while_another_way_is_left(rest: dict[str, Any]) -> None:
    assert without_email(user(email(), **rest), email().email_id).emails == ()


def test_a_person_has_room_for_ten_addresses() -> None:
    subject = user()
    for number in range(MAXIMUM_ADDRESSES):
        subject = with_email(subject, email(f"{number}@example.org"))
    with pytest.raises(Refused) as refused:
        with_email(subject, email())
    assert refused.value.error_type == "too_many_unverified_factors"


@pytest.mark.parametrize(("seconds", "locked"), [(3599, True), (3600, False)])
def test_a_lock_holds_until_its_time_and_for_its_factor_only(seconds: int, locked: bool) -> None:
    lock = Lock(factor="otp:email", created_at=NOW, expires_at=NOW + timedelta(hours=1))
    subject = attrs.evolve(user(email()), locks=(lock,))
    later = NOW + timedelta(seconds=seconds)
    check_unlocked(subject, "password", later)
    assert bool(live_locks(subject, later)) is locked
    if not locked:
        check_unlocked(subject, "otp:email", later)
        return
    with pytest.raises(Refused) as refused:
        check_unlocked(subject, "otp:email", later)
    assert refused.value.error_type == "user_lock_limit_reached"


def test_a_factor_of_the_same_id_is_replaced_and_another_is_added() -> None:
    one = with_part(user(), part("totp"))
    assert with_part(one, part("totp")).parts == one.parts
    assert len(with_part(one, part("webauthn", "part-2")).parts) == 2


def test_a_user_has_at_most_25_parts() -> None:
    full = user()
    while full.part_count() < 25:
        full = with_part(full, part("webauthn", f"part-{full.part_count()}"))
    with pytest.raises(Refused, match="too_many_unverified_factors"):
        with_part(full, part("webauthn", "one more"))
    assert with_part(full, full.parts[0]).part_count() == 25


@pytest.mark.parametrize("kind", ["oauth", "crypto_wallet"])
def test_the_last_provider_or_wallet_of_someone_without_addresses_stays(kind: str) -> None:
    """ACC-04, X-26."""
    alone = with_part(user(), part(kind))
    with pytest.raises(Refused, match="cannot_delete_last_primary_factor"):
        without_part(alone, kind)
    two = with_part(alone, part(kind, "part-2"))
    assert without_part(two, kind).parts == (part(kind, "part-2"),)


def test_a_second_factor_can_always_go() -> None:
    assert without_part(with_part(user(), part("totp")), "totp").parts == ()
    assert without_part(user(), "unknown") == user()


def test_proof_of_a_phone_verifies_it_and_ends_what_was_prepared_before() -> None:
    """A209, A210: the rule of a mailbox holds for a phone."""
    before = user(email("evil@example.org"), phones=(phone(),), parts=(part("password"),), status="pending")
    owned = prove_phone(before, phone(), before, by_own_session=False)
    after = owned.subject
    assert (after.emails, after.parts, after.status) == ((), (), "active")
    assert [one.verified for one in after.phones] == [True]
    assert owned.reset_sessions
    assert after.session_epoch == before.session_epoch + 1


def test_a_verified_phone_stays_with_its_owner_and_an_unverified_one_goes_to_who_proves_it() -> None:
    prover = user(email(verified=True))
    with pytest.raises(Refused) as refused:
        prove_phone(prover, phone(), user(phones=(phone(verified=True),), id="two"), by_own_session=True)
    assert refused.value.error_type == "duplicate_phone_number"
    owned = prove_phone(prover, phone(), user(phones=(phone(),), id="two"), by_own_session=True)
    assert [one.verified for one in owned.subject.phones] == [True]
    assert owned.subject.emails == prover.emails
    assert owned.loser is not None
    assert owned.loser.phones == ()
    assert owned.loser_is_empty
