"""The command line: `authmw dev`, `authmw migrate`, `authmw keys`, `authmw worker`, `authmw doctor`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from authmw.cli.apps import DATABASE, on_an_auth, the_auth


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
@click.option("--sql", is_flag=True, help="Print what would be done, as SQL, and do nothing.")
@on_an_auth
def migrate(app: str | None, database: Path, sql: bool) -> None:
    """Bring the tables to this version, from whichever version before; one process at a time."""
    from authmw.drive import using
    from authmw.errors import StorageError
    from authmw_adapters.migrating import migrating

    try:
        with migrating(plan=sql) as asked:
            auth = the_auth(app, database)
            limiter = auth.core.limiter
            auth.run(using(limiter.io, limiter.prepare))
    except StorageError as refused:
        raise click.ClickException(str(refused)) from None
    auth.close()
    for statement in asked.statements:
        click.echo(f"{statement};")
    if not sql:
        click.echo(f"{app or database} is up to date.")


@main.group()
def keys() -> None:
    """The keys that sign sessions, and the root keys that everything rests under."""


@keys.command()
@on_an_auth
def rotate(app: str | None, database: Path) -> None:
    """Publish a new signing key; the one published before becomes active, and the active one is retired."""
    auth = the_auth(app, database)
    auth.run(auth.keys.active())
    auth.run(auth.keys.rotate())
    auth.close()
    click.echo("The signing keys were rotated by one step.")


@keys.command("list")
@on_an_auth
def list_keys(app: str | None, database: Path) -> None:
    """Name every key, newest first: its kind of token, its state, since when, and until when it is published."""
    auth = the_auth(app, database)
    for key in auth.run(auth.keys.stored()):
        until = f", until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else ""
        click.echo(f"{key.kid}  {key.purpose}, {key.state}, since {key.created_at:%Y-%m-%d %H:%M} UTC{until}")
    auth.close()


@keys.command()
@click.argument("kid")
@on_an_auth
def withdraw(app: str | None, database: Path, kid: str) -> None:
    """Publish a key no more: somebody else may have it. What it signed is worth nothing; sessions go on by their opaque tokens. Restart the other processes."""
    auth = the_auth(app, database)
    found = auth.run(auth.keys.withdraw(kid))
    auth.close()
    if not found:
        message = "There is no key of this id; see authmw keys list."
        raise click.ClickException(message)
    click.echo(
        "The key is withdrawn. Other processes learn of it within five minutes; restart them to have it at once."
    )


@keys.command()
@click.option("--check", is_flag=True, help="Only say what there is.")
@on_an_auth
@click.pass_context
def reseal(context: click.Context, app: str | None, database: Path, *, check: bool) -> None:
    """Seal what rests under an older root key under the newest, once every process has it; then the old one can be taken out.

    What only bears an older key's mark is counted: clients' secrets and refresh tokens go under the newest when they are next used, and end with the older key if they are not.
    Recovery codes that are shown once end with it; sessions go on. Exit code 1 where something cannot be opened, or with --check rests under an older key or bears its mark.
    """
    from authmw.platform.authentication import marked_by_older_keys
    from authmw.signin.resealing import reseal as sealed_anew

    auth = the_auth(app, database)
    found = auth.run(sealed_anew(auth.core, write=not check))
    marked = auth.run(marked_by_older_keys(auth.core))
    auth.close()
    said = "rest under an older root key" if check else "were sealed under the newest root key"
    for kind, count in sorted(found.older.items()):
        click.echo(f"{kind}: {count} {said}")
    for kind, count in sorted(found.unreadable.items()):
        click.echo(f"{kind}: {count} cannot be opened, and what they prove is refused", err=True)
    for kind, count in sorted(marked.older.items()):
        click.echo(
            f"{kind}: {count} will be kept under the newest root key when next used, and end with the older one until then"
        )
    for kind, count in sorted(marked.ended.items()):
        click.echo(f"{kind}: {count} ended with a root key that is gone", err=True)
    if not (found.older or found.unreadable or marked.older):
        click.echo("Everything rests under the newest root key.")
    context.exit(1 if found.unreadable or (check and (found.older or marked.older)) else 0)


@main.command()
@on_an_auth
@click.option("--once", is_flag=True, help="One round instead of a loop.")
def worker(app: str | None, database: Path, *, once: bool) -> None:
    """Send what is due, clear up behind deletions and drop what is over, until SIGTERM or Ctrl-C; a round that has begun is finished."""
    import queue
    import signal

    from authmw.errors import StorageError, WrongSchema

    # A signal comes at any moment, also in the middle of waiting for it or of answering the one before: it must take no lock, as that of an Event.
    told: queue.SimpleQueue[int] = queue.SimpleQueue()

    def stop(number: int, frame: object) -> None:
        told.put(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        auth = the_auth(app, database, waits=True)
    except WrongSchema as wrong:
        raise click.ClickException(str(wrong)) from None
    click.echo("The worker runs.")
    failed = False
    while True:
        try:
            done, failed = auth.run(auth.work()), False
        except WrongSchema as wrong:
            raise click.ClickException(str(wrong)) from None
        except StorageError:
            # A database that restarts is no reason for an operator to restart us.
            done, failed = 0, True
            click.echo("Storage does not answer; the worker tries again.", err=True)
        # Where there was something there may be more; else it is worth a look every second.
        if once:
            break
        with suppress(queue.Empty):
            told.get(timeout=0 if done else 1)
            break
    auth.close()
    click.echo("The worker has stopped.")
    if once and failed:
        raise click.exceptions.Exit(1)


@main.command()
@on_an_auth
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.pass_context
def doctor(context: click.Context, app: str | None, database: Path, *, as_json: bool, strict: bool) -> None:
    """Look at the configuration and the parts behind it, and name each fault; tables are brought to this version. Exit code 1 says that there is one."""
    from authmw.cli.doctor import examine, report

    context.exit(report(examine(app, database), as_json=as_json, strict=strict))
