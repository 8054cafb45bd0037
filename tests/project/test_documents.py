"""What the documents say of the project's own files is so: what they name is there, and their tables are those of the figures that are kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import capacity

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md")),
]
PATH = re.compile(r"`((?:authmw|adapters|benchmarks|docs|examples|tests)/[\w./-]+)`")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_every_file_that_a_document_names_is_there(name: str) -> None:
    said = text(name)
    links = {
        link for link in re.findall(r"\]\(([^)#\s]+)", said) if "://" not in link and not link.startswith("mailto:")
    }
    missing = {link for link in links if not (ROOT / name).parent.joinpath(link).exists()}
    assert missing | {path for path in PATH.findall(said) if not (ROOT / path).exists()} == set()


def test_the_plan_for_many_people_is_what_the_measured_costs_come_to() -> None:
    assert capacity.tables(capacity.kept()) in text("docs/capacity.md")
