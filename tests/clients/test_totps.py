"""Authenticator apps by the vendor's own Python client."""

from __future__ import annotations

import pyotp
import pytest
import stytch
from stytch.core.response_base import StytchError

from authmw_adapters.inbox import Inbox

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def test_an_app_is_enrolled_used_recovered_and_removed(client: stytch.Client, inbox: Inbox) -> None:
    client.magic_links.email.login_or_create(email="ada@example.org")
    token = inbox.entries()[0].links[0].split("token=")[-1]
    user_id = client.magic_links.authenticate(token).user_id
    made = client.totps.create(user_id=user_id)
    signed_in = client.totps.authenticate(
        user_id=user_id, totp_code=pyotp.TOTP(made.secret).now(), session_duration_minutes=60
    )
    assert signed_in.session.authentication_factors[0].authenticator_app_factor.totp_id == made.totp_id
    assert client.totps.recovery_codes(user_id=user_id).totps[0].recovery_codes == made.recovery_codes
    recovered = client.totps.recover(user_id=user_id, recovery_code=made.recovery_codes[0], session_duration_minutes=60)
    assert recovered.session.authentication_factors[0].recovery_code_factor.totp_recovery_code_id == made.totp_id
    with pytest.raises(StytchError) as spent:
        client.totps.recover(user_id=user_id, recovery_code=made.recovery_codes[0])
    assert spent.value.details.error_type == "unable_to_authenticate_recovery_code"
    assert client.users.delete_totp(made.totp_id).user.totps == []
