"""Pure decisions of a provider: what may be asked for, whether the person must be asked, and what a code or a refresh token is good for.

Law: everything that a client says about a code is compared with what was stored when the person agreed, and a second use of what is good once ends all that
came of the first (RFC 6749 section 4.1.2, RFC 9700 sections 2.1.1 and 4.14).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from urllib.parse import quote

from authmw.crypto.pkce import is_challenge
from authmw.errors import Refused
from authmw.factors.challenges import check_pkce
from authmw.people.apps import ConnectedApp, Consent, Grant
from authmw.people.records import Subject
from authmw.permissions import Policy, granting_roles
from authmw.platform.connected_apps.rules import assures_identity, matches
from authmw.platform.idp.records import AuthorizationCode, DeviceRequest
from authmw.scopes import is_scope, parted
from authmw.settings import Settings

CODE_LIFE = timedelta(minutes=5)
"""How long an authorization code lives; RFC 6749 section 4.1.2 recommends at most ten minutes."""
MAXIMUM_RESOURCES = 5

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEVICE_LIFE = timedelta(minutes=10)
"""How long a device waits for its person."""
DEVICE_INTERVAL = timedelta(seconds=5)
"""How often a device may ask (RFC 8628 section 3.2)."""

Use: TypeAlias = Literal["fresh", "replayed"]


def check_request(app: ConnectedApp | None, redirect_uri: str, response_type: str, now: datetime) -> ConnectedApp:
    """The app that asks. Refused if there is none, or people may not be sent to that URL: such a refusal is shown and never redirected."""
    if app is None or not app.stands(now):
        raise Refused("connected_app_not_found")
    if not matches(app.redirect_urls, redirect_uri):
        raise Refused("connected_app_supplied_redirect_url_not_found_in_client")
    if response_type != "code":
        raise Refused("unsupported_response_type")
    return app


def asked_scopes(settings: Settings, scopes: Sequence[str]) -> tuple[str, ...]:
    """What is asked for, each once. Refused `oauth_invalid_scope_requested` for a scope that nobody declared."""
    known = words_of(settings)
    if not set(scopes) <= known.keys():
        raise Refused("oauth_invalid_scope_requested")
    return tuple(dict.fromkeys(scopes))


def words_of(settings: Settings) -> dict[str, str]:
    """Every scope there is, with what it means for people: the standard ones, the provider's, and those of the RBAC policy."""
    return {**settings.provider.all_scopes(), **{one.scope: one.description for one in settings.rbac.scopes}}


def is_grantable(scope: str, app: ConnectedApp, subject: Subject, roles: Collection[str], policy: Policy) -> bool:
    """Whether this person can give this app this scope: what they may not do themselves, they give to nobody."""
    if scope == "full_access":
        return app.first_party and app.full_access_allowed
    if scope == "email":
        return any(email.verified for email in subject.emails)
    if scope == "phone":
        return any(phone.verified for phone in subject.phones)
    declared = next((one for one in policy.scopes if one.scope == scope), None)
    if declared is None:
        return True
    return all(
        granting_roles(policy, roles, permission.resource_id, action)
        for permission in declared.permissions
        for action in _actions(policy, permission.resource_id, permission.actions)
    )


def _actions(policy: Policy, resource_id: str, actions: Sequence[str]) -> Sequence[str]:
    if "*" not in actions:
        return actions
    return next((one.actions for one in policy.resources if one.resource_id == resource_id), ())


def consent_required(
    app: ConnectedApp, consent: Consent | None, scopes: Sequence[str], redirect_uri: str, prompt: str | None
) -> bool:
    """Whether the person must be asked before the app gets these scopes.

    The project's own apps ask only for `offline_access`, unless they bypass that. A third party asks for what was not agreed to before, and again when the document that describes it sends people elsewhere. Agreement is not remembered
    for a public app that anything on the device could pose as (RFC 8252 section 8.6).
    """
    if "consent" in checked_prompt(prompt):
        return True
    agreed = set(consent.scopes) if consent is not None else set[str]()
    if app.first_party:
        return (
            "offline_access" in scopes and not app.bypass_consent_for_offline_access and "offline_access" not in agreed
        )
    if app.public and not assures_identity(redirect_uri):
        return True
    if consent is None or (app.described_at is not None and consent.updated_at < app.described_at):
        return True
    return not set(scopes) <= agreed


def checked_prompt(prompt: str | None) -> list[str]:
    """How the person shall be asked (OpenID Connect Core section 3.1.2.1). Words that nobody knows pass; refused `bad_request` for what cannot be a word, since it may hide one that is."""
    words = parted(prompt)
    if not all(is_scope(word) for word in words):
        raise Refused("bad_request", "`prompt` must be words with spaces between them.")
    return words


def checked_challenge(challenge: str | None) -> str:
    """An S256 code challenge, which every client must bring (RFC 9700 section 2.1.1). Refused: `pkce_required_for_idp_authorization_flow`, `invalid_pkce_code_challenge`."""
    if not challenge:
        raise Refused("pkce_required_for_idp_authorization_flow")
    if not is_challenge(challenge):
        raise Refused("invalid_pkce_code_challenge")
    return challenge


def checked_resources(settings: Settings, resources: Sequence[str]) -> tuple[str, ...]:
    """The resources that tokens shall be for. Refused `invalid_target` for one that is not declared, and for more than five (RFC 8707 section 2)."""
    if len(resources) > MAXIMUM_RESOURCES or any(settings.provider.resource(url) is None for url in resources):
        raise Refused("invalid_target")
    return tuple(dict.fromkeys(resources))


def check_code(
    code: AuthorizationCode | None, *, client_id: str, redirect_uri: str | None, verifier: str | None, now: datetime
) -> Use:
    """What a code is worth to who presents it. Refused `invalid_grant` for one that is not the client's, is over, or whose other half is missing.

    A code that was used is told apart before anything else is compared, but only to the client that it was made for.
    """
    if code is None or code.client_id != client_id:
        raise Refused("invalid_grant")
    if code.used_grant is not None:
        return "replayed"
    if now >= code.expires_at or redirect_uri != code.redirect_uri:
        raise Refused("invalid_grant")
    try:
        check_pkce(code.challenge, verifier)
    except Refused:
        raise Refused("invalid_grant") from None
    return "fresh"


def check_device(request: DeviceRequest | None, *, client_id: str, now: datetime) -> Use:
    """What a device code is worth to who presents it. Refused in the words of RFC 8628 section 3.5, the pending one last: who asks too often is told before this rule."""
    if request is None or request.client_id != client_id:
        raise Refused("invalid_grant")
    if request.used_grant is not None:
        return "replayed"
    if now >= request.expires_at:
        raise Refused("expired_token")
    if request.denied:
        raise Refused("access_denied")
    if not request.subject_id:
        raise Refused("authorization_pending")
    return "fresh"


def canonical_user_code(text: str) -> str:
    """What a person typed, without what they typed around it: spaces, dashes and small letters are forgiven (RFC 8628 section 6.1)."""
    return "".join(letter for letter in text.upper() if "A" <= letter <= "Z")[:64]


def spelled_user_code(code: str) -> str:
    """A user code as it is shown: in two halves."""
    half = len(code) // 2
    return f"{code[:half]}-{code[half:]}"


def check_refresh(grant: Grant, counter: int, now: datetime, grace: timedelta) -> Literal["current", "late", "reused"]:
    """What one of the tokens we gave is worth now: today's; yesterday's within the grace that a project allows; or one that ends the family."""
    if counter == grant.counter:
        return "current"
    if counter == grant.counter - 1 and now < grant.rotated_at + grace:
        return "late"
    return "reused"


def narrowed(held: Sequence[str], asked: str | None) -> tuple[str, ...]:
    """The scopes of one token: all that is held, or what is asked for of it. Refused `invalid_scope` for more."""
    wanted = parted(asked)
    if not set(wanted) <= set(held):
        raise Refused("invalid_scope")
    return tuple(dict.fromkeys(wanted)) or tuple(held)


def audience_of(app: ConnectedApp, resources: Sequence[str], asked: str | None) -> tuple[str, ...]:
    """Whom a token is for: the resources asked for, all that were agreed to, or the app's own audience; none is the project. Refused `invalid_target`."""
    if asked is not None:
        named = tuple(dict.fromkeys(parted(asked)))
        if not named or not set(named) <= set(resources):
            raise Refused("invalid_target")
        return named
    if resources:
        return tuple(resources)
    return (app.access_token_custom_audience,) if app.access_token_custom_audience else ()


def check_key(bound: str | None, proved: str | None, *, required: bool) -> str | None:
    """The key that a token shall be bound to. Refused `invalid_dpop_proof` if it was bound to another one, or must be bound and is not (RFC 9449 sections 5 and 10)."""
    if (bound is not None and proved != bound) or (required and proved is None):
        raise Refused("invalid_dpop_proof")
    return proved


def answer_url(redirect_uri: str, **parameters: str | None) -> str:
    """The URL that a browser goes back to, with these parameters added to its query. The URL is a registered one, whose names cannot be ours."""
    pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items() if value is not None)
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{pairs}"
