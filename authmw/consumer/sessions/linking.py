"""Whom a trusted token or a session of another system signs in.

Law: two users are never merged. An address signs in only as far as it is proof, and what a stranger prepared around an address that nobody had proved dies with
the first proof (ACC-05).
"""

from __future__ import annotations

import attrs

from authmw.consumer.proofs import proof_of
from authmw.errors import Refused
from authmw.factors.trusted_token.rules import Attested
from authmw.messages import ChangedFactor, Notice
from authmw.operations import Call
from authmw.people.directory import new_email, new_user, user_by_email
from authmw.people.notices import notify_of
from authmw.people.records import Proved, User
from authmw.people.rules import Owned, has_owner, is_theirs, prove_email
from authmw.signin.complete import Proof
from authmw.storage import Write
from authmw.trusted_tokens import TrustedTokenProfile


async def attested_proof(call: Call, profile: TrustedTokenProfile, said: Attested, spent: Write) -> Proof:
    """What a trusted token means, with the write that spends it."""
    factor = Proved(
        type="trusted_auth_token",
        delivery_method="trusted_token_exchange",
        last_authenticated_at=said.proved_at,
        created_at=call.now,
        updated_at=call.now,
        details={"trusted_auth_token_factor": {"token_id": said.token_id}},
        category="account",
    )
    owner = await call.storage.find(User, "external_id", (said.external_id,)) if said.external_id else None
    if owner is not None:
        return proof_of(call, owner, owner, _known(owner, said), factor, spent)
    holder = await user_by_email(call.storage, said.email) if said.email else None
    if holder is not None and _may_prove(holder, said.email):
        owned = _linked(holder, said)
        if said.external_id:
            # Whoever holds such tokens can sign in from now on, and the addresses of before hear of it (ACC-03).
            notify_of(call, holder, owned.subject, Notice.FACTOR_ADDED, ChangedFactor.SSO)
        return proof_of(call, holder, holder, owned, factor, spent)
    if not profile.can_jit_provision:
        raise Refused("user_not_found")
    return _provisioned(call, holder, said, factor, spent)


async def migrated_proof(call: Call, address: str) -> Proof:
    """What the word of the system before this one means: the user who has this address. Refused: `migrate_from_external_email_does_not_exist`."""
    user = await user_by_email(call.storage, address)
    if user is None or not _may_prove(user, address):
        raise Refused("migrate_from_external_email_does_not_exist")
    factor = Proved(
        type="imported",
        delivery_method="imported_auth0",
        last_authenticated_at=call.now,
        created_at=call.now,
        updated_at=call.now,
        category="account",
    )
    return proof_of(call, user, user, _proving(user, address), factor)


def _may_prove(user: User, address: str) -> bool:
    """Whether the proof of an address is that of this user, and not of somebody whose address their account merely names."""
    standing = user.email_at(address)
    return standing is not None and is_theirs(user, standing, claimed=False)


def _proving(user: User, address: str) -> Owned:
    standing = user.email_at(address)
    if standing is None or standing.verified:
        return Owned(subject=user)
    return prove_email(user, standing, user, by_own_session=False)


def _known(owner: User, said: Attested) -> Owned:
    """The user of the token's external id. If nobody has proved an address of theirs, ways to sign in that stand there may be a stranger's, and die."""
    if said.email and _may_prove(owner, said.email):
        return _proving(owner, said.email)
    active = attrs.evolve(owner, status="active")
    if has_owner(owner) or not owner.parts:
        return Owned(subject=active)
    bare = attrs.evolve(active, parts=(), session_epoch=owner.session_epoch + 1)
    return Owned(subject=bare, reset_sessions=True)


def _linked(holder: User, said: Attested) -> Owned:
    """The user of the token's address, who gets its external id. Refused: `duplicate_email` if they have another one."""
    owned = _proving(holder, said.email)
    if not said.external_id:
        return owned
    # A token of the same person may have made them since they were looked for by that id.
    if holder.external_id not in {None, said.external_id}:
        raise Refused("duplicate_email")
    return attrs.evolve(owned, subject=attrs.evolve(owned.subject, external_id=said.external_id))


def _provisioned(call: Call, holder: User | None, said: Attested, factor: Proved, spent: Write) -> Proof:
    """A user made by the token, with its address if it is proof; whoever merely named that address loses it."""
    new = new_user(call)
    made = attrs.evolve(new, external_id=said.external_id or None, first_name=said.first_name, last_name=said.last_name)
    if not said.email:
        return Proof(before=new, after=made, factor=factor, writes=(spent,))
    owned = prove_email(made, new_email(call, said.email), holder, by_own_session=False)
    return proof_of(call, made, holder, owned, factor, spent)
