"""How a managed setting is read and changed: one record, one commit, one event with source DASHBOARD (EVT-02)."""

from __future__ import annotations

from typing import Any

import attrs

from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.operations import Call
from authmw.project import StoredProject
from authmw.settings import Manageable
from authmw.storage import Insert, Update, Write


async def read_project(call: Call) -> StoredProject:
    """What was changed of the project so far."""
    project_id = call.settings.project_id
    return await call.storage.get(StoredProject, project_id) or StoredProject(project_id=project_id)


async def managed_project(call: Call, aspect: Manageable) -> StoredProject:
    """The same, for whoever is about to change it. Refused: `setting_not_managed` where code declares this setting."""
    if aspect not in call.settings.managed:
        raise Refused("setting_not_managed")
    return await read_project(call)


async def change_project(call: Call, before: StoredProject, *beside: Write, **changes: Any) -> None:
    """Write the change, and what stands in records of its own; this process sees it at once, the others within five seconds, or at once too where notices tell them."""
    after = attrs.evolve(before, changed_at=call.now, **changes)
    call.after.append(call.core.project.changed)
    await commit(Update(after) if before.version else Insert(after), *beside)
