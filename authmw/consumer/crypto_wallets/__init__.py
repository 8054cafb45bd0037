"""Signing in by a crypto wallet."""
