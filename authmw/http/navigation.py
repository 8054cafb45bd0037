"""The addresses that a browser is led to in a sign-in by a provider: start, callback, and Google One Tap.

Law: what is decided here rests on the pre-login cookie, which is `__Host-`, HttpOnly and Lax and brings nothing across sites with a POST; a posted form is therefore parked
and comes back by our own GET. A redirect is a 303 and sends no referrer (RED-05).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import msgspec
from starlette.responses import Response

from authmw.auth import Auth
from authmw.consumer.oauth.flow import FlowRefused
from authmw.errors import Refused
from authmw.http.answers import json_answer, redirect_answer
from authmw.http.backend import query_of
from authmw.http.bodies import parse_form, parse_object
from authmw.http.browser import check_origin
from authmw.http.cookies import CookieSpec
from authmw.http.pages import refusal_page
from authmw.http.requests import Request
from authmw.http.sessions import cookie_of
from authmw.operations import declared, known, known_as

Target: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]
ONE_TAP = "google-one-tap"
MINUTES = 10


def navigation_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """The routes."""
    yield "GET", "/v1/public/oauth/google/onetap/start", _one_tap_start(auth)
    yield "POST", "/v1/public/oauth/google/onetap/submit", _one_tap_submit(auth)
    yield "GET", "/v1/public/oauth/{provider}/start", _for_people(_start(auth))
    yield "GET", "/v1/oauth/callback/{oauth_callback_id}", _for_people(_callback(auth))
    yield "POST", "/v1/oauth/callback/{oauth_callback_id}", _for_people(_posted(auth))


def binding_spec(auth: Auth) -> CookieSpec:
    """The pre-login cookie. On plain http in Test it has a plain name."""
    secure = auth.settings.cookies.secure
    return CookieSpec(name="__Host-authmw_oauth" if secure else "authmw_oauth", secure=secure)


def _for_people(answer: Target) -> Target:
    """Tell people of a refusal by a page; programs, which do not ask for one, get the JSON of every other address."""

    async def answered(request: Request, parameters: dict[str, str]) -> Response:
        try:
            return await answer(request, parameters)
        except Refused as refused:
            if "text/html" not in (request.header("accept") or ""):
                raise
            return refusal_page(refused)

    return answered


async def _perform(method: Callable[..., Any], values: dict[str, object]) -> Any:
    operation, product = declared(method)
    with known(operation, product):
        arguments = operation.arguments(values, operation.request)
    return await product.core.perform(operation, product, arguments)


def _start(auth: Auth) -> Target:
    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        with known_as(auth.oauth.start):
            query = query_of(request.query)
        passed = {
            name.removeprefix("provider_"): value for name, value in query.items() if name.startswith("provider_")
        }
        named = {name: value for name, value in query.items() if not name.startswith("provider_") and name != "binding"}
        spec = binding_spec(auth)
        values: dict[str, object] = {
            **named,
            **parameters,
            "provider_parameters": passed,
            "binding": cookie_of(auth, request, spec.name),
        }
        result = await _perform(auth.oauth.start, values)
        led = redirect_answer(result.redirect_url)
        led.headers.append("set-cookie", spec.set(result.binding, MINUTES * 60))
        return led

    return answer


def _callback(auth: Auth) -> Target:
    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        with known_as(auth.oauth.callback):
            query = query_of(request.query)
        values: dict[str, object] = {
            **{name: query[name] for name in ("state", "code", "iss", "error", "parked") if name in query},
            **parameters,
            "binding": cookie_of(auth, request, binding_spec(auth).name),
            "csrf_cookie": cookie_of(auth, request, "g_csrf_token"),
        }
        try:
            result = await _perform(auth.oauth.callback, values)
        except FlowRefused as refused:
            return redirect_answer(refused.redirect_url)
        return redirect_answer(result.redirect_url)

    return answer


def _posted(auth: Auth) -> Target:
    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        if request.header("x-stytch-oauth-type") == ONE_TAP:
            return await _submitted(auth, request, parameters)
        with known_as(auth.oauth.callback_form):
            form = parse_form(request.body, request.header("content-type"))
        result = await _perform(auth.oauth.callback_form, {**parameters, "form": form})
        return redirect_answer(result.redirect_url)

    return answer


def _one_tap_start(auth: Auth) -> Target:
    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        spec = binding_spec(auth)
        with known_as(auth.oauth.google_one_tap.start):
            query = query_of(request.query)
        values: dict[str, object] = {
            "public_token": query.get("public_token", ""),
            "binding": cookie_of(auth, request, spec.name),
        }
        result = await _perform(auth.oauth.google_one_tap.start, values)
        shown = msgspec.to_builtins(result)
        # The cookie is HttpOnly; its value stands in no body.
        del shown["binding"]
        told = json_answer(shown)
        told.headers.append("set-cookie", spec.set(result.binding, MINUTES * 60))
        return told

    return answer


def _one_tap_submit(auth: Auth) -> Target:
    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        return await _submitted(auth, request, parameters)

    return answer


async def _submitted(auth: Auth, request: Request, parameters: dict[str, str]) -> Response:
    with known_as(auth.oauth.google_one_tap.submit):
        check_origin(auth, request, by_cookie=True)
        body = parse_object(request.body, request.header("content-type"), required=True)
    values = {**body, **parameters, "binding": cookie_of(auth, request, binding_spec(auth).name)}
    try:
        result = await _perform(auth.oauth.google_one_tap.submit, values)
    except FlowRefused as refused:
        raise Refused(refused.error_type) from None
    shown = {
        "redirect_url": result.redirect_url,
        "status_code": result.status_code,
        "request_id": result.request_id,
    }
    return json_answer(shown)
