"""Sign-in by a code that comes as a text: asked for with a number, answered within two minutes. Texts leave by a carrier over the guarded client."""

from os import environ

from fastapi import FastAPI, HTTPException

from authmw import Auth, AuthMiddleware, Cookies, PhoneRules, Refused, Settings
from authmw.hosts.fastapi import Session
from authmw_adapters.carriers import TwilioSender
from authmw_adapters.fetcher import GuardedFetcher
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

carrier = TwilioSender(
    GuardedFetcher(),
    account_sid=environ["TWILIO_ACCOUNT"],
    auth_token=environ["TWILIO_TOKEN"],
    sender=environ["TWILIO_NUMBER"],
    base_url=environ.get("TWILIO_URL", "https://api.twilio.com"),
)
settings = Settings(
    project_id="project-test-1",
    secret="a-secret-of-your-own",
    cookies=Cookies(secure=False),
    phones=PhoneRules(countries={"US", "CA", "DE"}, per_number_hour=5),  # each text costs, and some numbers earn by it
)
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), sms=carrier)
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.post("/code")
async def code(number: str) -> dict[str, str]:
    try:
        sent = await auth.otps.sms.login_or_create(phone_number=number)
    except Refused as refused:
        raise HTTPException(refused.status, refused.message) from None
    return {"method": sent.phone_id}


@app.post("/sign-in")
async def sign_in(method: str, code: str) -> dict[str, str]:
    try:
        known = await auth.otps.authenticate(method_id=method, code=code, session_duration_minutes=60)
    except Refused as refused:
        raise HTTPException(refused.status, refused.message) from None
    auth.keep(known)
    return {"user": known.user_id}


@app.get("/me")
async def me(session: Session) -> dict[str, str]:
    return {"user": session.user_id}
