"""What guards say where a request is none of ours, where storage is away, and where a session ended a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import attrs
import pytest

from authmw import Auth, Cookies, SessionRules, Settings, current_session, current_token, require_bearer, require_role
from authmw.drive import step
from authmw.errors import Refused, StorageError
from authmw.guard.verified import VerifiedSession, demand_fresh, demand_mfa, optional_session
from authmw.operations import Visit, visit
from authmw.people.records import Session, User
from authmw.storage import Update
from authmw.testing import FixedClock
from authmw_adapters.inbox import Inbox
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET


class Away(MemoryStorage):
    """Memory that fails while told to."""

    away = False

    async def get(self, kind: Any, key: str) -> Any:
        if self.away:
            raise StorageError("away")
        return await super().get(kind, key)

    async def find(self, kind: Any, index: str, value: Any) -> Any:
        if self.away:
            raise StorageError("away")
        return await super().find(kind, index, value)


@attrs.define(eq=False)
class Door:
    """A project whose guard is asked without a host."""

    auth: Auth
    storage: Away
    inbox: Inbox
    clock: FixedClock

    def sign_in(self) -> Any:
        self.clock.advance(seconds=2)
        step(self.auth.magic_links.email.login_or_create(email="ada@example.org"))
        token = self.inbox.entries()[0].links[0].split("token=")[-1]
        return step(self.auth.magic_links.authenticate(token=token, session_duration_minutes=60))

    @contextmanager
    def request(self, token: str | None = None, jwt: str | None = None) -> Iterator[VerifiedSession | None]:
        """What a middleware does for a view."""
        guard, now = self.auth.guard, self.clock.now()
        found = guard.known(token, jwt, now) or guard.waited(token, jwt, now)
        here = Visit()
        here.seen = found.seen
        before = visit.set(here)
        try:
            yield found.session
        finally:
            visit.reset(before)


def door(**rules: Any) -> Door:
    storage, inbox, clock = Away(), Inbox(), FixedClock()
    auth = Auth(
        Settings(
            project_id=PROJECT_ID,
            secret=SECRET,
            public_token=PUBLIC_TOKEN,
            cookies=Cookies(secure=False),
            sessions=SessionRules(**rules),
        ),
        storage=storage,
        limiter=MemoryLimiter(),
        email=inbox,
        clock=clock,
    )
    return Door(auth, storage, inbox, clock)


def error(call: Any) -> str:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.error_type


def test_a_view_that_no_middleware_handles_is_told_so() -> None:
    for guarded in (current_session, optional_session, require_bearer()(lambda: None), current_token):
        with pytest.raises(RuntimeError):
            Context().run(guarded)


def test_who_is_signed_in_by_nothing_is_refused() -> None:
    here = door()
    with here.request():
        assert optional_session() is None
        assert error(current_session) == "user_unauthenticated"
        assert error(demand_mfa) == "user_unauthenticated"
        assert error(lambda: demand_fresh(5)) == "user_unauthenticated"


async def _roles() -> tuple[str, ...]:
    return current_session().roles


@pytest.mark.parametrize("exact", [True, False])
def test_an_asynchronous_view_is_guarded_by_the_roles_of_now_or_of_the_jwt(exact: bool) -> None:
    """B2B-04: exact, a role that was given a moment ago counts; else once the JWT is renewed."""
    here = door()
    signed_in = here.sign_in()
    step(here.auth.users.update(user_id=signed_in.user_id, roles=["editor"]))
    view = require_role("editor", exact=exact)(_roles)
    with here.request(jwt=signed_in.session_jwt):
        if exact:
            assert asyncio.run(view()) == ("editor", "stytch_user")
        else:
            assert error(lambda: asyncio.run(view())) == "consumer_session_authorization_error"


def test_exact_roles_of_somebody_gone_or_of_storage_away_are_refused() -> None:
    """STO-03: what cannot be asked is refused, and never guessed."""
    here = door()
    signed_in = here.sign_in()
    view = require_role("stytch_user", exact=True)(lambda: current_session().user_id)
    with here.request(jwt=signed_in.session_jwt):
        assert view() == signed_in.user_id
        here.storage.away = True
        assert error(view) == "server_unavailable"
        here.storage.away = False
        step(here.auth.users.delete(user_id=signed_in.user_id))
        assert error(view) == "user_unauthenticated"


def test_an_exact_guard_sees_what_another_process_ended_at_once() -> None:
    """TOK-08: no deny set of this process knows of it; storage does."""
    here = door(exact_revocation=True)
    signed_in = here.sign_in()
    both = (signed_in.session_token, signed_in.session_jwt)
    with here.request(*both) as session:
        assert session is not None
        assert session.user_id == signed_in.user_id
    user = step(here.storage.get(User, signed_in.user_id))
    assert user is not None
    step(here.storage.commit(Update(attrs.evolve(user, session_epoch=user.session_epoch + 1))))
    for token, jwt in (both, (both[0], None), (None, both[1])):
        found = here.auth.guard.waited(token, jwt, here.clock.now())
        assert found.session is None
        assert found.clear


def test_an_exact_guard_gives_a_new_jwt_where_the_old_one_is_of_an_earlier_epoch() -> None:
    """The session that asked for the end of all others lives on under the next epoch, and its JWT of before speaks for nothing."""
    here = door(exact_revocation=True)
    signed_in = here.sign_in()
    user = step(here.storage.get(User, signed_in.user_id))
    session = step(here.storage.get(Session, signed_in.session.session_id))
    assert user is not None
    assert session is not None
    following = user.session_epoch + 1
    moved = attrs.evolve(session, subject_epoch=following)
    step(here.storage.commit(Update(attrs.evolve(user, session_epoch=following)), Update(moved)))
    found = here.auth.guard.waited(signed_in.session_token, signed_in.session_jwt, here.clock.now())
    assert found.session is not None
    assert found.session.epoch == following
    assert found.fresh_jwt is not None
    alone = here.auth.guard.waited(None, signed_in.session_jwt, here.clock.now())
    assert (alone.session, alone.clear) == (None, False)


def test_an_exact_guard_lets_nobody_in_while_storage_is_away() -> None:
    """STO-03. The cookie stays: storage will come back."""
    here = door(exact_revocation=True)
    signed_in = here.sign_in()
    here.storage.away = True
    found = here.auth.guard.waited(signed_in.session_token, signed_in.session_jwt, here.clock.now())
    assert (found.session, found.clear) == (None, False)


def test_what_one_view_changes_of_its_session_no_other_view_sees() -> None:
    """One verified session is remembered for all requests that carry it; a view gets copies of what can be changed."""
    here = door()
    step(here.auth.magic_links.email.login_or_create(email="ada@example.org"))
    token = here.inbox.entries()[0].links[0].split("token=")[-1]
    claims = {"cart": ["apple"], "plan": {"name": "free"}}
    signed_in = step(
        here.auth.magic_links.authenticate(token=token, session_duration_minutes=60, session_custom_claims=claims)
    )
    with here.request(jwt=signed_in.session_jwt):
        mine = current_session()
        mine.custom_claims["plan"]["name"] = "everything"
        mine.custom_claims["cart"].append("pear")
        mine.factors[0]["last_authenticated_at"] = "9999-12-31T23:59:59Z"
        mine.factors[0]["email_factor"]["email_address"] = "eve@example.org"
    with here.request(jwt=signed_in.session_jwt):
        assert current_session().custom_claims == claims
        assert current_session().factors[0]["email_factor"]["email_address"] == "ada@example.org"
        here.clock.advance(minutes=4)
        assert error(lambda: demand_fresh(3)) == "stale_factors"
        assert demand_fresh(5).user_id == signed_in.user_id
