"""The words: one TOML catalogue per language, `string.Template` values, found key by key.

Law: a catalogue holds text, never markup, and its placeholders are those of the English one. `pt-br` falls back to
`pt`, then to another `pt-...`, then to `en`. A host adds a language, or changes single words of ours, by putting a
file of the same name into its own folder.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import cast

import attrs

from authmw.errors import Misconfigured

OURS = Path(__file__).parent / "locales"
FALLBACK = "en"
_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}", re.ASCII)

Words = Mapping[str, str]


@attrs.frozen(eq=False)
class Catalogue:
    """The words of one language and, behind them, of those it falls back to."""

    locale: str
    chain: tuple[Words, ...]

    def words(self, key: str, values: Mapping[str, str]) -> str:
        """The text of a key with its placeholders replaced. KeyError for an unknown key or a missing value."""
        for words in self.chain:
            if key in words:
                return Template(words[key]).substitute(values)
        raise KeyError(key)


def read_words(path: Path) -> Words:
    """A catalogue as flat keys (`login.subject`). Raises Misconfigured, naming the file, for anything else."""
    try:
        return dict(_flat("", tomllib.loads(path.read_text(encoding="utf-8"))))
    except (ValueError, TypeError) as fault:
        raise Misconfigured(f"The catalogue {path.name} cannot be read: {fault}") from fault


def _flat(prefix: str, table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, str):
            yield prefix + name, value
        elif isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", cast("dict[str, object]", value))
        else:
            message = f"{prefix}{name} is not a text."
            raise TypeError(message)


@lru_cache(maxsize=8)
def _loaded(folder: Path | None) -> Mapping[str, tuple[Words, ...]]:
    """Per locale its words, the host's before ours."""
    found: dict[str, tuple[Words, ...]] = {path.stem: (read_words(path),) for path in sorted(OURS.glob("*.toml"))}
    if folder is not None:
        english = found[FALLBACK][0]
        for path in sorted(folder.glob("*.toml")):
            words = read_words(path)
            _refuse_unlike(english, words, path.name)
            found[path.stem.lower()] = (words, *found.get(path.stem.lower(), ()))
    return found


def _refuse_unlike(english: Words, words: Words, name: str) -> None:
    for key, text in words.items():
        if key not in english:
            raise Misconfigured(f"The catalogue {name} has the unknown key {key}.")
        template = Template(text)
        if not template.is_valid() or not set(template.get_identifiers()) <= set(
            Template(english[key]).get_identifiers()
        ):
            raise Misconfigured(f"The catalogue {name} has a placeholder in {key} that this text does not get.")


def available_locales(folder: Path | None = None) -> tuple[str, ...]:
    """The languages that have a catalogue of their own, ours and those of the host's folder."""
    return tuple(sorted(_loaded(folder)))


def catalogue(locale: str | None, folder: Path | None = None) -> Catalogue:
    """The catalogue for a language tag, compared without case (`pt_BR` is `pt-br`); English for an unknown one."""
    return _catalogue((locale or FALLBACK).replace("_", "-").lower()[:36], folder)


@lru_cache(maxsize=128)
def _catalogue(locale: str, folder: Path | None) -> Catalogue:
    loaded = _loaded(folder)
    chosen = [tag for tag in _fallbacks(locale, tuple(loaded)) if tag in loaded]
    return Catalogue(chosen[0], tuple(words for tag in chosen for words in loaded[tag]))


def closest(locale: str | None, available: tuple[str, ...]) -> str | None:
    """Which of these languages to speak to somebody who asked for `locale`; None if none of them is that language."""
    asked = _fallbacks((locale or FALLBACK).replace("_", "-").lower()[:36], available)
    language = asked[0].partition("-")[0]
    return next((tag for tag in asked if tag in available and tag.partition("-")[0] == language), None)


def _fallbacks(locale: str, available: tuple[str, ...]) -> list[str]:
    tags: list[str] = []
    if _TAG.fullmatch(locale):
        parts = locale.split("-")
        tags = ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]
        tags += [tag for tag in available if tag.split("-")[0] == parts[0] and tag not in tags]
    return [*tags, FALLBACK] if FALLBACK not in tags else tags


_PHONE_TEXTS = Path(__file__).parent / "phone_texts.toml"


def phone_words(locale: str | None, folder: Path | None = None) -> Template:
    """The line of a text with a code. Texts are spoken in more languages than mails are; a catalogue of the asked language comes first."""
    chosen = catalogue(locale, folder)
    tags = _fallbacks((locale or FALLBACK).replace("_", "-").lower()[:36], ())
    if chosen.locale.split("-")[0] != tags[0].split("-")[0]:
        texts = _phone_texts()
        for tag in tags:
            if tag in texts:
                return Template(texts[tag])
    return Template(next(words["otp_sms"] for words in chosen.chain if "otp_sms" in words))


@lru_cache(maxsize=1)
def _phone_texts() -> Words:
    return read_words(_PHONE_TEXTS)
