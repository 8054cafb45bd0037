"""Own dispatch: paths of the table to what answers them. A static path wins over one with parameters."""

from __future__ import annotations

import re
from typing import Generic, TypeVar

import attrs

from authmw.http.paths import value_of

T = TypeVar("T")
LONGEST = 4096
"""Characters of a path with an address in it: longer ones would only keep the matching busy."""
_PARAMETER = r"(https://[^/].*|[^/]+)"


@attrs.frozen
class Match(Generic[T]):
    """What a path leads to, by method, and the values of its parameters."""

    methods: dict[str, T]
    parameters: dict[str, str]


class Table(Generic[T]):
    """Routes by path and method."""

    def __init__(self) -> None:
        self._static: dict[str, dict[str, T]] = {}
        self._patterns: dict[int, list[tuple[list[str], dict[str, T]]]] = {}

    def add(self, method: str, path: str, target: T) -> None:
        """Add a route; two targets for one method and path are an error."""
        if "{" not in path:
            methods = self._static.setdefault(path, {})
        else:
            segments = path.split("/")
            known = self._patterns.setdefault(len(segments), [])
            methods = next((held for parts, held in known if parts == segments), dict[str, T]())
            if all(held is not methods for _, held in known):
                known.append((segments, methods))
        if method in methods:
            message = f"{method} {path} is declared twice."
            raise ValueError(message)
        methods[method] = target

    def match(self, path: str) -> Match[T] | None:
        """What stands at a path, None if nothing does. The path is decoded already: ASGI and WSGI both do it, and twice would be once too often.

        Slashes that its caller encoded are told apart where the server says how it came (`paths.SLASH`), and are part of a value.
        """
        methods = self._static.get(path)
        if methods is not None:
            return Match(methods, {})
        if "/https://" in path:
            return self._by_address(path) if len(path) <= LONGEST else None
        given = path.split("/")
        for parts, held in self._patterns.get(len(given), ()):
            parameters: dict[str, str] = {}
            for part, text in zip(parts, given, strict=True):
                if part.startswith("{"):
                    if not text:
                        break
                    parameters[part[1:-1]] = value_of(text)
                elif part != text:
                    break
            else:
                return Match(held, parameters)
        return None

    def _by_address(self, path: str) -> Match[T] | None:
        """The same for a path with a parameter that is an address, whose slashes its caller encoded and its server did not tell of: the id of a client may be one."""
        # The longest first, so that what stands behind the address in a path is not taken for its end.
        for length in sorted(self._patterns, reverse=True):
            for parts, held in self._patterns[length]:
                names = [part[1:-1] for part in parts if part.startswith("{")]
                pattern = "/".join(_PARAMETER if part.startswith("{") else re.escape(part) for part in parts)
                found = re.fullmatch(pattern, path)
                if found is not None:
                    return Match(held, dict(zip(names, found.groups(), strict=True)))
        return None
