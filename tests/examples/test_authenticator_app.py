"""The authenticator-app example, as a page would use it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pyotp
import pytest

from authmw.drive import step

EXAMPLE = Path(__file__).parents[2] / "examples" / "authenticator_app.py"


def test_a_code_of_the_app_opens_what_one_factor_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    example = runpy.run_path(str(EXAMPLE))
    auth, client = example["auth"], example["app"].test_client()
    step(auth.magic_links.email.login_or_create(email="ada@example.org"))
    printed = capsys.readouterr()
    link = re.search(r"token=([\w-]{20,})", printed.out + printed.err)
    assert link is not None
    signed_in = step(auth.magic_links.authenticate(token=link.group(1), session_duration_minutes=60))
    client.set_cookie("authmw_session", signed_in.session_token)
    assert client.get("/vault").status_code == 401
    made = client.post("/app").json
    code = pyotp.TOTP(made["secret"]).now()
    assert client.post("/app/code", data={"code": code}).json == {"user": signed_in.user_id}
    assert client.get("/vault").json == {"user": signed_in.user_id}
    assert client.post("/app/code", data={"code": code}).status_code == 400
