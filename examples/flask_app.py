"""Flask: one line to install, one decorator to protect."""

from flask import Flask

from authmw import Auth, Cookies, Settings, current_session, require_session
from authmw.hosts.flask import install
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())
app = Flask(__name__)
install(app, auth)


@app.get("/dashboard")
@require_session
def dashboard() -> dict[str, str]:
    return {"user": current_session().user_id}


@app.get("/later")
@require_session
async def later() -> dict[str, str]:
    return {"user": current_session().user_id}
