"""Turns for the calls of one process that met at a record: whoever lost a commit there tries again when nobody else of this process is on the way to change it.

Repeating by chance starves when a hundred calls want one record, and each try costs a processor something. So a call whose commit met a conflict waits for its turn at
the records that it read and writes: alone at those it changes, together with others at those it only checks. Sign-ins, which check their user, thus pass before updates
of it. Law: a turn is advice, never a lock: the commit decides, and whoever's turn does not come in time goes without one.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import attrs

from authmw import drive
from authmw.storage import Check, Insert, Write, description, key_of

Place: TypeAlias = tuple[str, str]
"""Kind and key of a record."""


def places_of(writes: Iterable[Write]) -> dict[Place, bool]:
    """The records that a commit rests on, and whether it changes them; what it inserts is nobody else's yet."""
    return {
        (description(type(write.record)).kind, key_of(write.record)): not isinstance(write, Check)
        for write in writes
        if not isinstance(write, Insert)
    }


@attrs.frozen(eq=False)
class Turn:
    """What one call wants: the places, and whether it changes what is there."""

    places: Mapping[Place, bool]
    thread: int | None
    """The thread that is stepped through the call; None on a loop."""
    comes: concurrent.futures.Future[None] = attrs.field(factory=concurrent.futures.Future[None])


class Lanes:
    """The turns of one process."""

    def __init__(self) -> None:
        self._forget()
        drive.in_child(self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._inside: dict[Place, list[Turn]] = {}
        self._waiting: dict[Place, deque[Turn]] = {}
        """Whoever waits, by the place that is taken; the first to come is the first to be asked again."""

    async def enter(self, places: Mapping[Place, bool], seconds: float) -> Turn | None:
        """Wait for a turn at these places, at most so long. None if it does not come: go without."""
        turn = Turn(places, None if drive.on_loop() else threading.get_ident())
        turn.comes.set_running_or_notify_cancel()  # from here on nobody who waits can cancel it
        with self._lock:
            if self._admit(turn):
                return turn
        try:
            await drive.outcome(turn.comes, max(0.0, seconds))
        except TimeoutError:
            self.leave(turn)
            return None
        except BaseException:
            self.leave(turn)
            raise
        return turn

    def leave(self, turn: Turn | None) -> None:
        """End a turn, or give up waiting for it; nothing if it is over."""
        if turn is None:
            return
        admitted: list[Turn] = []
        with self._lock:
            for place in turn.places:
                inside, waiting = self._inside.get(place, []), self._waiting.get(place)
                if turn in inside:
                    inside.remove(turn)
                    admitted += self._next(place)
                elif waiting is not None and turn in waiting:
                    waiting.remove(turn)
                if not self._inside.get(place):
                    self._inside.pop(place, None)
                if not self._waiting.get(place):
                    self._waiting.pop(place, None)
        for one in admitted:
            one.comes.set_result(None)

    def _next(self, place: Place) -> list[Turn]:
        """Ask everybody again who waits at a place; who still may not enter waits on, here or where it is taken now."""
        waiting = self._waiting.pop(place, deque[Turn]())
        return [turn for turn in waiting if self._admit(turn)]

    def _admit(self, turn: Turn) -> bool:
        for place, changes in turn.places.items():
            for other in self._inside.get(place, ()):
                # A thread that is stepped through several calls by turns would wait for itself.
                if (changes or other.places[place]) and not (turn.thread is not None and turn.thread == other.thread):
                    self._waiting.setdefault(place, deque[Turn]()).append(turn)
                    return False
        for place in turn.places:
            self._inside.setdefault(place, []).append(turn)
        return True
