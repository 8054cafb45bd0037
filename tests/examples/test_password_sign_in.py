"""The password example, as its page would use it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from starlette.testclient import TestClient

EXAMPLE = Path(__file__).parents[2] / "examples" / "password_sign_in.py"
ADA = {"email": "ada@example.org", "password": "lovely purple submarine kettle"}


def test_somebody_signs_up_signs_in_and_sets_another_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    client = TestClient(runpy.run_path(str(EXAMPLE))["app"])
    weak = client.post("/sign-up", json={**ADA, "password": "qwertyuiop"})
    assert (weak.status_code, len(weak.json()["detail"]) > 20) == (400, True)
    user = client.post("/sign-up", json=ADA).json()["user"]
    assert client.get("/me").json() == {"user": user}
    client.cookies.clear()
    for person in ({**ADA, "password": "wrong"}, {**ADA, "email": "nobody@example.org"}):
        refused = client.post("/sign-in", json=person)
        assert (refused.status_code, refused.json()["detail"]) == (401, "unauthorized_credentials")
    assert client.post("/sign-in", json=ADA).json() == {"user": user}
    for email in ("ada@example.org", "nobody@example.org"):
        assert client.post("/forgotten", params={"email": email}).status_code == 202
    printed = capsys.readouterr()
    token = re.findall(r"stytch_token_type=reset_password&token=([\w-]+)", printed.out + printed.err)[0]
    chosen = {"token": token, "password": "nine quiet otters borrow ladders"}
    assert client.post("/new-password", json=chosen).json() == {"user": user}
    assert client.post("/new-password", json=chosen).status_code == 401
    assert client.post("/sign-in", json=ADA).status_code == 401
