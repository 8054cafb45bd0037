"""Passwords: what makes one strong enough, and what is known to be common."""
