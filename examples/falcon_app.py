"""Falcon, by the bare WSGI middleware: the whole sign-in by a mailed link. On ASGI the same with `falcon.asgi.App`, coroutines and `authmw.AuthMiddleware`."""

from html import escape

import falcon

from authmw import Auth, Cookies, Refused, Settings, current_session, optional_session, require_session
from authmw.hosts.wsgi import AuthMiddleware
from authmw_adapters.inbox import Inbox
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(
    project_id="project-test-1",
    secret="a-secret-of-your-own",
    cookies=Cookies(secure=False),
    redirect_urls=("http://localhost:8000/authenticate",),
)
inbox = Inbox()
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=inbox)
LANDING = "http://localhost:8000/authenticate"
BUTTON = '<form method="post"><input type="hidden" name="token" value="{}"><button>Sign in</button></form>'


class Login:
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        auth.run(
            auth.magic_links.email.login_or_create(
                email=request.get_media()["email"], login_magic_link_url=LANDING, signup_magic_link_url=LANDING
            )
        )
        response.text = "Look into your inbox."


class Authenticate:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.content_type, response.text = falcon.MEDIA_HTML, BUTTON.format(escape(request.params["token"]))

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        token = request.get_media()["token"]
        auth.keep(auth.run(auth.magic_links.authenticate(token=token, session_duration_minutes=60)))
        raise falcon.HTTPSeeOther("/dashboard")


class Dashboard:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.text = "You're logged in." if optional_session() else "Log in to view this page"


class Me:
    @require_session
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.text = current_session().user_id


def pass_on(request: falcon.Request, response: falcon.Response, refused: Refused, params: object) -> None:
    """Falcon would answer and log it as an error of the host's; the middleware around it knows the answer."""
    raise refused


app = falcon.App(media_type=falcon.MEDIA_TEXT)
app.add_error_handler(Refused, pass_on)
app.add_route("/login", Login())
app.add_route("/authenticate", Authenticate())
app.add_route("/dashboard", Dashboard())
app.add_route("/me", Me())
wsgi_app = AuthMiddleware(app, auth)
