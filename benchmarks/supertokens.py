"""`python -m benchmarks.supertokens`, in its own environment (supertokens.txt): SuperTokens' session check in FastAPI over the bare application, as JSON.

Its core is a server of its own that no package registry has, so it does not run here. What is measured needs none: the SDK verifies an access token by itself, once it has the
core's public keys, which a stand-in publishes here beside the version of its interface. What the SDK asks a core for (a sign-in, a renewal, `check_database`) is not measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.clients import asgi, microseconds

KEY_ID = "d-1"


@contextmanager
def core(key: Any) -> Generator[str]:
    """The address of what publishes this key as a core would."""
    from jwt.algorithms import RSAAlgorithm
    from supertokens_python.constants import SUPPORTED_CDI_VERSIONS

    public = {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": KEY_ID, "alg": "RS256", "use": "sig"}
    answers = {"/.well-known/jwks.json": {"keys": [public]}, "/apiversion": {"versions": SUPPORTED_CDI_VERSIONS}}

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            self.send_response(200 if answer else 404)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_request(self, *told: Any, **more: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def token(key: Any) -> str:
    """An access token as a core of today makes it."""
    import jwt

    now = int(time.time())
    hashed = "ab" * 32
    claims = {
        "sub": "user-1",
        "rsub": "user-1",
        "tId": "public",
        "sessionHandle": "handle-1",
        "iat": now,
        "exp": now + 3600,
    }
    more = {"refreshTokenHash1": hashed, "parentRefreshTokenHash1": None, "antiCsrfToken": None}
    return jwt.encode({**claims, **more}, key, "RS256", {"kid": KEY_ID, "version": "5"})


def apps(where: str) -> tuple[Any, Any]:
    """The bare application, and the one that checks the session."""
    from fastapi import Depends, FastAPI
    from fastapi.responses import PlainTextResponse
    from supertokens_python import InputAppInfo, SupertokensConfig, init
    from supertokens_python.framework.fastapi import get_middleware
    from supertokens_python.recipe import session
    from supertokens_python.recipe.session.framework.fastapi import verify_session

    init(
        app_info=InputAppInfo(app_name="bench", api_domain="http://localhost", website_domain="http://localhost"),
        supertokens_config=SupertokensConfig(connection_uri=where),
        framework="fastapi",
        recipe_list=[session.init(anti_csrf="NONE")],
        mode="asgi",
        telemetry=False,
    )

    async def public() -> PlainTextResponse:
        return PlainTextResponse("hello")

    async def private(checked: Any = Depends(verify_session())) -> PlainTextResponse:
        return PlainTextResponse(checked.get_user_id() and "hello")

    private.__annotations__ = {"checked": Any, "return": PlainTextResponse}
    bare, theirs = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
    bare.add_api_route("/public", public)
    theirs.add_api_route("/private", private)
    theirs.add_middleware(get_middleware())
    return bare, theirs


def main(times: int, rounds: int) -> dict[str, dict[str, float]]:
    """By name: microseconds of the bare request, and what a request with a session costs more."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with core(key) as where, asyncio.Runner() as runner:
        bare, theirs = apps(where)
        cookie = f"sAccessToken={token(key)}"
        drives = {
            "bare": asgi(bare, "/public", cookie, runner.get_loop()),
            "theirs": asgi(theirs, "/private", cookie, runner.get_loop()),
        }
        best = microseconds(drives, times=times, rounds=rounds)
    return {"SuperTokens, JWT": {"bare": best["bare"], "live session": best["theirs"] - best["bare"]}}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
