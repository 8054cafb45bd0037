"""Sessions as they are signed and found again: keys that are gone, tokens of organizations, joins that must not be."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context
from datetime import timedelta
from typing import Any

import attrs
import pytest

from authmw import Auth, Cookies, Settings
from authmw.clock import ticks
from authmw.crypto import jwts
from authmw.crypto.jwts import ORGANIZATION_CLAIM, SESSION_CLAIM
from authmw.crypto.roots import RootKeys
from authmw.drive import step
from authmw.errors import Refused
from authmw.people.records import Email, Proved, Session, User
from authmw.signin.keys import KeyRing
from authmw.signin.sessions import claims_of, derive_token, factor_on_the_wire, rfc3339, with_new_secret
from authmw.storage import Update
from authmw.testing import FixedClock
from authmw_adapters.inbox import Inbox
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.model.sides import BROWSER
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET

OLD, NEW = b"o" * 32, b"n" * 32
NOW = FixedClock().now()
USER = User(id="user-test-ada", created_at=NOW)
SESSION = Session(
    session_id="session-test-1",
    subject_id=USER.id,
    random=b"",
    key_version=1,
    digest="",
    started_at=NOW,
    last_accessed_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)


@attrs.define(eq=False)
class Project:
    auth: Auth
    inbox: Inbox
    clock: FixedClock

    def sign_in(self, address: str = "ada@example.org", caller: Any = None, **more: Any) -> Any:
        self.clock.advance(seconds=2)
        step(self.auth.magic_links.email.login_or_create(email=address))
        token = self.inbox.entries()[0].links[0].split("token=")[-1]
        work = self.auth.magic_links.authenticate(token=token, session_duration_minutes=60, **more)
        if caller is None:
            return step(work)
        with self.auth.acting_as(caller):
            return step(work)


def project(storage: MemoryStorage | None = None, **settings: Any) -> Project:
    inbox, clock = Inbox(), FixedClock()
    auth = Auth(
        Settings(
            project_id=PROJECT_ID, secret=SECRET, public_token=PUBLIC_TOKEN, cookies=Cookies(secure=False), **settings
        ),
        storage=storage or MemoryStorage(),
        limiter=MemoryLimiter(),
        email=inbox,
        clock=clock,
    )
    return Project(auth, inbox, clock)


@pytest.fixture
def here() -> Iterator[Project]:
    yield project()


def test_the_token_of_a_session_is_gone_with_its_root_key() -> None:
    """KEY-02: what an old key made is not made anew by another."""
    made = with_new_secret(RootKeys((OLD,)), SESSION, NOW)
    token = derive_token(RootKeys((OLD,)), made)
    assert token == derive_token(RootKeys((NEW, OLD)), made)
    assert derive_token(RootKeys((NEW,)), made) is None


def test_the_jwt_of_an_organizations_session_says_which() -> None:
    settings = project().auth.settings
    claims = claims_of(
        settings, attrs.evolve(SESSION, organization_id="organization-1", organization_epoch=7), USER, NOW
    )
    assert claims[ORGANIZATION_CLAIM] == {"organization_id": "organization-1", "slug": ""}
    assert claims[SESSION_CLAIM]["organization_epoch"] == 7
    plain = claims_of(settings, SESSION, USER, NOW)
    assert ORGANIZATION_CLAIM not in plain
    assert "organization_epoch" not in plain[SESSION_CLAIM]


def test_custom_claims_never_stand_in_the_place_of_ours() -> None:
    """TOK-10, A025: even such as came past the rule that ignores them."""
    forged: dict[str, Any] = {"sub": "eve", "iss": "evil", SESSION_CLAIM: {}, "mine": 1}
    claims = claims_of(project().auth.settings, attrs.evolve(SESSION, custom_claims=forged), USER, NOW)
    assert (claims["sub"], claims["mine"]) == (USER.id, 1)
    assert claims["iss"].startswith("stytch.com/")
    assert claims[SESSION_CLAIM]["id"] == SESSION.session_id


def test_a_factor_on_the_wire_holds_its_times_to_whole_seconds() -> None:
    late = NOW + timedelta(microseconds=999_999)
    factor = Proved(
        type="otp", delivery_method="sms", last_authenticated_at=late, created_at=NOW, updated_at=late, details={"a": 1}
    )
    assert factor_on_the_wire(factor) == {
        "type": "otp",
        "delivery_method": "sms",
        "last_authenticated_at": rfc3339(NOW),
        "created_at": rfc3339(NOW),
        "updated_at": rfc3339(NOW),
        "a": 1,
    }


def test_a_backend_joins_only_the_sessions_of_whom_the_proof_is_of(here: Project) -> None:
    """OTP-02: nothing attaches to another user's session."""
    ada = here.sign_in()
    with pytest.raises(Refused) as refused:
        here.sign_in("bob@example.org", session_token=ada.session_token)
    assert refused.value.error_type == "user_id_mismatch"


def test_a_browser_that_carries_somebody_elses_session_gets_its_own(here: Project) -> None:
    """SES-01: the session that was there before the sign-in is neither joined nor refused."""
    ada = here.sign_in()
    bob = here.sign_in("bob@example.org", attrs.evolve(BROWSER, session_token=ada.session_token))
    assert bob.user_id != ada.user_id
    assert len(step(here.auth.sessions.get(user_id=ada.user_id)).sessions) == 1
    assert len(step(here.auth.sessions.get(user_id=bob.user_id)).sessions) == 1


def test_nobody_steps_up_the_session_of_whoever_is_signed_in_as_them() -> None:
    """Support that is signed in as a user gains nothing by what the user proves; a browser gets a session of its own."""
    here = project(impersonation=True)
    ada = here.sign_in()
    started = step(
        here.auth.impersonation.start(
            user_id=ada.user_id, impersonator_id="staff-7", impersonator_email_address="help@example.com"
        )
    )
    support = step(here.auth.impersonation.authenticate(impersonation_token=started.impersonation_token))
    with pytest.raises(Refused) as refused:
        here.sign_in(session_token=support.session_token)
    assert refused.value.error_type == "session_not_mutable"
    here.sign_in(caller=attrs.evolve(BROWSER, session_token=support.session_token))
    sessions = step(here.auth.sessions.get(user_id=ada.user_id)).sessions
    assert sorted(len(one.authentication_factors) for one in sessions) == [1, 1, 1]


def test_a_process_learns_of_a_key_that_another_made_when_it_meets_it() -> None:
    """KEY-01: at most once a second, however many unknown ones it is shown."""
    here = project()
    other = KeyRing(here.auth.core)
    ours = here.auth.keys
    step(ours.active())
    step(other.load())
    step(ours.rotate())
    step(ours.rotate())
    newest = step(ours.active()).kid
    assert newest not in other.cached()
    other._loaded = ticks() + 30  # however slow this machine is, it was read a moment ago
    assert newest not in step(other.verifying(newest))
    other._loaded = ticks() - 2
    assert newest in step(other.verifying(newest))
    assert newest in step(other.verifying("never-made"))


def test_a_key_that_no_jwt_names_settles_nothing() -> None:
    here = project()
    signed_in = here.sign_in()
    keys = here.auth.keys.cached()
    assert jwts.is_settled_by(signed_in.session_jwt, keys)
    assert not jwts.is_settled_by(signed_in.session_jwt, {})
    for text in ("", "no token", "a.b.c", "e30.e30.AA", "x" * 100_000):
        assert jwts.is_settled_by(text, {})


def test_what_ends_other_sessions_leaves_no_tokens_where_no_browser_waits_for_them(here: Project) -> None:
    from authmw.operations import visit
    from authmw.signin.ending import Kept, keep_signed_in

    signed_in = here.sign_in()
    session = step(here.auth.storage.get(Session, signed_in.session.session_id))
    user = step(here.auth.storage.get(User, signed_in.user_id))
    assert user is not None
    assert session is not None

    def outside() -> None:
        assert visit.get() is None
        step(keep_signed_in(None, here.auth.keys, Kept(user, session)))  # type: ignore[arg-type]  # no call is asked

    Context().run(outside)


@pytest.mark.parametrize("audience", ["backend", "browser"])
def test_a_dead_session_is_refused_to_a_backend_and_forgotten_for_a_browser(here: Project, audience: str) -> None:
    """What a browser still carries of an ended session keeps nobody from signing in."""
    dead = here.sign_in()
    step(here.auth.sessions.revoke(session_token=dead.session_token))
    if audience == "browser":
        fresh = here.sign_in(caller=attrs.evolve(BROWSER, session_token=dead.session_token))
        assert len(step(here.auth.sessions.get(user_id=fresh.user_id)).sessions) == 1
        return
    with pytest.raises(Refused) as refused:
        here.sign_in(session_token=dead.session_token)
    assert refused.value.error_type == "session_not_found"


def test_whoever_is_signed_in_as_somebody_claims_no_address_for_them() -> None:
    """Support that holds a mailbox which is named on a user's account becomes somebody else by it."""
    here = project(impersonation=True)
    ada = here.sign_in()
    user = step(here.auth.storage.get(User, ada.user_id))
    assert user is not None
    named = Email(email_id="email-test-1", address="staff@example.org", created_at=here.clock.now())
    step(here.auth.storage.commit(Update(attrs.evolve(user, emails=(*user.emails, named)))))
    started = step(
        here.auth.impersonation.start(
            user_id=ada.user_id, impersonator_id="staff-7", impersonator_email_address="staff@example.org"
        )
    )
    support = step(here.auth.impersonation.authenticate(impersonation_token=started.impersonation_token))
    browser = attrs.evolve(BROWSER, session_token=support.session_token)
    assert here.sign_in("staff@example.org", browser).user_id != ada.user_id
    after = step(here.auth.storage.get(User, ada.user_id))
    assert after is not None
    assert [email.verified for email in after.emails] == [True]
