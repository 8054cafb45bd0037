"""Pure decisions of a sign-in by a provider: what is asked, what came back, who it is, and whether an e-mail address is proved by it.

Law: whatever a provider sends is text from a stranger. Only what its row says counts, absent means no, and nothing of it is shown in an error (OAU-06, OAU-09).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import quote, urlencode

import attrs
import msgspec

from authmw.crypto.pkce import challenge_of
from authmw.errors import Refused
from authmw.factors.oauth.id_tokens import ALGORITHMS, issuer_fits
from authmw.fetching import decoded_object
from authmw.identifiers import canonical_email
from authmw.oauth_providers import LONGEST_SCOPE, PERSONAL_TENANT, OAuthProvider, ProviderRow, may_be_called
from authmw.scopes import is_scope, parted

LIFE = timedelta(minutes=10)
"""How long a flow may take, from the start to the callback (OAU-01)."""
TOKEN_LIFE = timedelta(minutes=5)
"""How long the token of the landing URL waits for `authenticate`."""
OURS = frozenset(
    {
        "client_id",
        "client_secret",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "redirect_uri",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)
"""Parameters of an authorization request that nobody else says (RED-01, A151)."""
_GMAIL = ("@gmail.com", "@googlemail.com")
_TEXT = 2048


class ProviderTokens(msgspec.Struct, kw_only=True):
    """What a provider granted. Sealed wherever it is kept."""

    access_token: str = ""
    refresh_token: str = ""
    id_token: str = ""
    scopes: list[str] = []
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        """Nothing of it."""
        return "ProviderTokens(***)"


class Profile(msgspec.Struct, kw_only=True):
    """Who a provider says that somebody is. `email` is canonical; `proved` if the provider's word about it is proof."""

    subject: str
    tenant: str = ""
    email: str = ""
    proved: bool = False
    first_name: str = ""
    last_name: str = ""
    picture: str = ""
    locale: str = ""

    def __repr__(self) -> str:
        """Nothing of it."""
        return "Profile(***)"


def identity_of(provider: OAuthProvider, profile: Profile) -> tuple[str, ...]:
    """What finds the owner again: the provider or issuer, its tenant where subjects are unique only there, and the subject; never an address (ACC-07)."""
    return (provider.issuer or provider.name, *filter(None, (profile.tenant,)), profile.subject)


# --- Asking ---


def scopes_of(row: ProviderRow, provider: OAuthProvider, custom: str | None) -> tuple[str, ...]:
    """The scopes to ask for: the base ones, then what the project and the request add, each once. Refused: `oauth_invalid_scope_requested`."""
    asked = parted((custom or "").replace(",", " ") if row.separator == "," else custom)
    if asked and not row.takes_scopes:
        raise Refused("oauth_invalid_scope_requested")
    if any(not is_scope(scope, LONGEST_SCOPE) for scope in asked):
        raise Refused("oauth_invalid_scope_requested")
    return tuple(dict.fromkeys((*row.scopes, *provider.scopes, *asked)))


def authorization_url(
    row: ProviderRow,
    provider: OAuthProvider,
    *,
    redirect_uri: str,
    state: str,
    nonce: str,
    verifier: str,
    scopes: Sequence[str],
    parameters: Mapping[str, str],
) -> str:
    """Where the browser goes. `parameters` are the request's own `provider_*`; one that is ours to say is refused."""
    if OURS & parameters.keys():
        raise Refused("bad_request", "A provider_ parameter cannot replace one of the flow's own.")
    asked = {
        **row.parameters,
        **parameters,
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": row.separator.join(scopes),
        "state": state,
    }
    if row.jwks_url:
        asked["nonce"] = nonce
    if row.pkce:
        asked |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
    if row.form_post:
        asked["response_mode"] = "form_post"
    return f"{row.authorize_url}{'&' if '?' in row.authorize_url else '?'}{urlencode(asked, quote_via=quote)}"


# --- What came back ---


def check_callback_issuer(row: ProviderRow, issuer: str | None, tenants: frozenset[str]) -> None:
    """Refused for a redirect of another server, or one that does not name itself though it says that it does (RFC 9207 section 2.4)."""
    if issuer is None and not row.announces_issuer:
        return
    known = (row.announces_issuer,) if row.announces_issuer else row.issuers
    if issuer is None or not any(issuer_fits(issuer, one, tenants) for one in known):
        raise Refused("oauth_invalid_callback_request")


def granted(status: int, body: bytes, asked: Sequence[str], now: datetime) -> ProviderTokens:
    """What a token endpoint granted (RFC 6749 section 5.1); an error may come with status 200 as well."""
    answer = decoded_object(body, "oauth_flow_callback_error")
    if status != 200 or "error" in answer or answer.get("ok") is False:
        refused_client = answer.get("error") in ("invalid_client", "unauthorized_client")
        raise Refused("oauth_token_exchange_invalid_client" if refused_client else "oauth_auth_code_error")
    access, kind = answer.get("access_token"), answer.get("token_type", "bearer")
    if not isinstance(access, str) or not access or not isinstance(kind, str) or kind.lower() != "bearer":
        raise Refused("oauth_flow_callback_error")
    lasts = answer.get("expires_in")
    if isinstance(lasts, str) and lasts.isascii() and lasts.isdigit() and len(lasts) < 12:
        lasts = int(lasts)
    known = isinstance(lasts, int) and not isinstance(lasts, bool) and 0 < lasts < 10**9
    scope = answer.get("scope")
    return ProviderTokens(
        access_token=access,
        refresh_token=_text(answer.get("refresh_token"), 16384),
        id_token=_text(answer.get("id_token"), 16384),
        scopes=parted(scope.replace(",", " ")) if isinstance(scope, str) and scope else list(asked),
        expires_at=now + timedelta(seconds=lasts) if known and isinstance(lasts, int) else None,
    )


def client_headers(row: ProviderRow, provider: OAuthProvider) -> dict[str, str]:
    """The Basic header where the provider wants one: id and secret percent-encoded first (RFC 6749 section 2.3.1)."""
    if row.authentication != "basic":
        return {}
    pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret.reveal(), safe='')}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def app_secret_proof(provider: OAuthProvider, access_token: str) -> str:
    """Facebook's proof that a call comes from the app itself."""
    return hmac.new(provider.client_secret.reveal().encode(), access_token.encode(), "sha256").hexdigest()


def merged(claims: Mapping[str, Any], userinfo: Mapping[str, Any]) -> dict[str, Any]:
    """Claims of an ID token completed by UserInfo, which must speak of the same subject (OAU-04). An address and its flag come from one document."""
    if userinfo and userinfo.get("sub") != claims.get("sub"):
        raise Refused("oauth_flow_callback_error")
    both = {**claims, **userinfo}
    if "email" in userinfo:
        both["email_verified"] = userinfo.get("email_verified", False)
    return both


# --- Who it is ---


def profile_of(row: ProviderRow, provider: OAuthProvider, said: Mapping[str, Any], emails: object = None) -> Profile:
    """Who a profile describes. Refused if it names no subject. `emails` is the answer of the second call, where there is one."""
    subject = _at(said, row.subject)
    if isinstance(subject, int) and not isinstance(subject, bool):
        subject = str(subject)
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise Refused("oauth_flow_callback_error")
    address, flagged = _at(said, row.email), _at(said, row.verified)
    if row.emails_url:
        address, flagged = _primary(emails)
    email = _canonical(address)
    first, last = _names(said)
    picture = _text(_at(said, row.picture), _TEXT) if row.picture else ""
    return Profile(
        subject=subject,
        tenant=_text(said.get("https://slack.com/team_id"), 64) if provider.name == "slack" else "",
        email=email,
        proved=bool(email) and is_proof(row, said, email, flagged),
        first_name=first,
        last_name=last,
        picture=picture if picture.startswith("https://") else "",
        locale=_text(said.get("locale"), 35),
    )


def is_proof(row: ProviderRow, said: Mapping[str, Any], email: str, flagged: object) -> bool:
    """Whether the provider's word makes an address proved: true is true, and everything else is not (OAU-06)."""
    match row.proof:
        case "never":
            return False
        case "flag":
            return flagged is True
        case "flag_or_text":
            return flagged is True or flagged == "true"
        case "google":
            # Other mailboxes may have changed hands since Google saw them.
            hosted = isinstance(said.get("hd"), str) and email.endswith("@" + str(said["hd"]).lower())
            return flagged is True and (hosted or email.endswith(_GMAIL))
        case _:  # Microsoft
            edov = said.get("xms_edov")
            return edov is True or edov in ("1", "true") or (edov == 1) or said.get("tid") == PERSONAL_TENANT


def _at(said: object, path: str) -> Any:
    for name in path.split("."):
        said = cast("Mapping[str, object]", said).get(name) if isinstance(said, Mapping) else None
    return said


def _primary(emails: object) -> tuple[object, object]:
    """The primary address and its flag, of a list of addresses; none if the list could not be read."""
    listed: object = cast("object", emails) if isinstance(emails, list) else _at(emails, "values")
    for entry in cast("list[object]", listed) if isinstance(listed, list) else ():
        if _at(entry, "primary") is True:
            return _at(entry, "email"), _at(entry, "verified")
        if _at(entry, "is_primary") is True:
            return _at(entry, "email"), _at(entry, "is_confirmed")
    return None, None


def _canonical(address: object) -> str:
    try:
        return canonical_email(address)
    except Refused:
        return ""


def _names(said: Mapping[str, Any]) -> tuple[str, str]:
    first = _text(said.get("given_name") or said.get("first_name"), 128)
    last = _text(said.get("family_name") or said.get("last_name"), 128)
    if first or last:
        return first, last
    whole = said.get("name") or _at(said, "data.name") or said.get("display_name") or said.get("global_name")
    head, _, tail = _text(whole, 256).strip().partition(" ")
    return head[:128], tail[:128]


def _text(value: object, longest: int) -> str:
    return value if isinstance(value, str) and len(value) <= longest else ""


# --- Discovery ---


def row_of_metadata(
    row: ProviderRow, provider: OAuthProvider, document: Mapping[str, Any], *, live: bool
) -> tuple[ProviderRow, tuple[str, ...]]:
    """The row of an OpenID provider completed by its discovery document, and the algorithms both sides take. Endpoints of the settings win.

    Refused unless the document's issuer is the configured one byte for byte and every endpoint is https (OAU-05, OpenID Connect Discovery section 4.3).
    """
    if document.get("issuer") != provider.issuer:
        raise Refused("oauth_flow_callback_error")
    found: dict[str, Any] = {
        "authorize_url": row.authorize_url or document.get("authorization_endpoint"),
        "token_url": row.token_url or document.get("token_endpoint"),
        "jwks_url": row.jwks_url or document.get("jwks_uri"),
    }
    userinfo = row.userinfo_url or document.get("userinfo_endpoint") or ""
    if not all(may_be_called(url, live=live) for url in (*found.values(), *filter(None, (userinfo,)))):
        raise Refused("oauth_flow_callback_error")
    offered = document.get("id_token_signing_alg_values_supported", ["RS256"])
    algorithms = tuple(name for name in ALGORITHMS if isinstance(offered, list) and name in offered)
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    basic = isinstance(methods, list) and "client_secret_post" not in methods
    announced = document.get("authorization_response_iss_parameter_supported") is True
    return (
        attrs.evolve(
            row,
            **found,
            userinfo_url=userinfo,
            authentication="basic" if basic else "post",
            announces_issuer=provider.issuer if announced else "",
        ),
        algorithms,
    )
