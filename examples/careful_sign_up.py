"""Before a first mail leaves: what the address tells by itself, by a list of throw-away domains and by DNS. What cannot be told is no reproach."""

from fastapi import FastAPI, HTTPException

from authmw import Auth, AuthMiddleware, Cookies, Refused, Settings
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.dns import DNSMailServers
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(
    settings,
    storage=SQLiteStorage("app.db"),
    limiter=SQLiteLimiter("app.db"),
    email=ConsoleEmailSender(),
    mail_servers=DNSMailServers(),
)
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.post("/sign-up", status_code=202)
async def sign_up(email: str) -> dict[str, object]:
    told = await auth.fraud.email.risk(email_address=email)
    if told.action == "BLOCK":
        raise HTTPException(400, "No mail can reach this address.")
    if told.action == "CHALLENGE":
        raise HTTPException(400, "Please use an address that you will still have next year.")
    try:
        await auth.magic_links.email.login_or_create(email=email)
    except Refused as refused:
        raise HTTPException(refused.status, refused.message) from None
    return {"sent": True, "unknown": told.unknown}
