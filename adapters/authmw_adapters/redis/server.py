"""What a Redis server must be to keep records: one node, that never drops a key by itself; and what it should be, for `authmw doctor`."""

from __future__ import annotations

from collections.abc import Iterator

from authmw.drive import step
from authmw.errors import Misconfigured, StorageError
from authmw_adapters.redis.connections import Blocking


def check_server(told: bytes) -> None:
    """Look at what `INFO` answers. Raises Misconfigured, naming every fault."""
    faults = list(_faults(_lines(told)))
    if faults:
        raise Misconfigured("This Redis server cannot keep records: " + " ".join(faults), faults)


def advice(address: str) -> Iterator[str]:
    """One sentence for each thing that an operator should mend. Asked on a connection of its own, which is closed again."""
    server = Blocking(address)
    try:
        said = _lines(step(server.ask("INFO", "everything")))
        yield from _faults(said)
        yield from _takes_nothing(said, "Redis")
        if said.get("aof_enabled") != "1":
            yield "Redis runs without `appendonly`: a crash forgets what was committed since its last snapshot."
        elif _setting(server, "appendfsync") not in ("always", None):
            yield "Redis runs without `appendfsync always`: a crash may forget the last second or more."
        if said.get("maxmemory", "0") == "0":
            yield "Redis has no `maxmemory`: when the machine has no memory left, it is killed instead of refusing."
    except StorageError:
        yield "Redis does not answer, so what it keeps is not known."
    finally:
        step(server.close())


def troubles(address: str, named: str, *, drops: str | None = None) -> Iterator[str]:
    """One sentence for each reason why a server that keeps less than records is of no use; `drops` says what it may drop that it should not. Asked on a connection of its own."""
    server = Blocking(address)
    try:
        said = _lines(step(server.ask("INFO", "everything")))
    except StorageError:
        yield f"{named} does not answer."
        return
    finally:
        step(server.close())
    yield from _takes_nothing(said, named)
    if drops and said.get("maxmemory", "0") != "0" and said.get("maxmemory_policy") != "noeviction":
        yield f"{named} drops {drops} when its memory is full: set its `maxmemory-policy` to `noeviction`."


def _takes_nothing(said: dict[str, str], named: str) -> Iterator[str]:
    """Why a server that answers does not do what it is told."""
    if said.get("role") == "slave" and said.get("cluster_enabled") != "1":
        yield f"{named} is a replica and changes nothing it is told to: give the address of the server it follows."
    most = int(said.get("maxmemory", "0"))
    if most and int(said.get("used_memory", "0")) >= most and said.get("maxmemory_policy") == "noeviction":
        yield f"{named} has no memory left and takes nothing more: raise its `maxmemory`."
    if said.get("aof_last_write_status") == "err":
        yield f"{named} cannot write its files and takes nothing more: look at its disk."


def _faults(said: dict[str, str]) -> Iterator[str]:
    if said.get("cluster_enabled") == "1":
        yield "It is part of a cluster, and a commit lives on one node: use a server of its own, or a database."
    if said.get("maxmemory", "0") != "0" and said.get("maxmemory_policy", "").startswith("allkeys"):
        yield "Its `maxmemory-policy` drops records when memory is full: set `noeviction`."


def _setting(server: Blocking, name: str) -> str | None:
    """A setting; None where the server does not tell, as hosted ones often do not."""
    try:
        told: list[bytes] = step(server.ask("CONFIG", "GET", name))
    except StorageError:
        return None
    return told[-1].decode() if told else None


def _lines(told: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in told.decode("utf-8", "replace").splitlines())
    return {name: value for name, colon, value in pairs if colon}
