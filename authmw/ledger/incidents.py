"""Events that belong to no call: a request was odd in a way that somebody watching should hear of, and was treated as one of a stranger.

Law: telling costs an attacker's flood one row a minute for each visitor, holds nothing that the request said, and never fails a request.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from authmw import drive
from authmw.clock import Clock
from authmw.crypto import tokens
from authmw.ledger.commits import KEPT
from authmw.ledger.notes import Notes
from authmw.ledger.records import Event
from authmw.settings import Environment
from authmw.storage import Insert

Incident: TypeAlias = Literal["duplicate_cookie", "use_https"]
_STATUS: dict[Incident, int] = {"duplicate_cookie": 401, "use_https": 403}
EVERY = timedelta(minutes=1)
"""The same incident of the same visitor is told once in so long."""
REMEMBERED = 1000
"""Visitors that are remembered; the oldest makes room."""
_ACTIONS: dict[Incident, str] = {"duplicate_cookie": "DuplicateCookie", "use_https": "PlainHttp"}


class Incidents:
    """What is told of the requests of one `Auth`."""

    def __init__(self, notes: Notes, clock: Clock, environment: Environment) -> None:
        self._notes = notes
        self._clock = clock
        self._environment = environment
        self._lock = drive.Lock()
        self._told: dict[tuple[Incident, str], datetime] = {}

    def tell(self, incident: Incident, ip_address: str, visitor: str) -> None:
        """Have an event of it written soon, unless there is one of this minute about the same visitor, who may have a whole network of addresses."""
        now = self._clock.now()
        if not self._is_new((incident, visitor), now):
            return
        event = Event(
            event_id=tokens.ordered_id("event", self._environment, now),
            request_id=f"request-id-{self._environment}-{tokens.uuid4()}",
            action=_ACTIONS[incident],
            status="error",
            http_status=_STATUS[incident],
            error_type=incident,
            audience="browser",
            actor="visitor",
            ip_address=ip_address,
            started_at=now,
            ended_at=now,
            expires_at=now + KEPT,
        )
        self._notes.note(Insert(event))

    def _is_new(self, key: tuple[Incident, str], now: datetime) -> bool:
        with self._lock:
            last = self._told.pop(key, None)
            if last is not None and timedelta(0) <= now - last < EVERY:
                self._told[key] = last
                return False
            if len(self._told) >= REMEMBERED:
                del self._told[next(iter(self._told))]
            self._told[key] = now
            return True
