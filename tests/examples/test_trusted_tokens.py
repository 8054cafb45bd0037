"""The example of trusted tokens, as a page would use it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from authmw.clock import SystemClock
from tests.trusted_issuer import Issuer, key, public_pem

EXAMPLE = Path(__file__).parents[2] / "examples" / "trusted_tokens.py"


def test_a_token_of_the_other_service_signs_in_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pem = tmp_path / "legacy.pem"
    pem.write_text(public_pem(key("one")))
    monkeypatch.setenv("LEGACY_KEY", str(pem))
    client, issuer = TestClient(runpy.run_path(str(EXAMPLE))["app"]), Issuer(SystemClock())
    token = issuer.token()
    user = client.post("/from-legacy", params={"token": token}).json()["user"]
    assert client.get("/me").json() == {"user": user}
    assert client.post("/from-legacy", params={"token": token}).status_code == 400
