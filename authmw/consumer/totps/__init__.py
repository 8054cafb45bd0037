"""Authenticator apps and their recovery codes."""
