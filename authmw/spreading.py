"""What one process tells the others by `Notices`: that a session ended, that a subject's epoch was raised, that the project was changed.

Law: a notice is believed only with the HMAC of a root key over the project and what it says, so whoever can write to the carrier can at most keep it silent, and then
what holds without notices holds: a JWT lives five minutes. Told twice, or late, a notice changes nothing.
"""

from __future__ import annotations

import hmac
import logging
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import attrs
import msgspec

from authmw import drive
from authmw.crypto.roots import RootKeys
from authmw.ports import Notices
from authmw.typed import from_json

if TYPE_CHECKING:
    from authmw.operations import Core

_log = logging.getLogger("authmw")
_PURPOSE = "notice of a change"
_MAC_BYTES = 32
LONGEST = 1024
"""Bytes of a notice; a longer one is none of ours."""
REMEMBERED = 4096
"""So many notices are known again when they come twice."""


@attrs.frozen
class _Notice:
    """`name` is a session's or a subject's id, `epoch` the subject's lowest living one; of a change of the project neither is said."""

    about: Literal["session", "epoch", "project"]
    at: datetime
    name: str = ""
    epoch: int = 0


class Spreader:
    """Tells others of what was ended or changed here, and takes in what they tell."""

    def __init__(self, notices: Notices, core: Core) -> None:
        self._notices = notices
        self._core = core
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = drive.Lock()
        self._refused = False

    def start(self) -> None:
        """Tell and listen from now on, also to what was told within a JWT's life: a process that has just started has not ended anything itself."""
        core = self._core
        core.denied.spread = self._ended
        core.project.spread = lambda: self._tell(_Notice("project", core.clock.now()))
        self._notices.listen(core.clock.now() - core.denied.held, self.hear, self.lose)

    def hear(self, notice: bytes) -> None:
        """Take in what another process told. Anything else is passed over, and never raises."""
        said = self._proved(notice)
        if said is None:
            if not self._refused:
                self._refused = True
                _log.warning("notice_refused")  # once: whoever writes nonsense shall not fill the log
            return
        core, now = self._core, self._core.clock.now()
        if said.at + core.denied.held <= now or not self._is_new(notice):
            return
        if said.about == "project":
            core.project.outdate()
        else:
            core.denied.hear(said.name, said.epoch if said.about == "epoch" else None, now)

    def lose(self) -> None:
        """Notices may be missing: until no JWT from before can live, storage is asked."""
        _log.warning("notices_missed")
        self._core.denied.doubt(self._core.clock.now())
        self._core.project.outdate()

    def _ended(self, name: str, epoch: int | None, at: datetime) -> None:
        about: Literal["session", "epoch"] = "session" if epoch is None else "epoch"
        self._tell(_Notice(about, at, name, epoch or 0))

    def _tell(self, said: _Notice) -> None:
        body = msgspec.json.encode(said)
        notice = self._mac(self._core.roots, body, None) + body
        self._is_new(notice)  # it comes back to us too
        self._notices.publish(notice)

    def _mac(self, roots: RootKeys, body: bytes, version: int | None) -> bytes:
        return roots.mac(_PURPOSE, self._core.settings.project_id, body, version=version)

    def _proved(self, notice: bytes) -> _Notice | None:
        """What a notice says, if one of our root keys vouches for it."""
        if not _MAC_BYTES < len(notice) <= LONGEST:
            return None
        mac, body = notice[:_MAC_BYTES], notice[_MAC_BYTES:]
        roots = self._core.roots
        if not any(hmac.compare_digest(mac, self._mac(roots, body, version)) for version in roots.versions):
            return None
        try:
            said = from_json(body, _Notice)
        except msgspec.MsgspecError:
            return None  # of a version of authmw that says more than this one knows
        return attrs.evolve(said, at=said.at.astimezone(UTC))

    def _is_new(self, notice: bytes) -> bool:
        with self._lock:
            if notice in self._known:
                return False
            self._known[notice] = None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return True
