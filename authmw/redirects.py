"""Redirect URLs: which may be registered, which a request may name, and how a token is added to one.

Law: a decision is made on the raw text, read by the strict parser of `authmw.urls`, and scheme, host, port and path
are compared byte for byte (RED-01, RED-02). `urllib.parse` only encodes what is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Literal
from urllib.parse import quote

import attrs

from authmw.errors import Refused
from authmw.urls import CHARACTERS, QUERY, Malformed, Place, SplitURL, be_a_path, parameters_by_name, split_url

_PLACEHOLDER = "{}"

RESERVED_PARAMETERS = frozenset(
    {"token", "token_type", "stytch_token_type", "code", "state", "error", "error_description"}
)
"""Query names that are ours (or a protocol's) to add: nobody else may use them, in any case of letters."""

TEST_DEFAULT_URL = "http://localhost:3000"
"""What every type starts with in the Test environment."""


class RedirectType(StrEnum):
    """What a redirect URL may be used for. DISCOVERY exists in B2B only."""

    LOGIN = "LOGIN"
    SIGNUP = "SIGNUP"
    INVITE = "INVITE"
    RESET_PASSWORD = "RESET_PASSWORD"
    DISCOVERY = "DISCOVERY"


class InvalidRedirectURL(Refused):
    """An entry cannot be registered. `position` counts the entries from 0; the entry itself is not repeated."""

    def __init__(self, error_type: str, position: int, message: str | None = None) -> None:
        super().__init__(error_type, message)
        self.position = position


def _as_set(types: Iterable[RedirectType]) -> frozenset[RedirectType]:
    return frozenset(types)


@attrs.frozen
class RedirectURL:
    """One registered URL: the types it may be used for, and those among them whose default it is."""

    url: str
    types: frozenset[RedirectType] = attrs.field(converter=_as_set)
    defaults: frozenset[RedirectType] = attrs.field(converter=_as_set, default=frozenset[RedirectType]())


@attrs.frozen(kw_only=True)
class RedirectErrors:
    """What a caller answers with: no URL and no default; a URL not registered for the type; a text that is no URL."""

    missing: str
    unmatched: str
    invalid: str


# --- What may be registered ---


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Schemes that run script, show other content as ours, read files or call other programs (RED-04).
_REFUSED_SCHEMES = _words("""
    about blob cdp chrome chrome-error chrome-extension chrome-search chrome-untrusted content data devtools dict
    dns edge feed file filesystem ftp ftps gopher imap intent jar javascript ldap ldaps livescript magnet mailto
    mhtml mk mocha moz-extension ms-appx ms-appx-web ms-its ms-browser-extension news nntp opera pop res resource
    rtsp safari-extension safari-web-extension sftp sip sips smb sms smsto ssh tel telnet urn vbscript view-source
    wais webcal ws wss wyciwyg x-javascript xmpp
""")

# Second levels under which a country's registry sells names: `*.co.uk` would be everybody.
_REGISTRY_LEVELS = _words("""
    ac art asn asso biz co com ed edu firm gen go gob gouv gov govt gub gv id idf idv iwi info ing int k12 kiwi
    lea lg ltd maori me med mi mil mod muni name ne net ngo nhs nic nom nsw or org plc police pp press pro qld re
    res sa sc sch school sld store tas tm tur vic wa web
""")
# Country codes whose whole second level is sold that way.
_REGISTRY_COUNTRIES = _words("bd ck er fk jm kh mm np pg")

# Hosts that give names to anybody (the private section of the Public Suffix List, the best known).
_SHARED_HOSTS = _words("""
    amplifyapp.com appspot.com azureedge.net azurestaticapps.net azurewebsites.net bitbucket.io blogspot.com
    cloudfront.net codesandbox.io deno.dev elasticbeanstalk.com firebaseapp.com fly.dev framer.app framer.website
    gitbook.io github.dev github.io gitlab.io glitch.me herokuapp.com hf.space loca.lt netlify.app ngrok-free.app
    ngrok.app ngrok.io now.sh onrender.com pages.dev pythonanywhere.com r2.dev repl.co replit.app replit.dev
    run.app stackblitz.io streamlit.app surge.sh trycloudflare.com up.railway.app vercel.app vercel.dev web.app
    webflow.io workers.dev wixsite.com wordpress.com br.com cn.com com.de de.com eu.com gb.net jp.net jpn.com
    mex.com ru.com sa.com se.net uk.com uk.net us.com za.com
""")


@attrs.frozen
class _Entry:
    """One registered URL, read: where it leads, its parameters, and what it is for."""

    url: str
    place: Place
    parameters: Mapping[str, str | None] | None
    types: frozenset[RedirectType]

    @property
    def wildcard(self) -> bool:
        return self.place[2].startswith("*.")

    @property
    def identity(self) -> tuple[object, ...]:
        """Two entries of one identity accept the same URLs."""
        return (self.place, None if self.parameters is None else frozenset(self.parameters.items()))

    def admits(self, query: str | None) -> bool:
        """The query has this entry's names, each once; a literal value is equal, a placeholder's anything (RED-03)."""
        pairs = parameters_by_name(query)
        if pairs is None or self.parameters is None:
            return pairs is self.parameters
        return pairs.keys() == self.parameters.keys() and all(
            pairs[name] is not None if value == _PLACEHOLDER else pairs[name] == value
            for name, value in self.parameters.items()
        )


def _read_entry(registered: RedirectURL, position: int, *, live: bool) -> _Entry:
    text = registered.url

    def invalid(error_type: str, why: str | None = None) -> InvalidRedirectURL:
        message = None if why is None else f"The redirect URL is not valid: {why}."
        return InvalidRedirectURL(error_type, position, message)

    scheme = text.partition(":")[0]
    if scheme.lower() in _REFUSED_SCHEMES:
        raise invalid("redirect_url_cannot_use_protocol")
    try:
        split = split_url(text, entry=True)
        parameters = _entry_parameters(split.query)
    except Malformed as fault:
        raise invalid("invalid_url", str(fault)) from None
    wildcard = split.host.startswith("*.")
    if live and wildcard:
        raise invalid("no_wildcards_in_live_redirect_url")
    if live and split.scheme == "http":
        raise invalid("redirect_url_must_use_https")
    if "*" in split.path:
        raise invalid("invalid_url", "a wildcard stands in the path")
    if live and _is_local(split.host):
        raise invalid("invalid_url", "a local host can be used in Test only")
    if wildcard and (split.scheme not in ("http", "https") or is_public_suffix(split.host[2:])):
        raise invalid("invalid_url", "the wildcard stands for hosts of strangers")
    if not registered.types or not registered.types <= frozenset(RedirectType):
        raise invalid("invalid_redirect_url_type")
    if not registered.defaults <= registered.types:
        raise invalid("invalid_default_url")
    if registered.defaults and wildcard:
        raise invalid("redirect_url_with_wildcard_cannot_be_default")
    if registered.defaults and parameters is not None and _PLACEHOLDER in parameters.values():
        raise invalid("redirect_url_with_query_param_placeholder_cannot_be_default")
    return _Entry(text, split.place, parameters, registered.types)


def _entry_parameters(query: str | None) -> dict[str, str | None] | None:
    parameters = parameters_by_name(query)
    for name, value in (parameters or {}).items():
        if name.lower() in RESERVED_PARAMETERS:
            raise Malformed("a parameter's name is reserved")
        if value not in (None, _PLACEHOLDER) and (not QUERY.fullmatch(value or "") or "*" in (value or "")):
            raise Malformed("a parameter's value is neither {} nor a literal without wildcard")
    return parameters


def _is_local(host: str) -> bool:
    """Whether the host is the machine the browser runs on: in Live, no token goes to a stranger's local server."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def is_public_suffix(base: str) -> bool:
    """Whether a registry sells the names under `base`; `RedirectList.parse` says how far this reaches."""
    labels = base.split(".")
    if len(labels) < 2 or base.startswith("[") or labels[-1].isdigit():
        return True
    if len(labels) > 2 or len(labels[1]) != 2:
        return False
    return labels[0] in _REGISTRY_LEVELS or labels[1] in _REGISTRY_COUNTRIES


# --- The list ---


@attrs.frozen
class RedirectList:
    """The redirect URLs of one environment. Built by `parse`; decides by `match`.

    `warnings` are sentences for whoever starts the service: entries that are accepted and deserve a second look.
    """

    entries: tuple[RedirectURL, ...]
    warnings: tuple[str, ...]
    _by_place: Mapping[Place, tuple[_Entry, ...]] = attrs.field(repr=False, eq=False)
    _defaults: Mapping[RedirectType, str] = attrs.field(repr=False, eq=False)

    @classmethod
    def parse(cls, entries: Iterable[RedirectURL], environment: Literal["test", "live"]) -> RedirectList:
        """Read what is registered.

        A URL is http or https with a host, or a private-use scheme of an app (RFC 8252 section 7.1), written
        canonically: lower-case scheme and host (A-labels), no user information, fragment, dot segment or reserved
        parameter. `name={}` admits any value of that parameter; `https://*.example.com` (Test only) any one DNS label.
        In Live, http and wildcards are refused. A URL may be the default of its types unless it holds a wildcard or a
        placeholder; a type has one default.

        A wildcard may not stand directly under a public suffix. There is no Public Suffix List in here: refused are a
        wildcard over a single label, over a usual second level of a country code (`co.uk`, `com.au`, `or.jp`) and over
        the country codes that sell names only there. Suffixes that belong to companies (`vercel.app`, `github.io`)
        give a warning, since whoever tests may well own a name there and write it in full. Deeper or rarer suffixes
        are not known: prefer a wildcard over a domain of your own.

        Raises InvalidRedirectURL (a Refused) for the first entry that cannot be registered.
        """
        listed = tuple(entries)
        by_place: dict[Place, tuple[_Entry, ...]] = {}
        identities: set[tuple[object, ...]] = set()
        defaults: dict[RedirectType, str] = {}
        warnings: list[str] = []
        for position, registered in enumerate(listed):
            entry = _read_entry(registered, position, live=environment == "live")
            if entry.identity in identities:
                raise InvalidRedirectURL("duplicate_redirect_url", position)
            if not defaults.keys().isdisjoint(registered.defaults):
                raise InvalidRedirectURL("invalid_default_url", position)
            identities.add(entry.identity)
            defaults.update(dict.fromkeys(registered.defaults, registered.url))
            by_place[entry.place] = (*by_place.get(entry.place, ()), entry)
            if entry.wildcard and entry.place[2][2:] in _SHARED_HOSTS:
                warnings.append(
                    f"Redirect URL {position} has a wildcard over a shared host, where anybody can get a name."
                )
        return cls(listed, tuple(warnings), by_place, defaults)

    def match(self, candidate: str | None, redirect_type: RedirectType, *, errors: RedirectErrors) -> str:
        """The URL to redirect to: the candidate, unchanged, if it is registered for this type; the type's default if
        there is no candidate.

        Exact, query included: the parameters of the entry, no more and no fewer, in any order. What a placeholder
        admits is opaque here; an app that redirects on to such a value asks `safe_next`. Raises Refused with the
        caller's `errors`. One dictionary look-up or two.
        """
        if candidate is None:
            default = self._defaults.get(redirect_type)
            if default is None:
                raise Refused(errors.missing)
            return default
        try:
            split = split_url(candidate)
            if split.query is not None and not QUERY.fullmatch(split.query):
                raise Malformed("the query holds a character that it may not hold")
            known = any(redirect_type in entry.types and entry.admits(split.query) for entry in self._at(split))
        except Malformed:
            raise Refused(errors.invalid) from None
        if not known:
            raise Refused(errors.unmatched)
        return candidate

    def _at(self, split: SplitURL) -> tuple[_Entry, ...]:
        scheme, authority, host, port, path = split.place
        _, dot, parent = host.partition(".")
        under_wildcard = self._by_place.get((scheme, authority, "*." + parent, port, path), ()) if dot else ()
        return self._by_place.get(split.place, ()) + under_wildcard


def local_default() -> RedirectURL:
    """What the Test environment starts with: one local URL, the default of every type."""
    return RedirectURL(TEST_DEFAULT_URL, frozenset(RedirectType), frozenset(RedirectType))


# --- Adding a token, and going on from there ---


def with_token(url: str, token_type: str, token: str) -> str:
    """An accepted URL with `stytch_token_type` and `token` added to its query, encoded (RED-05).

    `url` is what `match` returned. Neither name can be there already; for any other text that is checked again, and a
    fragment (behind which the parameters would be lost), a reserved or an encoded name raises ValueError.
    """
    names = [pair.partition("=")[0].lower() for pair in url.partition("?")[2].split("&")]
    if "#" in url or any("%" in name or name in RESERVED_PARAMETERS for name in names):
        raise ValueError("The URL has a fragment or a reserved parameter.")
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}stytch_token_type={quote(token_type, safe='')}&token={quote(token, safe='')}"


# Of a path's own query: no encoded control character (%00 to %1F, %7F).
_NEXT_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%(?!0|1|7[Ff])[0-9A-Fa-f]{2})*")


def safe_next(text: object, default: str = "/") -> str:
    """A path of our own site to go on to, or `default` when the text is anything else (RED-06).

    Accepted is an absolute path with an optional query in plain RFC 3986 characters, at most 2048: it starts with one
    slash, not followed by another or by a backslash, and holds no fragment, dot segment, raw or encoded control
    character, and in the path no encoded slash, dot or backslash. So neither a browser nor a proxy that normalises it
    can end up on another host.
    """
    if not isinstance(text, str) or not text.startswith("/") or not CHARACTERS.fullmatch(text):
        return default
    path, question, query = text.partition("?")
    try:
        be_a_path(path, rooted=True)
    except Malformed:
        return default
    if question and not _NEXT_QUERY.fullmatch(query):
        return default
    return text
