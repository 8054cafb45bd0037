"""Passwords: created, checked, reset and brought along from elsewhere."""
