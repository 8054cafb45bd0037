"""The locks: every package by its hash, no registry named, and nothing that pyproject.toml asks for left out."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements.txt"
BENCHES = ROOT / "benchmarks" / "requirements.txt"
PACKAGE_LOCK = ROOT / "tests" / "js" / "package-lock.json"


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> set[str]:
    return {normalized(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)==", REQUIREMENTS.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("lock", [REQUIREMENTS, BENCHES], ids=["tests", "benches"])
def test_the_python_lock_names_no_registry(lock: Path) -> None:
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("lock", [REQUIREMENTS, BENCHES], ids=["tests", "benches"])
def test_every_locked_python_package_has_a_hash(lock: Path) -> None:
    for entry in re.split(r"\n(?=[A-Za-z0-9])", lock.read_text().strip()):
        assert "--hash=sha256:" in entry, entry.partition("=")[0]


def test_what_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    names = {normalized(re.split(r"[\[<>=~!; ]", line)[0]) for line in asked}
    assert names - {"authmw"} <= locked()


def test_the_node_lock_names_no_registry_and_keeps_integrity() -> None:
    packages = json.loads(PACKAGE_LOCK.read_text())["packages"]
    for path, package in packages.items():
        kept = {key: value for key, value in package.items() if key != "funding"}
        assert "://" not in json.dumps(kept), path
        assert not path or package["integrity"].startswith("sha512-")


def test_the_node_packages_are_exact() -> None:
    wanted = json.loads((PACKAGE_LOCK.parent / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
