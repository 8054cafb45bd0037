"""Which products browsers may call: a project switches off what its pages do not use, and backends go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias, get_args

BrowserProduct: TypeAlias = Literal[
    "biometrics", "crypto_wallets", "magic_links", "oauth", "otps", "passwords", "totps", "users", "webauthn"
]
"""A product by the first part of its paths under `/sdk/v1/`."""


BROWSER_PRODUCTS: frozenset[BrowserProduct] = frozenset(get_args(BrowserProduct))


def names_off(values: Iterable[BrowserProduct]) -> frozenset[BrowserProduct]:
    """The names, each once."""
    return frozenset(values)


def switch_faults(off: frozenset[BrowserProduct]) -> Iterator[str]:
    """What cannot work."""
    if not off <= BROWSER_PRODUCTS:
        yield "browser_off may name " + ", ".join(get_args(BrowserProduct)) + "."


def is_switched_off(path: str, off: frozenset[BrowserProduct], *, sending: bool) -> bool:
    """Whether a path of the browser API is closed: its whole product is, or it sends to known people only and `sending` is off."""
    product, _, rest = path.removeprefix("/sdk/v1/").partition("/")
    return product in off or (not sending and "/send/" in f"/{rest}")
