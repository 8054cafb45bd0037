"""What a notice is about, seen from a subject before and after."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.messages import ChangedFactor, Notice
from authmw.people.notices import change_between
from authmw.people.records import Email, Part, Phone, User

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def email(name: str, *, verified: bool = True) -> Email:
    return Email(email_id=f"email-{name}", address=f"{name}@example.org", verified=verified, created_at=NOW)


def phone(number: str, *, verified: bool = True) -> Phone:
    return Phone(phone_id=f"phone-{number}", number=number, verified=verified, created_at=NOW)


def part(kind: str, *, verified: bool = True) -> Part:
    return Part(part_id=f"{kind}-1", kind=kind, verified=verified, created_at=NOW)


ADA = User(id="user-1", created_at=NOW, emails=(email("ada"),))


@pytest.mark.parametrize(
    ("after", "change"),
    [
        (attrs.evolve(ADA, emails=(email("ada"), email("second"))), (Notice.FACTOR_ADDED, ChangedFactor.EMAIL)),
        (attrs.evolve(ADA, parts=(part("totp"),)), (Notice.FACTOR_ADDED, ChangedFactor.TOTP)),
        (
            attrs.evolve(ADA, parts=(part("password", verified=False),)),
            (Notice.FACTOR_ADDED, ChangedFactor.PASSWORD),
        ),
        (attrs.evolve(ADA, parts=(part("webauthn"),)), (Notice.FACTOR_ADDED, ChangedFactor.PASSKEY)),
        (attrs.evolve(ADA, phones=(phone("+15005550006"),)), (Notice.FACTOR_ADDED, ChangedFactor.PHONE_NUMBER)),
        (attrs.evolve(ADA, emails=(email("new", verified=False),)), (Notice.EMAIL_CHANGED, ChangedFactor.EMAIL)),
        (attrs.evolve(ADA, emails=(), parts=(part("oauth"),)), (Notice.FACTOR_REMOVED, ChangedFactor.EMAIL)),
        (attrs.evolve(ADA, emails=(email("ada"), email("second", verified=False))), None),
        (attrs.evolve(ADA, parts=(part("totp", verified=False),)), None),
        (attrs.evolve(ADA, first_name="Ada", session_epoch=3), None),
    ],
)
def test_a_change_is_what_can_sign_somebody_in_now_or_no_longer(
    after: User, change: tuple[Notice, ChangedFactor] | None
) -> None:
    assert change_between(ADA, after) == change


@given(st.sets(st.sampled_from(["totp", "webauthn", "password", "oauth", "crypto_wallet", "biometric"])))
def test_nothing_is_told_of_a_subject_that_stays_as_it_is(kinds: set[str]) -> None:
    same = attrs.evolve(ADA, parts=tuple(part(kind) for kind in kinds))
    assert change_between(same, same) is None


def test_an_exchanged_phone_number_is_one_change() -> None:
    before = attrs.evolve(ADA, emails=(), phones=(phone("+15005550006"),))
    after = attrs.evolve(before, phones=(phone("+15005550007", verified=False),))
    assert change_between(before, after) == (Notice.PHONE_CHANGED, ChangedFactor.PHONE_NUMBER)
