"""Which `Auth` a command works on: the host's own, named as `module:attribute`, or the demo's over a SQLite file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from authmw.auth import Auth

F = TypeVar("F", bound=Callable[..., Any])
URL = "http://localhost:8000"

DATABASE = click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("authmw-dev.sqlite3"),
    show_default=True,
    help="The SQLite file of `authmw dev`.",
)
APP = click.option(
    "--app",
    envvar="AUTHMW_APP",
    metavar="MODULE:NAME",
    help="Your own Auth, or a function that makes it; imported from the current folder. Also read from AUTHMW_APP.",
)


def on_an_auth(command: F) -> F:
    """The options that name the `Auth` a command works on."""
    return APP(DATABASE(command))


def the_auth(app: str | None, database: Path, *, waits: bool = False) -> Auth:
    """The `Auth` that the options name, ready; with `waits` also one whose storage is away. UsageError for a name that leads to none; what building it raises, passes."""
    from authmw.auth import Auth
    from authmw.beginning import UNFIT
    from authmw.errors import StorageError

    if app is None:
        from authmw.cli.dev import dev_auth

        return dev_auth(database, URL)
    found = _named(app)
    if callable(found) and not isinstance(found, Auth):
        found = found()
    if not isinstance(found, Auth):
        message = f"{app} is a {type(found).__name__}, not an Auth or a function that makes one."
        raise click.UsageError(message)
    try:
        found.run(found.start())
    except UNFIT:
        raise
    except StorageError:
        if not waits:
            raise
    return found


def _named(app: str) -> Any:
    module, colon, name = app.partition(":")
    if not module or not colon or not name:
        message = "--app is written module:name, for example myapp.main:auth."
        raise click.UsageError(message)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as missing:
        # A module that the host's own module lacks is a fault of the host, told with its trace.
        if missing.name is None or not f"{module}.".startswith(f"{missing.name}."):
            raise
        message = f"There is no module {missing.name} here."
        raise click.UsageError(message) from None
    try:
        return reduce(getattr, name.split("."), imported)
    except AttributeError:
        message = f"{module} has no {name}."
        raise click.UsageError(message) from None
