"""Finding people by what requests name them by, and making new ones."""

from __future__ import annotations

from datetime import datetime

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.identifiers import SANDBOX_EMAIL, SANDBOX_PHONE, canonical_phone, is_own_id
from authmw.operations import Call
from authmw.people.records import Email, Phone, User
from authmw.storage import Insert, Storage, Write

SANDBOX_USER = "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"


async def user_by_email(storage: Storage, address: str) -> User | None:
    """The user on whom a canonical address stands, verified or not."""
    return await storage.find(User, "email", (address,))


async def user_by_phone(storage: Storage, number: str) -> User | None:
    """The user on whom a number stands, verified or not."""
    return await storage.find(User, "phone", (number,))


async def user_by_reference(storage: Storage, reference: str) -> User:
    """The user of an id of ours or of the host's external id. Refused: `user_not_found`."""
    user = (
        await storage.get(User, reference)
        if is_own_id(reference)
        else await storage.find(User, "external_id", (reference,))
    )
    if user is None:
        raise Refused("user_not_found")
    return user


async def user_by_part(storage: Storage, part_id: str, missing: str) -> User:
    """The user who has this e-mail, phone number or other factor. Refused with `missing` if nobody has."""
    user = await storage.find(User, "part", (part_id,))
    if user is None:
        raise Refused(missing)
    return user


async def user_by_identity(storage: Storage, kind: str, *identity: str) -> User | None:
    """The user who has a factor of this kind and identity."""
    return await storage.find(User, "identity", (kind, *identity))


def new_email(call: Call, address: str, *, verified: bool = False) -> Email:
    """An e-mail under a new id."""
    return Email(
        email_id=tokens.new_id("email", call.settings.environment),
        address=address,
        verified=verified,
        created_at=call.now,
    )


def phone_number(call: Call, text: str) -> str:
    """A number in E.164 form; in Test the sandbox's number too. Refused: `invalid_phone_number`."""
    return canonical_phone(text, sandbox=call.settings.sandbox and not call.settings.live)


def new_phone(call: Call, number: str) -> Phone:
    """A phone number under a new id. Refused: `invalid_phone_number`."""
    return Phone(
        phone_id=tokens.new_id("phone-number", call.settings.environment),
        number=phone_number(call, number),
        created_at=call.now,
    )


def new_user(call: Call, *emails: Email, pending: bool = False) -> User:
    """A user under a new id, not stored yet."""
    return User(
        id=tokens.new_id("user", call.settings.environment),
        created_at=call.now,
        status="pending" if pending else "active",
        emails=emails,
    )


def sandbox_user(now: datetime) -> User:
    """The one user of the sandbox values (Test only)."""
    email = Email(
        email_id="email-test-81bf03a8-86e1-4d95-bd44-bb3495224953", address=SANDBOX_EMAIL, verified=True, created_at=now
    )
    return User(id=SANDBOX_USER, created_at=now, emails=(email,))


async def stored_sandbox_user(call: Call) -> tuple[User, tuple[Write, ...]]:
    """The sandbox's user, and the write that makes them on their first sign-in. A user who was made with the sandbox's address is that user."""
    fixed = sandbox_user(call.now)
    standing = await call.storage.get(User, fixed.id) or await user_by_email(call.storage, SANDBOX_EMAIL)
    return (standing, ()) if standing else (fixed, (Insert(fixed),))


def in_sandbox_of(call: Call, user_id: str) -> bool:
    """Whether a user is the sandbox's, in Test only."""
    return call.settings.sandbox and not call.settings.live and user_id == SANDBOX_USER


def in_sandbox(call: Call, address: str) -> bool:
    """Whether an address or number is the sandbox's: nothing leaves for it, in Test only."""
    return call.settings.sandbox and not call.settings.live and address in {SANDBOX_EMAIL, SANDBOX_PHONE}
