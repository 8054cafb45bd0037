"""Types are made known under one lock: threads that read a type for the first time at the same moment all get their value, and the process lives."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BOTH = """
import sys, threading
sys.setswitchinterval(1e-6)

def at_once(work, threads=6):
    barrier, done = threading.Barrier(threads), []
    def run():
        barrier.wait()
        done.append(work())
    running = [threading.Thread(target=run) for _ in range(threads)]
    [one.start() for one in running]
    [one.join() for one in running]
    assert len(done) == threads, done
"""
_RECORDS = """
import attrs
from authmw.typed import convert, from_json, from_msgpack
for number in range(200):
    inner = attrs.make_class(f"Inner{number}", {"a": attrs.field(type=str), "b": attrs.field(type=int)}, frozen=True)
    fields = {f"f{n}": attrs.field(type=list[inner] if n % 2 else str) for n in range(12)}
    outer = attrs.make_class(f"Outer{number}", fields, frozen=True)
    said = [{f"f{n}": [{"a": "x", "b": 1}] if n % 2 else "x" for n in range(12)}]
    at_once(lambda: convert(said, list[outer]))
"""
_OPERATIONS = """
from authmw.errors import Refused
from tests.world import make_world
world = make_world(None, "asgi")
def refused(operation):
    try:
        return operation.arguments({"nothing": 1}, operation.request)
    except Refused as refusal:
        return refusal
for _, operation in world.auth.table():
    at_once(lambda: refused(operation))
"""
_FORKS = """
import attrs, os, warnings
from authmw.typed import convert
warnings.simplefilter("ignore")
stop = threading.Event()
def make():
    number = 0
    while not stop.is_set():
        number += 1
        convert({"a": "x"}, attrs.make_class(f"Busy{number}", {"a": attrs.field(type=str)}, frozen=True))
busy = threading.Thread(target=make)
busy.start()
for number in range(30):
    child = os.fork()
    if child == 0:
        convert({"a": "x"}, attrs.make_class("Own", {"a": attrs.field(type=str)}, frozen=True))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
busy.join()
"""


@pytest.mark.parametrize("script", [_RECORDS, _OPERATIONS, _FORKS], ids=["records", "operations", "forks"])
def test_threads_that_read_a_new_type_at_once_do_not_bring_the_process_down(script: str) -> None:
    """In a process of its own, which a segmentation fault of the library would end."""
    run = subprocess.run(
        [sys.executable, "-c", _BOTH + script], cwd=ROOT, capture_output=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]


def test_no_module_reads_values_of_its_types_past_that_lock() -> None:
    """Builtins alone, whose types have nothing to be built, are read without it."""
    past = re.compile(
        r"msgspec\.convert\(|(?:decode|Decoder)\((?:[^()]|\([^()]*\))*type=(?!dict\[str, (?:Any|object|str)\])"
    )
    files = [*(ROOT / "authmw").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]
    found = [str(file.relative_to(ROOT)) for file in files if past.search(file.read_text())]
    assert found == ["authmw/typed.py"]
