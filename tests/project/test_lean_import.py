"""`import authmw` loads what every host needs, a built `Auth` no product that was not asked for, and nobody a heavy library before its first use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = [
    "jwt",
    "cryptography.x509",
    "phonenumbers",
    "email_validator",
    "jinja2",
    "smtplib",
    "httpx",
    "httpx2",
    "uvicorn",
    "rich",
    "click",
    "fastapi",
    "flask",
    "django",
    "sqlite3",
    "starlette.applications",
    "authmw_adapters",
]


BUILT = """
from authmw import Auth, AuthMiddleware, Settings, current_session, require_session
from authmw_adapters.memory import MemoryLimiter, MemoryStorage

auth = Auth(Settings(project_id="project-test-1", secret="secret-test-1"), storage=MemoryStorage(), limiter=MemoryLimiter())
"""
MOUNTED = BUILT + "AuthMiddleware(None, auth)"


def loaded_by(program: str) -> set[str]:
    command = [sys.executable, "-c", program + "\nimport sys; print(*sys.modules)"]
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # it loads sqlite3
    told = subprocess.run(command, check=True, capture_output=True, text=True, env={**quiet, "PYTHONPATH": "adapters"})
    return set(told.stdout.split())


@pytest.fixture(scope="module")
def imported() -> set[str]:
    return loaded_by("import authmw")


@pytest.fixture(scope="module")
def built() -> set[str]:
    return loaded_by(BUILT)


@pytest.fixture(scope="module")
def mounted() -> set[str]:
    return loaded_by(MOUNTED)


@pytest.mark.parametrize(
    "module",
    [
        *HEAVY,
        "html.parser",
        "tomllib",
        "authmw.consumer.users.operations",
        "authmw.http.api",
        "authmw.kinds",
        "authmw.health",
    ],
)
def test_importing_authmw_does_not_load(imported: set[str], module: str) -> None:
    assert module not in imported


@pytest.mark.parametrize("module", [one for one in HEAVY if one not in {"authmw_adapters"}])
def test_not_even_a_mounted_auth_has_loaded(mounted: set[str], module: str) -> None:
    assert module not in mounted


def test_a_built_auth_has_loaded_no_product_nor_the_routes(built: set[str]) -> None:
    loaded = sorted(
        module
        for module in built
        if module.startswith(("authmw.consumer", "authmw.platform", "authmw.http", "authmw.messages"))
        and not module.endswith(("consumer", "platform", "http", *LIGHT))
    )
    assert loaded == []
    assert not any(module.endswith(".operations") for module in built - {"authmw.operations"})


LIGHT = (
    # What is remembered of a product is part of the storage's schema.
    ".records", "platform.m2m", "platform.idp", "platform.fraud",
    # What a host answers by itself.
    "http.addresses", "http.answers", "http.bodies", "http.cookies", "http.paths", "http.requests", "http.sessions",
)  # fmt: skip


def test_a_mounted_auth_has_loaded_every_product(mounted: set[str]) -> None:
    assert {"authmw.consumer.users.operations", "authmw.platform.idp.operations"} <= mounted


def test_a_system_that_does_not_fork_has_the_adapters_too() -> None:
    """Such as Windows, where `os` has neither name."""
    loaded = loaded_by(
        "import os; del os.fork, os.register_at_fork\n"
        + MOUNTED
        + "\nimport authmw_adapters.redis, authmw_adapters.sqlalchemy, authmw_adapters.sqlite, authmw.cli"
    )
    assert "authmw_adapters.sqlite.connections" in loaded
