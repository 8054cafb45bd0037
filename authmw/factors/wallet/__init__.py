"""Crypto wallets: a signature by the key of an address."""
