"""Each story is told on two corners: ASGI over memory, and WSGI over SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import World, make_world


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param)
