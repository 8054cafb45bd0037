"""The end of a section, as a program that is counted says it (see `benchmarks.counted`)."""

from __future__ import annotations

import os


def mark() -> None:
    """End a section: a call of the C library that nothing else here makes, before each of which callgrind writes down what it counted."""
    os.getpgid(0)
