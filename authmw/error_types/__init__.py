"""The table of error types: what a refusal is called on the wire, its HTTP status and its words. The rows stand in one module for each field.

Law: the words never hold what the caller sent; a name stands once.
"""

from __future__ import annotations

from typing import Final

import attrs

from authmw.error_types import people, platform, requests


@attrs.frozen
class ErrorType:
    """One row of the table: what a refusal is called, its HTTP status and its words."""

    name: str
    status: int
    message: str


ROWS: Final = (*requests.ROWS, *people.ROWS, *platform.ROWS)
ERROR_TYPES: Final = {name: ErrorType(name, status, message) for name, status, message in ROWS}
