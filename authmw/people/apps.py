"""Apps that people let act for them: the apps, what each person agreed to, and the families of tokens that follow from it.

Law: a family of tokens lives only as long as everything it rests on: the app, the agreement of the same generation, the person under the same session epoch, and
itself. So one write ends all of it: deleting the app, revoking the agreement, or raising the person's epoch.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from authmw.crypto import tokens
from authmw.crypto.client_secrets import ClientSecrets
from authmw.crypto.roots import RootKeys
from authmw.people.records import Subject, User
from authmw.storage import Record, Storage, by_field, record

FIRST_PARTY = frozenset({"first_party", "first_party_public"})
PUBLIC = frozenset({"first_party_public", "third_party_public"})
_PURPOSE = "refresh token"


@record(
    "connected_apps",
    key="client_id",
    expires="expires_at",
    indexes=(by_field("created", "created_at"),),
)
@attrs.frozen(kw_only=True)
class ConnectedApp(Record):
    """An app. A stranger who registered by itself has an `expires_at` until it is used for the first time."""

    client_id: str
    client_type: str
    client_name: str = ""
    client_description: str = ""
    status: str = "active"
    redirect_urls: tuple[str, ...] = ()
    post_logout_redirect_urls: tuple[str, ...] = ()
    full_access_allowed: bool = False
    bypass_consent_for_offline_access: bool = False
    access_token_expiry_minutes: int = 60
    access_token_custom_audience: str | None = None
    access_token_template_content: str = ""
    id_token_template_content: str = ""
    logo_url: str | None = None
    creation_method: str = "manual"
    client_id_metadata_url: str | None = None
    secrets: ClientSecrets = attrs.field(factory=ClientSecrets)
    described_at: datetime | None = None
    """When its document last named other places to send people to; who agreed before is asked again."""
    created_at: datetime
    expires_at: datetime | None = None

    def stands(self, now: datetime) -> bool:
        """Whether it may be used: not switched off, and not one that a stranger registered and nobody used in time."""
        return self.status == "active" and (self.expires_at is None or now < self.expires_at)

    @property
    def public(self) -> bool:
        """Whether it can keep no secret: an app on somebody's device."""
        return self.client_type in PUBLIC

    @property
    def first_party(self) -> bool:
        """Whether it belongs to the project itself."""
        return self.client_type in FIRST_PARTY


@record("consents", key="consent_key", indexes=(by_field("subject", "subject_id"), by_field("client", "client_id")))
@attrs.frozen(kw_only=True)
class Consent(Record):
    """What one person agreed to for one app. Revoked, it is deleted; the next one has another `consent_id`, so that nothing of the old one revives."""

    consent_key: str
    consent_id: str
    subject_id: str
    client_id: str
    scopes: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


@record(
    "grants",
    key="grant_id",
    expires="expires_at",
    indexes=(by_field("subject", "subject_id"), by_field("client", "client_id")),
)
@attrs.frozen(kw_only=True)
class Grant(Record):
    """One family of tokens: one row, however often it is refreshed.

    Its refresh token of today is `grant_id.counter.mac`, the mac made under a root key over bytes of the row. So a dump of storage refreshes nothing, a token of
    yesterday can be told from an invented one, and only the former ends the family (RFC 9700 section 4.14.2).
    """

    grant_id: str
    subject_id: str
    subject_kind: str = "user"
    subject_epoch: int
    client_id: str
    consent_id: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...] = ()
    session_id: str | None = None
    proved_at: datetime | None = None
    key: str | None = None
    offline: bool = False
    random: bytes = attrs.field(repr=False)
    key_version: int
    counter: int = 0
    rotated_at: datetime
    revoked_at: datetime | None = None
    created_at: datetime
    expires_at: datetime


def consent_key(subject_id: str, client_id: str) -> str:
    """Where the agreement of a person and an app is kept. A client id may be an address of any length, so it is hashed."""
    return tokens.digest(f"{subject_id} {client_id}")


def refresh_token(roots: RootKeys, grant: Grant) -> str:
    """The refresh token of a family as it stands. UnknownKey if its root key is gone."""
    return f"{grant.grant_id}.{grant.counter}.{_mac(roots, grant, grant.counter, grant.key_version)}"


def counter_of(roots: RootKeys, grant: Grant, token: str) -> int | None:
    """Which token of the family this is, by its counter; None if we never gave it."""
    _, _, rest = token.partition(".")
    number, _, mac = rest.partition(".")
    if not number.isascii() or not number.isdigit() or len(number) > 9 or int(number) > grant.counter:
        return None
    if str(int(number)) != number:
        return None
    # An older one may have been made under an older root key: it must be told from an invented one all the same.
    made = [_mac(roots, grant, int(number), version) for version in roots.versions]
    return int(number) if sum(tokens.same(one, mac) for one in made) else None


def _mac(roots: RootKeys, grant: Grant, counter: int, version: int) -> str:
    return roots.token(_PURPOSE, grant.grant_id, str(counter), grant.random, version=version)


def next_of(grant: Grant, now: datetime, life: timedelta) -> Grant:
    """The family after a refresh: every token given before is yesterday's."""
    return attrs.evolve(grant, counter=grant.counter + 1, rotated_at=now, expires_at=now + life)


@attrs.frozen
class LiveGrant:
    """A family that holds, with all that it rests on."""

    grant: Grant
    app: ConnectedApp
    consent: Consent
    subject: Subject


async def live_grant(storage: Storage, grant: Grant | None, now: datetime) -> LiveGrant | None:
    """The family with what it rests on, or None if anything of it is over: itself, the app, the agreement, or the person of this epoch."""
    if grant is None or grant.revoked_at is not None or now >= grant.expires_at:
        return None
    app = await storage.get(ConnectedApp, grant.client_id)
    consent = await storage.get(Consent, consent_key(grant.subject_id, grant.client_id))
    subject = await storage.get(User, grant.subject_id)
    if app is None or not app.stands(now) or consent is None or consent.consent_id != grant.consent_id:
        return None
    if subject is None or subject.session_epoch != grant.subject_epoch:
        return None
    return LiveGrant(grant, app, consent, subject)
