"""A second factor by an authenticator app: a signed-in person enrols one, and a sensitive page asks for two factors."""

from flask import Flask, request

from authmw import Auth, Cookies, Settings, current_session, require_mfa, require_session
from authmw.hosts.flask import install
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())
app = Flask(__name__)
install(app, auth)


@app.post("/app")
@require_session
def enrol() -> dict[str, object]:
    made = auth.run(auth.totps.create(user_id=current_session().user_id))
    return {"picture": made.qr_code, "secret": made.secret, "recovery_codes": made.recovery_codes}


@app.post("/app/code")
def prove() -> dict[str, str]:
    token = request.cookies["authmw_session"]
    session = auth.run(auth.sessions.authenticate(session_token=token))
    code = request.form["code"]
    answer = auth.run(auth.totps.authenticate(user_id=session.user_id, totp_code=code, session_token=token))
    auth.keep(answer)
    return {"user": answer.user_id}


@app.get("/vault")
@require_mfa
def vault() -> dict[str, str]:
    return {"user": current_session().user_id}
