"""What was ended lately, here or in a process that told of it: sessions and epochs whose JWTs are refused although their time is not over (TOK-08).

Bounded in time and in number, and never forgotten while a JWT of it may live: an entry is of no use after a JWT's life and its skew, so it is dropped then. Where more were
ended meanwhile than are held, the oldest leave sooner, and until their time is over no JWT decides anything alone: storage is asked for each (`doubtful`). Told of every entry, a listener clears caches; told of what was ended here, `spread`
has other processes told (`authmw.spreading`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from authmw import drive

HELD = timedelta(seconds=360)
MOST = 50_000
"""So many sessions are held, and so many subjects: 138 ends a second, on and on. Some 15 MB each."""


class Denied:
    """The deny set of one `Auth`."""

    def __init__(self, held: timedelta = HELD) -> None:
        self.held = held
        """For so long what was ended is held: longer than a JWT may live that knows nothing of it."""
        self._lock = drive.Lock()
        # In the order of their ends. An end that is told again never leaves the set meanwhile: whoever asks takes no lock.
        self._sessions: OrderedDict[str, datetime] = OrderedDict()
        self._epochs: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._doubted_until: datetime | None = None
        self.most = MOST
        self.listeners: list[Callable[[], None]] = []
        self.replacements: list[Callable[[str], None]] = []
        self.spread: Callable[[str, int | None, datetime], None] | None = None
        """Has others told of a session (no epoch) or a subject (with its lowest living epoch)."""

    def add(self, session_id: str, now: datetime) -> None:
        """A session has ended here."""
        self.hear(session_id, None, now)
        if self.spread is not None:
            self.spread(session_id, None, now)

    def raise_epoch(self, subject_id: str, epoch: int, now: datetime) -> None:
        """Sessions of this subject born under an earlier epoch have ended here."""
        self.hear(subject_id, epoch, now)
        if self.spread is not None:
            self.spread(subject_id, epoch, now)

    def hear(self, name: str, epoch: int | None, now: datetime) -> None:
        """A session ended, or a subject's sessions under earlier epochs, here or elsewhere. An epoch is never lowered."""
        with self._lock:
            self._drop(now)
            if epoch is None:
                self._sessions[name] = now + self.held
                self._sessions.move_to_end(name)
            else:
                lowest = max(epoch, self._epochs.get(name, (0, now))[0])
                self._epochs[name] = (lowest, now + self.held)
                self._epochs.move_to_end(name)
            self._make_room()
        self._tell()

    def doubt(self, now: datetime) -> None:
        """Something may have ended that this process was not told of: until no JWT from before can live, storage is asked."""
        with self._lock:
            self._doubt_until(now + self.held)
        self._tell()

    def doubtful(self, now: datetime) -> bool:
        """Whether a JWT alone decides nothing now."""
        return self._doubted_until is not None and now < self._doubted_until

    def replace(self, token: str | None) -> None:
        """What is remembered by this opaque token speaks of its session as it was before: it got another secret, end or claims."""
        if token is not None:
            for listener in self.replacements:
                listener(token)

    def holds(self, session_id: str, subject_id: str, epoch: int) -> bool:
        """Whether a verified JWT must be refused all the same."""
        if not self._sessions and not self._epochs:
            return False
        lowest = self._epochs.get(subject_id)
        return session_id in self._sessions or (lowest is not None and epoch < lowest[0])

    def forget(self) -> None:
        """Have nothing remembered that was judged before: what it was judged by holds no longer."""
        self._tell()

    def _drop(self, now: datetime) -> None:
        """What is over is looked for among the oldest only, so that ending a session costs the same however many were ended lately."""
        while self._sessions and self._sessions[oldest := next(iter(self._sessions))] <= now:
            del self._sessions[oldest]
        while self._epochs and self._epochs[oldest := next(iter(self._epochs))][1] <= now:
            del self._epochs[oldest]

    def _make_room(self) -> None:
        """The oldest leave, whose time is over first. Doubt comes before: whoever does not find one any more and then looks for doubt finds that."""
        if len(self._sessions) > self.most:
            self._doubt_until(next(iter(self._sessions.values())))
            self._sessions.popitem(last=False)
        if len(self._epochs) > self.most:
            self._doubt_until(next(iter(self._epochs.values()))[1])
            self._epochs.popitem(last=False)

    def _doubt_until(self, end: datetime) -> None:
        self._doubted_until = end if self._doubted_until is None else max(end, self._doubted_until)

    def _tell(self) -> None:
        for listener in self.listeners:
            listener()
