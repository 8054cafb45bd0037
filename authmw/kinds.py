"""Every kind of record that an `Auth` stores. A product that stores records names their kinds here."""

from __future__ import annotations

from authmw.factors.challenges import Challenge
from authmw.factors.spent import SpentToken
from authmw.ledger.records import Delivery, Event, Outgoing, Purge
from authmw.people.apps import ConnectedApp, Consent, Grant
from authmw.people.records import Credential, Organization, Session, User
from authmw.platform.fraud.records import FraudRule, VerdictOverride
from authmw.platform.idp.records import AuthorizationCode, DeviceRequest, PushedRequest
from authmw.platform.m2m.records import M2MClient
from authmw.project import StoredProject, StoredTemplate
from authmw.signin.keys import FirstKey, StoredKey
from authmw.storage import Record

KINDS: tuple[type[Record], ...] = (
    User,
    Organization,
    Credential,
    Session,
    Challenge,
    SpentToken,
    Event,
    Outgoing,
    Purge,
    Delivery,
    StoredProject,
    StoredTemplate,
    StoredKey,
    FirstKey,
    M2MClient,
    FraudRule,
    VerdictOverride,
    ConnectedApp,
    Consent,
    Grant,
    AuthorizationCode,
    DeviceRequest,
    PushedRequest,
)
"""Every kind of record that an `Auth` stores."""
