"""Write the next revision, if the records ask for another schema than the newest one says: `make revision`."""

from __future__ import annotations

import sys
from pathlib import Path

from authmw.kinds import KINDS
from authmw_adapters.sqlalchemy.revisions import DATABASES, newest, schema_at, spelled


def main() -> None:
    """Write a file for each kind of database beside this module."""
    now = {database: spelled(KINDS, database) for database in DATABASES}
    if all(schema_at(newest(), database) == text for database, text in now.items()):
        sys.stdout.write(f"Revision {newest()} is what the records say.\n")
        return
    for database, text in now.items():
        Path(__file__).with_name(f"{newest() + 1:04}.{database}.sql").write_text(text, "utf-8")
    sys.stdout.write(f"Wrote revision {newest() + 1}.\n")


main()
