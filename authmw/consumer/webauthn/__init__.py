"""Passkeys and security keys."""
