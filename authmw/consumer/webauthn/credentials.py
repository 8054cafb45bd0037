"""What is kept of a passkey: a part that answers show, and sealed under it the key and the counter that an answer is judged by.

Law: a credential is found by its own id and believed only as what stands on its user (WAN-04): without the part its key opens nothing.
"""

from __future__ import annotations

import base64
from datetime import datetime

import attrs
import msgspec

from authmw.consumer.webauthn.ceremonies import FACTOR, KIND, party_of
from authmw.consumer.webauthn.responses import CredentialAnswer
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.factors.webauthn.answers import Assertion, Attestation
from authmw.factors.webauthn.rules import Known
from authmw.factors.webauthn.verification import Key, Used, verify_assertion
from authmw.ledger.commits import commit
from authmw.operations import Call
from authmw.people.credentials import readable_secret, with_secret
from authmw.people.directory import user_by_identity
from authmw.people.records import Credential, Part, Proved, Subject, User
from authmw.storage import Delete, Update, Write


def registrations(subject: Subject, domain: str) -> list[Part]:
    """The registrations of a subject for one domain."""
    return [part for part in subject.parts_of(KIND) if part.details.get("domain") == domain]


def known(parts: list[Part]) -> list[Known]:
    """The credentials as options name them."""
    return [
        Known(credential_id=str(part.details["credential_id"]), transports=tuple(part.details["transports"]))
        for part in parts
    ]


def identity_of(credential_id: bytes) -> tuple[str, ...]:
    """What finds the owner of a credential: a digest, since an id may have 1023 bytes."""
    return (tokens.digest(tokens.base64url(credential_id)),)


def proved(now: datetime, part: Part, *, user_verified: bool) -> Proved:
    """The factor that a passkey is in a session."""
    shown = {
        "webauthn_registration_id": part.part_id,
        "domain": str(part.details["domain"]),
        "user_agent": str(part.details["user_agent"]),
    }
    return Proved(
        type="webauthn",
        delivery_method="webauthn_registration",
        last_authenticated_at=now,
        created_at=now,
        updated_at=now,
        details={"webauthn_factor": shown},
        category="dedicated",
        user_verified=user_verified,
    )


def renamed(subject: Subject, part: Part, name: str) -> Subject:
    """The subject with that registration under another name, in its place."""
    parts = tuple(
        attrs.evolve(one, details={**one.details, "name": name}) if one.part_id == part.part_id else one
        for one in subject.parts
    )
    return attrs.evolve(subject, parts=parts)


@attrs.frozen(kw_only=True)
class Held:
    """A credential that signs: whose it is, its part, and what is kept of it."""

    user: User
    part: Part
    credential: Credential
    key: Key


def handle_of(standing: list[Part]) -> str:
    """The user's handle at a domain: the one their authenticators know them by, so that a new passkey replaces the old one there; else a random one."""
    return str(standing[0].details["handle"]) if standing else tokens.base64url(tokens.random_bytes(32))


def new_part(call: Call, challenge: Challenge, answer: Attestation) -> Part:
    """The registration as the user has it."""
    asked = challenge.details
    return Part(
        part_id=tokens.new_id("webauthn-registration", call.settings.environment),
        kind=KIND,
        verified=True,
        created_at=call.now,
        details={
            "domain": asked["domain"],
            "handle": asked["handle"],
            "user_agent": asked["user_agent"],
            "authenticator_type": answer.attachment or asked["authenticator_type"],
            "name": "Passkey" if asked["passkey"] else "Security key",
            "credential_id": tokens.base64url(answer.credential_id),
            "transports": list(answer.transports),
        },
        identity=identity_of(answer.credential_id),
    )


async def held_by(call: Call, challenge: Challenge, answer: Assertion) -> Held:
    """The credential that an answer is of. Refused, and the challenge spent, if nobody has it, or not who the challenge was made for (WAN-04)."""
    held = await _found(call, answer)
    if held is None or challenge.subject_id not in {"", held.user.id}:
        refusal = Refused("unable_to_auth_webauthn_registration")
        await commit(Delete(challenge), subject_id=challenge.subject_id, factor=FACTOR, refusal=refusal)
        raise refusal
    return held


async def _found(call: Call, answer: Assertion) -> Held | None:
    user = await user_by_identity(call.storage, KIND, *identity_of(answer.credential_id))
    part = _part_of(user, answer) if user else None
    credential = await call.storage.get(Credential, part.part_id) if part else None
    if user is None or part is None or credential is None or credential.subject_id != user.id:
        return None
    key = readable_secret(call, credential, Key)
    return Held(user=user, part=part, credential=credential, key=key) if key is not None else None


def _part_of(user: User, answer: Assertion) -> Part | None:
    identity = identity_of(answer.credential_id)
    return next((part for part in user.parts_of(KIND) if part.identity == identity), None)


def used_by(call: Call, challenge: Challenge, answer: Assertion, held: Held) -> Used:
    """What an answer shows, verified by the credential it is of. Refused: `unable_to_auth_webauthn_registration`."""
    domain = str(challenge.details["domain"])
    if held.part.details["domain"] != domain:
        raise Refused("unable_to_auth_webauthn_registration")
    return verify_assertion(
        answer,
        party_of(call, domain),
        key=held.key,
        handle=str(held.part.details["handle"]),
        named=bool(challenge.subject_id),
    )


def remembered(call: Call, held: Held, used: Used) -> list[Write]:
    """What a sign-in changes of the credential: the counter, and whether the passkey is backed up; of most passkeys neither."""
    credential = held.credential
    if used.backed_up != held.key.backed_up:
        key = msgspec.structs.replace(held.key, backed_up=used.backed_up)
        credential = with_secret(call, credential, key)
    if used.counter != credential.counter:
        credential = attrs.evolve(credential, counter=used.counter, changed_at=call.now)
    return [Update(credential)] if credential != held.credential else []


async def shown_credential(call: Call, user: User, part: Part) -> CredentialAnswer | None:
    """A credential as it is listed; None if only its part is left, or its key cannot be read."""
    credential = await call.storage.get(Credential, part.part_id)
    if credential is None or credential.subject_id != user.id:
        return None
    key = readable_secret(call, credential, Key)
    if key is None:
        return None
    return CredentialAnswer(
        credential_id=str(part.details["credential_id"]),
        webauthn_registration_id=part.part_id,
        type="public-key",
        public_key=base64.b64encode(key.cose).decode("ascii"),
    )
