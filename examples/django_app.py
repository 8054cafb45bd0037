"""Django: the whole sign-in by a mailed link, on ASGI and on WSGI. In a project, the two applications stand in `asgi.py` and `wsgi.py`."""

import asyncio
from html import escape

import django
from django.conf import settings as project
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path

from authmw import Auth, AuthMiddleware, Cookies, Settings, current_session, optional_session, require_session
from authmw.hosts.wsgi import AuthMiddleware as WSGIAuthMiddleware
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


def login(request: HttpRequest) -> HttpResponse:
    address = request.POST["email"]
    auth.run(
        auth.magic_links.email.login_or_create(
            email=address, login_magic_link_url=LANDING, signup_magic_link_url=LANDING
        )
    )
    return HttpResponse("Look into your inbox.")


def authenticate(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return HttpResponse(BUTTON.format(escape(request.GET["token"])))
    auth.keep(auth.run(auth.magic_links.authenticate(token=request.POST["token"], session_duration_minutes=60)))
    return HttpResponseRedirect("/dashboard", status=303)


def dashboard(request: HttpRequest) -> HttpResponse:
    return HttpResponse("You're logged in." if optional_session() else "Log in to view this page")


@require_session
def me(request: HttpRequest) -> HttpResponse:
    return HttpResponse(current_session().user_id)


@require_session
async def later(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse(current_session().user_id)


urlpatterns = [
    path("login", login),
    path("authenticate", authenticate),
    path("dashboard", dashboard),
    path("me", me),
    path("later", later),
]
project.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost"],
    SECRET_KEY="a-key-of-your-own",
    MIDDLEWARE=["authmw.hosts.django.RefusalMiddleware"],
)
django.setup()
app = AuthMiddleware(get_asgi_application(), auth)
wsgi_app = WSGIAuthMiddleware(get_wsgi_application(), auth)
