"""The factor `trusted_auth_token`."""
