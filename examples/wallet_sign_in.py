"""Sign-in by a crypto wallet: the page asks for a text, the wallet signs it, the answer is kept in cookies."""

from fastapi import FastAPI

from authmw import Auth, AuthMiddleware, Cookies, Settings
from authmw.hosts.fastapi import Session
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"))
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.post("/wallet/start")
async def start(address: str) -> dict[str, str]:
    asked = await auth.crypto_wallets.authenticate_start(crypto_wallet_type="ethereum", crypto_wallet_address=address)
    return {"text": asked.challenge}


@app.post("/wallet/finish")
async def finish(address: str, signature: str) -> dict[str, str]:
    answer = await auth.crypto_wallets.authenticate(
        crypto_wallet_type="ethereum",
        crypto_wallet_address=address,
        signature=signature,
        session_duration_minutes=60,
    )
    auth.keep(answer)
    return {"user": answer.user_id}


@app.get("/me")
async def me(session: Session) -> dict[str, str]:
    return {"user": session.user_id}
