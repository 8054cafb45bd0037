"""Access tokens on a host's routes: `require_bearer`, and the challenge that tells a client where to get one (RFC 6750, RFC 9728).

Law: a token is read from the Authorization header and from nowhere else, is good for one audience, and one that is bound to a key needs that key's proof (RFC 9449).
Cookies mean nothing here, so a view behind this guard needs no other defence against requests from foreign pages.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, cast

import attrs

from authmw import drive
from authmw.crypto.dpop import ALGORITHMS, check_proof
from authmw.crypto.jwts import InvalidToken
from authmw.errors import Refused
from authmw.limits import Limit, LimitReached
from authmw.operations import Core, visit
from authmw.settings import Settings
from authmw.signin.access_tokens import AccessToken, live_access_token, verify_access_token
from authmw.signin.keys import KeyRing

P = ParamSpec("P")
T = TypeVar("T")
_SEEN = timedelta(minutes=10)
"""How long a proof is remembered: longer than it could pass again."""


@attrs.frozen(kw_only=True)
class Presented:
    """What a request presents: its method, its path at the public address, and its headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, Sequence[str]] = attrs.field(repr=False)
    guard: BearerGuard = attrs.field(repr=False)


held: ContextVar[AccessToken | None] = ContextVar("authmw_access_token", default=None)


def current_token() -> AccessToken:
    """The access token that `require_bearer` proved for this view. RuntimeError elsewhere."""
    token = held.get()
    if token is None:
        message = "No access token was proved here: is the view behind require_bearer?"
        raise RuntimeError(message)
    return token


def require_bearer(
    *, resource: str | None = None, scopes: Sequence[str] = (), exact: bool = False
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Only with an access token for this resource, which holds these scopes.

    `resource` is the URL of one that `Settings.provider` declares, or its path at the public address; None takes tokens for the project itself. `exact` asks storage
    whether what the token came of was revoked since; else a token is good until it ends. Answers 401 with the challenge of RFC 9728 section 5.1, and 403 for a missing scope.
    """

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        if inspect.iscoroutinefunction(view):

            @functools.wraps(view)
            async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                here = _presented()
                guard = here.guard
                work = guard.proved(here, resource, tuple(scopes), exact=exact)
                token = held.set(await drive.operate(guard.io, work))
                try:
                    return await cast("Awaitable[Any]", view(*args, **kwargs))
                finally:
                    held.reset(token)

            return cast("Callable[P, T]", guarded_async)

        @functools.wraps(view)
        def guarded_sync(*args: P.args, **kwargs: P.kwargs) -> T:
            here = _presented()
            guard = here.guard
            token = held.set(drive.run(guard.io, guard.proved(here, resource, tuple(scopes), exact=exact)))
            try:
                return view(*args, **kwargs)
            finally:
                held.reset(token)

        return guarded_sync

    return decorate


def _presented() -> Presented:
    here = visit.get()
    presented = here.presented() if here is not None else None
    if presented is None:
        message = "No authmw middleware handles this request: install it before guarding a view."
        raise RuntimeError(message)
    return cast("Presented", presented)


class BearerGuard:
    """Proves the access tokens of one `Auth`."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        self._core = core
        self._keys = keys

    @property
    def io(self) -> drive.IO:
        """How `proved` waits."""
        return self._core.storage.io

    async def proved(
        self, here: Presented, resource: str | None, scopes: tuple[str, ...], *, exact: bool
    ) -> AccessToken:
        """The token that a request presents. Refused: `invalid_token`, `insufficient_scope`, `invalid_dpop_proof`, each with its challenge."""
        settings = self._core.settings
        audience = settings.origin + resource if resource is not None and resource.startswith("/") else resource
        scheme, token = _credentials(here)
        if not token:
            raise _refused(settings, "invalid_token", audience, scopes, said=False)
        try:
            said = await self._verified(token, audience, exact=exact)
        except InvalidToken:
            raise _refused(settings, "invalid_token", audience, scopes) from None
        if said.key is not None or scheme == "dpop" or settings.provider.require_dpop:
            try:
                await self._check_key(here, said, token, scheme)
            except (InvalidToken, LimitReached):
                raise _refused(settings, "invalid_dpop_proof", audience, scopes) from None
        if not set(scopes) <= set(said.scopes):
            raise _refused(settings, "insufficient_scope", audience, scopes)
        return said

    async def _verified(self, token: str, audience: str | None, *, exact: bool) -> AccessToken:
        core, now = self._core, self._core.clock.now()
        said = await verify_access_token(core.settings, self._keys, token, now=now, audience=audience)
        if exact and said.speaker == "access":
            await live_access_token(core.settings, self._keys, core.storage, token, now=now, audience=audience)
        return said

    async def _check_key(self, here: Presented, said: AccessToken, token: str, scheme: str) -> None:
        """Hold a bound token to its key; one that is not bound is no DPoP token (RFC 9449 section 7.1)."""
        proofs = here.headers.get("dpop", ())
        if scheme != "dpop" or said.key is None or len(proofs) != 1:
            raise InvalidToken("key")
        core = self._core
        url = core.settings.origin + here.path
        proof = check_proof(proofs[0], method=here.method, urls=(url,), now=core.clock.now(), access_token=token)
        if proof.thumbprint != said.key:
            raise InvalidToken("key")
        await remember_proof(core, proof.thumbprint, proof.proof_id)


async def remember_proof(core: Core, thumbprint: str, proof_id: str) -> None:
    """Let a proof pass once among all processes: what may happen once in a while is a limit of one. LimitReached the second time."""
    limit = Limit("dpop proof", (core.settings.project_id, thumbprint, proof_id), 1, _SEEN)
    await drive.using(core.limiter.io, core.limiter.take, limit, now=core.clock.now())


def _credentials(here: Presented) -> tuple[str, str]:
    values = here.headers.get("authorization", ())
    if len(values) != 1:
        return "", ""
    scheme, _, token = values[0].partition(" ")
    return (scheme.lower(), token.strip(" \t")) if scheme.lower() in {"bearer", "dpop"} else ("", "")


def metadata_url(settings: Settings, audience: str) -> str | None:
    """Where the metadata of a resource stands: behind the well-known part of its own origin (RFC 9728 section 3.1), if that is ours."""
    if not audience.startswith(settings.origin + "/"):
        return None
    return f"{settings.origin}/.well-known/oauth-protected-resource{audience[len(settings.origin) :]}"


def _refused(
    settings: Settings, error: str, audience: str | None, scopes: Sequence[str], *, said: bool = True
) -> Refused:
    """The refusal with its challenge; `said` is whether there was a token that something could be wrong with (RFC 6750 section 3.1)."""
    refused = Refused(error)
    scheme = "DPoP" if error == "invalid_dpop_proof" else "Bearer"
    parts: list[str] = []
    if said:
        parts.append(f'error="{error}"')
    if scopes:
        parts.append(f'scope="{" ".join(scopes)}"')
    where = metadata_url(settings, audience) if audience is not None else None
    if where is not None:
        parts.append(f'resource_metadata="{where}"')
    if scheme == "DPoP":
        parts.append(f'algs="{" ".join(ALGORITHMS)}"')
        refused.status = 401
    refused.challenge = f"{scheme} {', '.join(parts)}" if parts else scheme
    return refused
