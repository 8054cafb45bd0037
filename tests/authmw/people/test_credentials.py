"""Secrets of factors at rest."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from authmw.errors import Refused
from authmw.operations import Product, Response, current_call, operation
from authmw.people.credentials import new_credential, secret_of, with_secret
from tests.world import make_world


class Kept(Response, kw_only=True):
    """What the operation found."""

    opened: str
    changed: str


class Keeper(Product):
    """Keeps a secret and looks at it."""

    @operation("POST", "/v1/keeper", action="Keeper")
    async def keep(self) -> Kept:
        call = current_call()
        made = new_credential(call, part_id="totp-1", subject_id="user-1", kind="totp", secret=("seed", 3))
        assert b"seed" not in made.sealed
        assert "seed" not in repr(made)
        changed = with_secret(call, made, "other")
        for moved in (attrs.evolve(made, part_id="totp-2"), attrs.evolve(made, kind="password")):
            with pytest.raises(Refused):
                secret_of(call, moved, tuple[str, int], "totp_not_found")
        return Kept(
            opened=secret_of(call, made, tuple[str, int], "totp_not_found")[0],
            changed=secret_of(call, changed, str, "totp_not_found"),
        )


def test_a_secret_opens_only_as_the_credential_of_the_part_it_was_made_for(tmp_path: Path) -> None:
    """KEY-02."""
    auth = make_world(tmp_path, "asgi").auth
    kept = auth.run(Keeper(auth.core).keep())
    assert (kept.opened, kept.changed) == ("seed", "other")
