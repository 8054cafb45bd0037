"""The wallet example, as a page would use it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from authmw.testing import EthereumWallet

EXAMPLE = Path(__file__).parents[2] / "examples" / "wallet_sign_in.py"


def test_a_wallet_signs_in_and_the_session_is_kept_in_cookies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    client, wallet = TestClient(runpy.run_path(str(EXAMPLE))["app"]), EthereumWallet(5)
    text = client.post("/wallet/start", params={"address": wallet.address}).json()["text"]
    finish = {"address": wallet.address, "signature": wallet.sign(text)}
    user = client.post("/wallet/finish", params=finish).json()["user"]
    assert client.get("/me").json() == {"user": user}
    assert client.post("/wallet/finish", params=finish).status_code == 401
