"""Who is asked, and who asks: the person behind an authorization request, and the client behind a token request."""

from __future__ import annotations

import attrs

from authmw.errors import Refused
from authmw.operations import Call
from authmw.people.apps import ConnectedApp
from authmw.people.directory import user_by_reference
from authmw.people.records import Session, Subject
from authmw.platform.authentication import authenticate_secret
from authmw.platform.idp.client_documents import Documents
from authmw.signin.keys import KeyRing
from authmw.signin.rules import is_impersonated, satisfies_mfa
from authmw.signin.sessions import live_session


@attrs.frozen
class Person:
    """Who grants access, and the session by which they are known to be there; None where a backend speaks for them."""

    subject: Subject
    session: Session | None


async def person_of(
    call: Call, keys: KeyRing, *, user_id: str | None, session_token: str | None, session_jwt: str | None
) -> Person:
    """The person who is asked for access. From a browser it is whoever it is signed in as, and nobody who is signed in as somebody else.

    Refused: `no_oauth_authorize_user_selector`, `user_unauthenticated`, `insufficient_factors`, `session_not_mutable`, `user_not_found`, the session errors.
    """
    if call.caller.audience == "browser":
        user_id, session_token, session_jwt = None, call.caller.session_token or None, None
        if session_token is None:
            raise Refused("user_unauthenticated")
    if len([one for one in (user_id, session_token, session_jwt) if one]) != 1:
        raise Refused("no_oauth_authorize_user_selector")
    if user_id:
        return Person(await user_by_reference(call.storage, user_id), None)
    live = await live_session(call.storage, keys, call.settings, call.now, token=session_token, jwt=session_jwt)
    assert live is not None  # exactly one of the two was given
    if is_impersonated(live.session.factors):
        raise Refused("session_not_mutable", "Whoever is signed in as somebody else cannot grant access to apps.")
    if not satisfies_mfa(live.subject, live.session.factors, call.settings.mfa, call.settings.second_factors):
        raise Refused("insufficient_factors")
    return Person(live.subject, live.session)


async def client_of(call: Call, client_id: str, secret: str | None, documents: Documents | None = None) -> ConnectedApp:
    """The app that asks: by its secret, or by its name alone if it can keep none. With `documents` it may be one that nobody has let in yet.

    Refused `invalid_client`.
    """
    if documents is not None:
        app = await documents.app(call, client_id)
    else:
        app = await call.storage.get(ConnectedApp, client_id)
    if app is not None and app.public:
        if secret:
            raise Refused("invalid_client")
    else:
        await authenticate_secret(call, client_id, app, secret or "")
    if app is None or not app.stands(call.now):
        raise Refused("invalid_client")
    return app
