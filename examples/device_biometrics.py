"""Sign-in by a phone's fingerprint or face: the app keeps an Ed25519 key behind it, registers the public half, and signs a challenge to come in. Values are base64."""

from flask import Flask, request

from authmw import Auth, Cookies, Settings, current_session, require_session
from authmw.hosts.flask import install
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())
app = Flask(__name__)
install(app, auth)


@app.post("/devices")
@require_session
def begin() -> dict[str, str]:
    user_id = current_session().user_id
    asked = auth.run(auth.biometrics.register_start(user_id=user_id, public_key=request.json["public_key"]))
    return {"device": asked.biometric_registration_id, "challenge": asked.challenge}


@app.post("/devices/<device>")
@require_session
def register(device: str) -> dict[str, str]:
    user_id, signature = current_session().user_id, request.json["signature"]
    auth.run(auth.biometrics.register(user_id=user_id, biometric_registration_id=device, signature=signature))
    return {"device": device}


@app.post("/sign-in/begin")
def ask() -> dict[str, str]:
    asked = auth.run(auth.biometrics.authenticate_start(public_key=request.json["public_key"]))
    return {"device": asked.biometric_registration_id, "challenge": asked.challenge}


@app.post("/sign-in/<device>")
def sign_in(device: str) -> dict[str, str]:
    answer = auth.run(
        auth.biometrics.authenticate(
            biometric_registration_id=device,
            signature=request.json["signature"],
            session_duration_minutes=60,
        )
    )
    return {"user": answer.user_id, "session_token": answer.session_token}
