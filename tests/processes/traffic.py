"""Mixed traffic from several clients, and the books of what was acknowledged: what is in them must be in the database, once."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import sqlalchemy as sa

from tests.processes.hosting import BACKEND, LONGEST, Host, until
from tests.world import Answer

CUT = -1
"""The status of a request whose connection ended without an answer."""


@attrs.define(eq=False)
class Traffic:
    """Clients of one host."""

    host: Host
    clients: int = 4
    statuses: Counter[int] = attrs.field(factory=Counter)
    odd: list[Any] = attrs.field(factory=list)
    """Answers that nobody documented."""
    users: dict[str, str] = attrs.field(factory=dict)
    sessions: dict[str, str] = attrs.field(factory=dict)
    """Session ids by token, of sign-ins that were acknowledged."""
    ended: set[str] = attrs.field(factory=set)
    perhaps_ended: set[str] = attrs.field(factory=set)
    spent: list[str] = attrs.field(factory=list)
    requests: list[str] = attrs.field(factory=list)
    """Ids of calls that were acknowledged and commit."""
    mails: bool = False
    mailed: set[str] = attrs.field(factory=set)
    """Who was told that a code is on its way."""
    doubled: int = 0
    stop: threading.Event = attrs.field(factory=threading.Event)

    @property
    def acknowledged(self) -> int:
        return len(self.requests)

    @property
    def refused(self) -> int:
        return self.statuses[503] + self.statuses[CUT]

    def ask(self, path: str, body: Any, *, commits: bool = True) -> Answer:
        try:
            answer = self.host.ask("POST", path, body, **BACKEND)
        except (OSError, http.client.HTTPException):
            answer = Answer(CUT, None, [])
        self.statuses[answer.status] += 1
        if answer.status == 200 and commits:
            self.requests.append(answer.json["request_id"])
        if answer.status >= 500 and not (answer.status == 503 and answer.json["error_type"] == "server_unavailable"):
            self.odd.append((path, answer.status, answer.json))
        if answer.status in (503, CUT):
            self.stop.wait(0.02)
        return answer

    def once(self, name: str) -> None:
        """One person: asks for a code, signs up, signs in by a link, tries the link again, is looked at, and sometimes signs out."""
        if (
            self.mails
            and self.ask("/v1/otps/email/login_or_create", {"email": f"mail-{name}@example.org"}).status == 200
        ):
            self.mailed.add(f"mail-{name}@example.org")
        created = self.ask("/v1/users", {"email": f"{name}@example.org"})
        if created.status != 200:
            return
        self.users[created.json["user_id"]] = name
        link = self.ask("/v1/magic_links", {"user_id": created.json["user_id"]})
        if link.status != 200:
            return
        known = {"token": link.json["token"], "session_duration_minutes": 600}
        first = self.ask("/v1/magic_links/authenticate", known)
        again = self.ask("/v1/magic_links/authenticate", known)
        self.doubled += first.status == again.status == 200
        signed_in = first if first.status == 200 else again
        if signed_in.status != 200:
            return
        self.spent.append(known["token"])
        token, session = signed_in.json["session_token"], signed_in.json["session"]["session_id"]
        self.sessions[token] = session
        looked = self.ask("/v1/sessions/authenticate", {"session_token": token}, commits=False)
        if looked.status not in (200, 503, CUT):
            self.odd.append(("a session that was acknowledged", looked.status, looked.json))
        if len(self.users) % 3 == 0:
            revoked = self.ask("/v1/sessions/revoke", {"session_token": token})
            (self.ended if revoked.status == 200 else self.perhaps_ended).add(token)

    def _client(self, number: int) -> None:
        turn = 0
        while not self.stop.is_set():
            turn += 1
            self.once(f"client-{number}-{turn}")

    @contextmanager
    def running(self) -> Iterator[Traffic]:
        """While this runs, so do the clients."""
        threads = [threading.Thread(target=self._client, args=(number,), daemon=True) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(LONGEST)

    def goes_on(self, by: int = 40) -> None:
        """Wait until so many more calls were acknowledged."""
        before = self.acknowledged
        until(lambda: self.acknowledged >= before + by, "traffic")

    def is_refused(self, by: int = 20) -> None:
        """Wait until so many more calls were refused."""
        before = self.refused
        until(lambda: self.refused >= before + by, "a refusal")

    def books(self, database: str) -> dict[str, Any]:
        """What the books say against what the database holds; every count but the first should be zero."""
        engine = sa.create_engine(database.replace("+asyncpg", "+psycopg"))
        with engine.connect() as connection:

            def column(statement: str) -> list[str]:
                return list(connection.execute(sa.text(statement)).scalars())

            users = column("SELECT id FROM users")
            sessions = set(column("SELECT session_id FROM sessions"))
            events = Counter(column("SELECT request_id FROM events WHERE status = 'success'"))
        engine.dispose()
        living = {token: one for token, one in self.sessions.items() if token not in self.ended | self.perhaps_ended}
        lost = [one for one in self.users if one not in set(users)]
        lost += [one for one in living.values() if one not in sessions]
        lost += [one for one in self.requests if one not in events]
        for token in [*living][-25:]:
            if self.host.backend("/v1/sessions/authenticate", {"session_token": token}).status != 200:
                lost.append(token)
        doubled = self.doubled + sum(count - 1 for count in events.values())
        for token in self.spent[-25:]:
            known = {"token": token, "session_duration_minutes": 60}
            doubled += self.host.backend("/v1/magic_links/authenticate", known).status == 200
        revived = [
            token
            for token in [*self.ended][-25:]
            if self.host.backend("/v1/sessions/authenticate", {"session_token": token}).status == 200
        ]
        return {
            "acknowledged": self.acknowledged,
            "lost": len(lost),
            "doubled": doubled,
            "revived": len(revived),
            "undocumented": len(self.odd),
        }
