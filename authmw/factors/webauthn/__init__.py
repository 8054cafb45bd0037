"""Passkeys and security keys: the ceremonies of Web Authentication (W3C WebAuthn Level 3)."""
