"""Text that does not print.

Law: a secret is shown by `reveal` and by nothing else. The class is no attrs class on purpose: encoders (msgspec
among them) would write out its fields.
"""

from __future__ import annotations

from typing import NoReturn, SupportsIndex, final

from authmw.crypto.tokens import digest, same

_SHOWN = "Secret(***)"


@final
class Secret:
    """Holds a secret so that it cannot be shown, logged, iterated, encoded or pickled by accident; `reveal` gives it on purpose.

    Two secrets are compared in constant time; a secret never equals a text.
    """

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """The secret itself."""
        return self._text

    def __repr__(self) -> str:
        return _SHOWN

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, specification: str, /) -> str:
        return _SHOWN

    def __eq__(self, other: object) -> bool:
        return same(self._text, other._text) if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(digest(self._text))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(name)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(name)

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        message = "A Secret cannot be pickled or copied."
        raise TypeError(message)
