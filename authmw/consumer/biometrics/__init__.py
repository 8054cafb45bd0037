"""Signing in by a key that a device keeps behind its biometrics."""
