"""Sign-up, sign-in and a forgotten password, as a small JSON API of a host."""

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from authmw import Auth, AuthMiddleware, Cookies, PasswordRules, RedirectType, RedirectURL, Refused, Settings
from authmw.hosts.fastapi import Session
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

# A pepper lives outside of the database; breached passwords are looked up with
# Auth(..., breaches=PwnedPasswords(GuardedFetcher())), of which no more than five letters leave.
settings = Settings(
    project_id="project-test-1",
    secret="a-secret-of-your-own",
    cookies=Cookies(secure=False),
    passwords=PasswordRules(minimum_length=10, peppers=(b"32 random bytes from your secrets",)),
    redirect_urls=(RedirectURL("http://localhost:8000/welcome", RedirectType, RedirectType),),
)
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


class Person(BaseModel):
    email: str
    password: str


class NewPassword(BaseModel):
    token: str
    password: str


@app.post("/sign-up")
async def sign_up(person: Person) -> dict[str, str]:
    try:
        made = await auth.passwords.create(email=person.email, password=person.password, session_duration_minutes=60)
    except Refused as refused:
        # `weak_password` comes with words for the person: what is wrong, and what to do.
        raise HTTPException(refused.status, refused.message) from None
    auth.keep(made)
    return {"user": made.user_id}


@app.post("/sign-in")
async def sign_in(person: Person) -> dict[str, str]:
    try:
        known = await auth.passwords.authenticate(
            email=person.email, password=person.password, session_duration_minutes=60
        )
    except Refused as refused:
        # `reset_password` sends the person to the next route; everything else is one refusal.
        raise HTTPException(refused.status, refused.error_type) from None
    auth.keep(known)
    return {"user": known.user_id}


@app.post("/forgotten", status_code=202)
async def forgotten(email: str) -> None:
    try:
        await auth.passwords.email.reset_start(email=email)
    except Refused as refused:
        if refused.error_type != "email_not_found":  # which is nobody's business
            raise HTTPException(refused.status, refused.message) from None


@app.post("/new-password")
async def new_password(chosen: NewPassword) -> dict[str, str]:
    try:
        changed = await auth.passwords.email.reset(
            token=chosen.token, password=chosen.password, session_duration_minutes=60
        )
    except Refused as refused:
        raise HTTPException(refused.status, refused.message) from None
    auth.keep(changed)
    return {"user": changed.user_id}


@app.get("/me")
async def me(session: Session) -> dict[str, str]:
    return {"user": session.user_id}
