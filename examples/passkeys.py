"""Passkeys: who is signed in adds one, and from then on signs in by it alone. The page hands the options to the browser and sends its answer back."""

from fastapi import Body, FastAPI
from fastapi.responses import Response

from authmw import Auth, AuthMiddleware, Cookies, Settings
from authmw.hosts.fastapi import Session
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


def options(text: str) -> Response:
    """For `PublicKeyCredential.parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON` in the page."""
    return Response(text, media_type="application/json")


@app.get("/passkey/new")
async def new(session: Session) -> Response:
    asked = await auth.webauthn.register_start(
        user_id=session.user_id,
        domain="localhost",
        return_passkey_credential_options=True,
        use_base64_url_encoding=True,
    )
    return options(asked.public_key_credential_creation_options)


@app.post("/passkey/new")
async def add(session: Session, credential: str = Body()) -> dict[str, str]:
    made = await auth.webauthn.register(user_id=session.user_id, public_key_credential=credential)
    return {"passkey": made.webauthn_registration_id}


@app.get("/passkey")
async def ask() -> Response:
    asked = await auth.webauthn.authenticate_start(domain="localhost", use_base64_url_encoding=True)
    return options(asked.public_key_credential_request_options)


@app.post("/passkey")
async def sign_in(credential: str = Body()) -> dict[str, str]:
    answer = await auth.webauthn.authenticate(public_key_credential=credential, session_duration_minutes=60)
    auth.keep(answer)
    return {"user": answer.user_id}


@app.get("/me")
async def me(session: Session) -> dict[str, str]:
    return {"user": session.user_id}
