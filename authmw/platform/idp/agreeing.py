"""A person's agreement with an app: which scopes they can give, and what is written of it."""

from __future__ import annotations

from datetime import datetime

import attrs

from authmw.crypto import tokens
from authmw.operations import Call
from authmw.people.apps import ConnectedApp, Consent, consent_key
from authmw.platform.idp.asking import Person
from authmw.platform.idp.rules import is_grantable
from authmw.signin.rules import roles_of
from authmw.storage import Insert, Update, Write


def grantable(call: Call, app: ConnectedApp, person: Person, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes among those asked for that this person can give to this app."""
    roles = roles_of(person.subject)
    return tuple(scope for scope in asked if is_grantable(scope, app, person.subject, roles, call.settings.rbac))


async def agreed(
    call: Call, app: ConnectedApp, person: Person, granted: tuple[str, ...]
) -> tuple[Consent, tuple[Write, ...]]:
    """The person's agreement with this app after this answer, and what is written of it and of the app."""
    key = consent_key(person.subject.id, app.client_id)
    standing = await call.storage.get(Consent, key)
    used = _stays(app)
    if standing is None:
        fresh = Consent(
            consent_key=key,
            consent_id=tokens.new_id("consent", call.settings.environment),
            subject_id=person.subject.id,
            client_id=app.client_id,
            scopes=granted,
            created_at=call.now,
            updated_at=call.now,
        )
        return fresh, (Insert(fresh), *used)
    scopes = tuple(dict.fromkeys((*standing.scopes, *granted)))
    older = app.described_at is not None and standing.updated_at < app.described_at
    if scopes == standing.scopes and not older:
        return standing, used
    wider = attrs.evolve(standing, scopes=scopes, updated_at=call.now)
    return wider, (Update(wider), *used)


def _stays(app: ConnectedApp) -> tuple[Write, ...]:
    """An app that a stranger registered, or that an address describes, stays from its first use on."""
    if app.expires_at is None:
        return ()
    kept = attrs.evolve(app, expires_at=None)
    return (Update(kept),) if app.version else (Insert(kept),)


def proved_at(person: Person) -> datetime | None:
    """When the person last proved who they are; None where a backend speaks for them."""
    session = person.session
    return max((factor.last_authenticated_at for factor in session.factors), default=None) if session else None
