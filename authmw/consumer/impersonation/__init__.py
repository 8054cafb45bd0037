"""Signing in as a user, for support."""
