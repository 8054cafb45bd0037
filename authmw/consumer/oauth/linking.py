"""Whose sign-in it is: the owner of the identity, the user it is added to, the owner of the proved address, or somebody new.

Law: two users are never merged. An address links only if the provider's word is proof and the address is verified here too; one that stands here unproved is taken by
who proves it, and what a stranger prepared around it dies (ACC-05, A209).
"""

from __future__ import annotations

import attrs

from authmw.consumer.oauth.flow import Result, attached_to, configured
from authmw.consumer.proofs import proof_of
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.factors.oauth.rules import Profile, identity_of
from authmw.oauth_providers import OAuthProvider
from authmw.operations import Call
from authmw.people.credentials import new_credential, with_secret
from authmw.people.directory import new_email, new_user, user_by_email, user_by_identity
from authmw.people.notices import notify_of
from authmw.people.records import Credential, Part, Proved, Subject, User
from authmw.people.rules import Owned, check_unlocked, is_theirs, prove_email, with_part
from authmw.signin.complete import Proof
from authmw.storage import Insert, Update, Write

KIND = "oauth"


async def is_known(call: Call, result: Result) -> bool:
    """Whether somebody is there already whom this sign-in is of."""
    if result.attach_id:
        return True
    provider, profile = configured(call, result.provider), result.profile
    if await user_by_identity(call.storage, KIND, *identity_of(provider, profile)) is not None:
        return True
    return await _user_at(call, profile) is not None


async def _user_at(call: Call, profile: Profile) -> User | None:
    """Who has the address that a provider proves: not somebody on whose account it was only named."""
    holder = await user_by_email(call.storage, profile.email) if profile.proved else None
    standing = holder.email_at(profile.email) if holder is not None else None
    return (
        holder if holder is not None and standing is not None and is_theirs(holder, standing, claimed=False) else None
    )


async def check_attachable(call: Call, result: Result) -> None:
    """Refused: `duplicate_oauth_registration` for an identity of somebody else than whom it shall be added to."""
    if result.attach_id:
        user = await attached_to(call, result.attach_id)
        await _owner(call, result, user)


async def proof_by(call: Call, result: Result, waiting: Write) -> tuple[Proof, Part]:
    """What a result means, with `waiting` as the write that spends it."""
    provider = configured(call, result.provider)
    if result.attach_id:
        user = await attached_to(call, result.attach_id)
        owner = await _owner(call, result, user)
        return await _adding(call, provider, result, owner or user, waiting)
    owner = await user_by_identity(call.storage, KIND, *identity_of(provider, result.profile))
    if owner is not None:
        return await _known(call, provider, result, owner, waiting)
    known = await _user_at(call, result.profile)
    if known is not None:
        return await _adding(call, provider, result, known, waiting)
    return await _new(call, provider, result, waiting)


async def _owner(call: Call, result: Result, user: User) -> User | None:
    identity = identity_of(configured(call, result.provider), result.profile)
    owner = await user_by_identity(call.storage, KIND, *identity)
    if owner is not None and owner.id != user.id:
        raise Refused("duplicate_oauth_registration")
    return owner


async def _known(
    call: Call, provider: OAuthProvider, result: Result, owner: User, waiting: Write
) -> tuple[Proof, Part]:
    check_unlocked(owner, KIND, call.now)
    identity = identity_of(provider, result.profile)
    part = next(part for part in owner.parts_of(KIND) if part.identity == identity)
    writes = (waiting, await _kept(call, owner, part, result))
    return Proof(before=owner, after=owner, factor=_proved(call, provider, part, owner, result), writes=writes), part


async def _adding(
    call: Call, provider: OAuthProvider, result: Result, user: User, waiting: Write
) -> tuple[Proof, Part]:
    """The identity enters a user: by an attach token, or because both sides have proved the address."""
    identity = identity_of(provider, result.profile)
    if any(part.identity == identity for part in user.parts_of(KIND)):
        return await _known(call, provider, result, user, waiting)
    part = _part(call, provider, result)
    holder = await user_by_email(call.storage, result.profile.email) if result.profile.proved else None
    kept = await _kept(call, user, part, result)
    if not result.profile.proved or _is_another_owner(user, holder, result.profile.email):
        after = with_part(user, part)
        notify_of(call, user, after)
        factor = _proved(call, provider, part, after, result)
        return Proof(before=user, after=after, factor=factor, writes=(waiting, kept)), part
    email = user.email_at(result.profile.email) or new_email(call, result.profile.email)
    owned = prove_email(user, email, holder, by_own_session=bool(result.attach_id))
    owned = _with(owned, part)
    factor = _proved(call, provider, part, owned.subject, result)
    proof = proof_of(call, user, holder, owned, factor, waiting)
    return attrs.evolve(proof, writes=(*proof.writes, kept)), part


def _with(owned: Owned, part: Part) -> Owned:
    return attrs.evolve(owned, subject=with_part(owned.subject, part))


def _is_another_owner(user: User, holder: User | None, address: str) -> bool:
    """Whether the address is somebody else's for good; then the identity comes without it, since users are never merged."""
    if holder is None or holder.id == user.id:
        return False
    standing = holder.email_at(address)
    return standing is not None and standing.verified


async def _new(call: Call, provider: OAuthProvider, result: Result, waiting: Write) -> tuple[Proof, Part]:
    """Somebody new, who takes the address from an account that only named it. One that is no proof is left out: else it would stand in its owner's way, and be theirs to lose."""
    profile = result.profile
    part = _part(call, provider, result)
    made = attrs.evolve(new_user(call), first_name=profile.first_name, last_name=profile.last_name)
    kept = await _kept(call, made, part, result)
    if not profile.proved:
        after = with_part(made, part)
        factor = _proved(call, provider, part, after, result)
        return Proof(before=made, after=after, factor=factor, writes=(waiting, kept)), part
    holder = await user_by_email(call.storage, profile.email)
    owned = _with(prove_email(made, new_email(call, profile.email), holder, by_own_session=False), part)
    proof = proof_of(call, made, holder, owned, _proved(call, provider, part, owned.subject, result), waiting)
    return attrs.evolve(proof, writes=(*proof.writes, kept)), part


def _part(call: Call, provider: OAuthProvider, result: Result) -> Part:
    profile = result.profile
    return Part(
        part_id=tokens.new_id("oauth-user", call.settings.environment),
        kind=KIND,
        verified=True,
        created_at=call.now,
        details={
            "provider_type": provider.row().label,
            "provider_subject": profile.subject,
            "profile_picture_url": profile.picture,
            "locale": profile.locale,
        },
        identity=identity_of(provider, profile),
    )


async def _kept(call: Call, user: Subject, part: Part, result: Result) -> Write:
    """The provider's tokens at rest, sealed; older ones are replaced unread, so a lost root key is in nobody's way (A152)."""
    standing = await call.storage.get(Credential, part.part_id)
    if standing is not None:
        return Update(with_secret(call, standing, result.granted))
    return Insert(new_credential(call, part_id=part.part_id, subject_id=user.id, kind=KIND, secret=result.granted))


def _proved(call: Call, provider: OAuthProvider, part: Part, user: Subject, result: Result) -> Proved:
    email = user.email_at(result.profile.email) if result.profile.email else None
    shown: dict[str, object] = {
        "id": part.part_id,
        "provider_subject": result.profile.subject,
        "email_id": email.email_id if email is not None and email.verified else "",
    }
    if provider.own:
        # The wire has no delivery method for providers it does not know; official clients refuse others.
        shown = {"id": part.part_id, "provider_id": provider.name, "external_id": result.profile.subject}
    return Proved(
        type="sso" if provider.own else "oauth",
        delivery_method="sso_oidc" if provider.own else f"oauth_{provider.name}",
        last_authenticated_at=call.now,
        created_at=call.now,
        updated_at=call.now,
        details={provider.row().factor: shown},
        category="account",
    )


def waiting_of(challenge: Challenge | None, call: Call, purpose: str) -> Challenge:
    """The challenge if it waits for this. Refused: `oauth_token_not_found`, one answer for unknown, used and expired."""
    if challenge is None or challenge.purpose != purpose or challenge.spent_at or call.now >= challenge.expires_at:
        raise Refused("oauth_token_not_found")
    return challenge
