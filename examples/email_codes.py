"""Sign-in by a code that comes by e-mail: asked for with an address, answered within ten minutes on the same page."""

from flask import Flask, request

from authmw import Auth, Cookies, Settings, current_session, require_session
from authmw.hosts.flask import install
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())
app = Flask(__name__)
install(app, auth)


@app.post("/code")
def ask() -> dict[str, str]:
    # The same for whoever has an account and whoever gets one by it.
    sent = auth.run(auth.otps.email.login_or_create(email=request.form["email"], expiration_minutes=10))
    return {"method": sent.email_id}


@app.post("/sign-in")
def sign_in() -> dict[str, str]:
    # Five wrong codes end a code; refusals of this operation are answered by `install`.
    answer = auth.run(
        auth.otps.authenticate(method_id=request.form["method"], code=request.form["code"], session_duration_minutes=60)
    )
    auth.keep(answer)
    return {"user": answer.user_id}


@app.get("/me")
@require_session
def me() -> dict[str, str]:
    return {"user": current_session().user_id}
