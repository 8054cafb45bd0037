"""Randomness, keys, sealing and signatures: everything that must be exactly right, and nothing that knows a user."""
