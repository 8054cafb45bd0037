"""The sandbox's OAuth token, in Test only: the sandbox user signs in with Google, and no provider is asked."""

from __future__ import annotations

from authmw.factors.oauth.rules import ProviderTokens
from authmw.operations import Call
from authmw.people.directory import sandbox_user, user_by_email
from authmw.people.records import Part, Proved, User
from authmw.people.rules import with_part
from authmw.signin.complete import Proof
from authmw.storage import Insert

SANDBOX_TOKEN = "hdPVZHHX0UoRa7hJTuuPHi1vlddffSnoweRbVFf5-H8g"  # a documented test value
_SUBJECT = "sandbox-subject"
_REGISTRATION = "oauth-user-test-0f0d2b6e-6c1f-4f5e-9a53-6a1d3c0b7e11"


async def sandbox_proof(call: Call) -> tuple[Proof, Part, ProviderTokens]:
    """The sign-in of the sandbox user."""
    fixed = sandbox_user(call.now)
    user = await call.storage.get(User, fixed.id) or await user_by_email(call.storage, fixed.emails[0].address)
    part = Part(
        part_id=_REGISTRATION,
        kind="oauth",
        verified=True,
        created_at=call.now,
        details={
            "provider_type": "Google",
            "provider_subject": _SUBJECT,
            "profile_picture_url": "",
            "locale": "en",
        },
        identity=("sandbox", _SUBJECT),
    )
    before = user or with_part(fixed, part)
    after = before if before.part(_REGISTRATION) else with_part(before, part)
    shown = {"id": _REGISTRATION, "provider_subject": _SUBJECT, "email_id": fixed.emails[0].email_id}
    factor = Proved(
        type="oauth",
        delivery_method="oauth_google",
        last_authenticated_at=call.now,
        created_at=call.now,
        updated_at=call.now,
        details={"google_oauth_factor": shown},
        category="account",
    )
    writes = () if user else (Insert(before),)
    granted = ProviderTokens(access_token="sandbox", scopes=["openid", "email", "profile"])  # noqa: S106  # no token
    return Proof(before=before, after=after, factor=factor, writes=writes), part, granted
