"""`import authmw` loads what every host needs, and no heavy library before its first use."""

from __future__ import annotations

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
    program = "import authmw, sys; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    )


@pytest.mark.parametrize("module", HEAVY)
def test_importing_authmw_does_not_load(loaded: set[str], module: str) -> None:
    assert module not in loaded
