"""What users install: each file of both packages and nothing else; the source archive can test and build itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import authmw

ROOT = Path(__file__).parents[2]
BUILD = """
import sys, hatchling.build
print(getattr(hatchling.build, "build_" + sys.argv[1])(sys.argv[2]))
"""


def build(kind: str, folder: Path) -> Path:
    """Build in a process of its own: hatchling works in the current folder."""
    command = [sys.executable, "-c", BUILD, kind, str(folder)]
    made = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return folder / made.stdout.splitlines()[-1]


def on_disk() -> set[str]:
    names = set()
    for package, above in (("authmw", ROOT), ("authmw_adapters", ROOT / "adapters")):
        for folder, _, files in os.walk(above / package):
            if "__pycache__" not in folder:
                names |= {(Path(folder) / file).relative_to(above).as_posix() for file in files}
    return names


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    with zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        archive.testzip()
    return archive


def test_the_wheel_holds_every_file_of_both_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == on_disk()
    assert {"authmw/py.typed", "authmw_adapters/py.typed"} <= names


def test_the_source_archive_holds_what_building_and_testing_need(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"pyproject.toml", "README.md", "LICENSE", "Makefile", "requirements.txt", "CHANGELOG.md"}
    assert names >= {"tests/conftest.py", "tests/js/package-lock.json", "tests/js/.npmrc"}
    assert names >= {f"adapters/{name}" if name.startswith("authmw_adapters/") else name for name in on_disk()}
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]


def test_the_newest_heading_of_the_changelog_is_the_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert next(heading for heading in headings if heading != "Unreleased") == authmw.__version__
