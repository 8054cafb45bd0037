"""The passkey example, as a page and a passkey would use it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from authmw.drive import step
from authmw.testing import VirtualAuthenticator

EXAMPLE = Path(__file__).parents[2] / "examples" / "passkeys.py"
ORIGIN = "http://localhost:8000"


def test_a_passkey_is_added_by_who_is_signed_in_and_signs_in_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    example = runpy.run_path(str(EXAMPLE))
    auth, device = example["auth"], VirtualAuthenticator()
    step(auth.magic_links.email.login_or_create(email="ada@example.org"))
    printed = capsys.readouterr()
    link = re.search(r"token=([\w-]{20,})", printed.out + printed.err)
    assert link is not None
    signed_in = step(auth.magic_links.authenticate(token=link.group(1), session_duration_minutes=60))
    owner = TestClient(example["app"], cookies={"authmw_session": signed_in.session_token})
    credential = device.register(owner.get("/passkey/new").text, origin=ORIGIN)
    assert owner.post("/passkey/new", json=credential).json()["passkey"]
    visitor = TestClient(example["app"])
    assert visitor.get("/me").status_code == 401
    assert visitor.get("/passkey/new").status_code == 401
    credential = device.authenticate(visitor.get("/passkey").text, origin=ORIGIN)
    assert visitor.post("/passkey", json=credential).json() == {"user": signed_in.user_id}
    assert visitor.get("/me").json() == {"user": signed_in.user_id}
    assert visitor.post("/passkey", json=credential).status_code == 401
