"""The example of device biometrics, as an app and its phone would use it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from authmw.drive import step
from authmw.testing import DeviceKey

EXAMPLE = Path(__file__).parents[2] / "examples" / "device_biometrics.py"


def test_a_phone_registers_its_key_and_signs_in_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    example = runpy.run_path(str(EXAMPLE))
    auth, client, phone = example["auth"], example["app"].test_client(), DeviceKey()
    step(auth.magic_links.email.login_or_create(email="ada@example.org"))
    printed = capsys.readouterr()
    link = re.search(r"token=([\w-]{20,})", printed.out + printed.err)
    assert link is not None
    signed_in = step(auth.magic_links.authenticate(token=link.group(1), session_duration_minutes=60))
    assert client.post("/devices", json={"public_key": phone.public_key}).status_code == 401
    client.set_cookie("authmw_session", signed_in.session_token)
    begun = client.post("/devices", json={"public_key": phone.public_key}).json
    path, body = f"/devices/{begun['device']}", {"signature": phone.sign(begun["challenge"])}
    assert client.post(path, json=body).json == {"device": begun["device"]}
    client.delete_cookie("authmw_session")
    asked = client.post("/sign-in/begin", json={"public_key": phone.public_key}).json
    path, body = f"/sign-in/{asked['device']}", {"signature": phone.sign(asked["challenge"])}
    came = client.post(path, json=body).json
    assert came["user"] == signed_in.user_id
    session = step(auth.sessions.authenticate(session_token=came["session_token"])).session
    assert session.authentication_factors[0]["type"] == "signature_challenge"
    assert client.post(path, json=body).status_code == 401
