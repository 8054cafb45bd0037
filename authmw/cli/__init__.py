"""The command line: `authmw dev`, `authmw migrate`, `authmw keys rotate`, `authmw worker`."""

from __future__ import annotations

from pathlib import Path

import click

DATABASE = click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("authmw-dev.sqlite3"),
    show_default=True,
    help="The SQLite file.",
)


@click.group()
@click.version_option(package_name="authmw")
def main() -> None:
    """authmw: a whole authentication platform inside a web application."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 picks one.")
@DATABASE
@click.option(
    "--ready-file", type=click.Path(dir_okay=False, path_type=Path), help="Where to write JSON once it listens."
)
def dev(host: str, port: int, database: Path, ready_file: Path | None) -> None:
    """Run a complete small app with every product, an inbox, and fixed test credentials."""
    try:
        from authmw.cli.dev import serve
    except ImportError as missing:
        message = f"authmw dev needs {missing.name}: pip install 'authmw[dev]'"
        raise click.ClickException(message) from None
    serve(host, port, database, ready_file)


@main.command()
@DATABASE
def migrate(database: Path) -> None:
    """Bring the tables of a SQLite file to this version."""
    from authmw.auth import KINDS
    from authmw.drive import step
    from authmw_adapters.sqlite import SQLiteStorage

    step(SQLiteStorage(database).prepare(KINDS))
    click.echo(f"{database} is up to date.")


@main.group()
def keys() -> None:
    """The keys that sign sessions."""


@keys.command()
@DATABASE
def rotate(database: Path) -> None:
    """Publish a new signing key; the one published before becomes active, and the active one is retired."""
    from authmw.cli.dev import dev_auth

    auth = dev_auth(database, "http://localhost:8000")
    auth.run(auth.keys.active())
    auth.run(auth.keys.rotate())
    auth.close()
    click.echo("The signing keys were rotated by one step.")


@main.command()
@DATABASE
@click.option("--once", is_flag=True, help="One round instead of a loop.")
def worker(database: Path, *, once: bool) -> None:
    """Send what is due, clear up behind deletions and drop what is over, until SIGTERM or Ctrl-C; a round that has begun is finished."""
    import signal
    import threading

    from authmw.cli.dev import dev_auth

    stopped = threading.Event()

    def stop(number: int, frame: object) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    auth = dev_auth(database, "http://localhost:8000")
    click.echo("The worker runs.")
    while True:
        done = auth.run(auth.work())
        # Where there was something there may be more; else it is worth a look every second.
        if once or stopped.wait(0 if done else 1):
            break
    auth.close()
    click.echo("The worker has stopped.")
