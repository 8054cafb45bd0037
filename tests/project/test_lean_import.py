"""`import authmw` loads what every host needs, and no heavy library before its first use."""

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


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    command = [sys.executable, "-c", "import authmw, sys; print(*sys.modules)"]
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # it loads sqlite3
    return set(subprocess.run(command, check=True, capture_output=True, text=True, env=quiet).stdout.split())


@pytest.mark.parametrize("module", HEAVY)
def test_importing_authmw_does_not_load(loaded: set[str], module: str) -> None:
    assert module not in loaded
