"""Sign-in by the tokens of a service that signs your people in already: no password moves, and nobody signs in twice."""

from os import environ
from pathlib import Path

from fastapi import FastAPI

from authmw import AttributeMapping, Auth, AuthMiddleware, Cookies, Settings, TrustedTokenProfile
from authmw.hosts.fastapi import Session
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

legacy = TrustedTokenProfile(
    profile_id="legacy",
    issuer="https://legacy.example",
    audience="our-app",
    pem_keys=[Path(environ["LEGACY_KEY"]).read_text()],  # or jwks_url="https://legacy.example/jwks.json" and a fetcher
    attribute_mapping=AttributeMapping(external_id="sub"),
    can_jit_provision=True,
)
settings = Settings(
    project_id="project-test-1",
    secret="a-secret-of-your-own",
    cookies=Cookies(secure=False),
    trusted_tokens=(legacy,),
)
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"))
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.post("/from-legacy")
async def from_legacy(token: str) -> dict[str, str]:
    answer = await auth.sessions.attest(profile_id="legacy", token=token, session_duration_minutes=60)
    auth.keep(answer)
    return {"user": answer.user_id}


@app.get("/me")
async def me(session: Session) -> dict[str, str]:
    return {"user": session.user_id}
