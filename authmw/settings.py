"""What a project is: frozen values, checked when they are built. Never reads the environment, a file or a clock itself.

Law: a setting that is unknown, contradictory or unsafe in Live is an error that names itself, and all faults are named at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias, cast

import attrs

from authmw.crypto.roots import RootKeys
from authmw.crypto.secret import Secret
from authmw.declared import wrong_types
from authmw.errors import Misconfigured, Refused
from authmw.faults import BYTES_OF_CHANCE, COOKIE_DOMAIN, COOKIE_NAME, COOKIE_PATH, always, in_live
from authmw.identifiers import canonical_ip
from authmw.oauth_providers import OAuthProvider
from authmw.passkeys import WebAuthnRules
from authmw.permissions import Policy
from authmw.provider import Provider
from authmw.redirects import InvalidRedirectURL, RedirectList, RedirectType, RedirectURL, local_default
from authmw.switches import BrowserProduct, names_off
from authmw.templates import TemplateBook
from authmw.trusted_tokens import TrustedTokenProfile

Environment: TypeAlias = Literal["test", "live"]
MfaRule: TypeAlias = Literal["enrolled", "host", "gate"]
Manageable: TypeAlias = Literal[
    "redirect_urls", "public_tokens", "secrets", "ip_allow_list", "templates", "passwords", "browser_access"
]
"""What `Settings.managed` can name: values that `auth.project` changes while the service runs."""
MAXIMUM_ADDRESSES = 10
"""Addresses that the allow-list of the backend API may hold."""


# What is of another type than it may be is left as it is: `wrong_types` names it.


def _several(values: object) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, (str, bytes))


def _secret(value: str | Secret) -> Secret:
    return Secret(value) if isinstance(value, str) else value


def _names(values: Iterable[Manageable]) -> frozenset[Manageable]:
    return frozenset(values) if _several(values) else cast("frozenset[Manageable]", values)


def _kinds(values: Iterable[str]) -> frozenset[str]:
    return frozenset(values) if _several(values) else cast("frozenset[str]", values)


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values) if _several(values) else cast("tuple[str, ...]", values)


def _urls(values: Sequence[RedirectURL | str] | None) -> tuple[RedirectURL, ...] | None:
    if values is None or not _several(values):
        return cast("None", values)
    consumer = frozenset(RedirectType) - {RedirectType.DISCOVERY}
    return tuple(RedirectURL(value, consumer) if isinstance(value, str) else value for value in values)


@attrs.frozen(kw_only=True)
class Cookies:
    """The two session cookies.

    By default they are HttpOnly and called `__Host-authmw_session` and `__Host-authmw_session_jwt`; on plain http in Test (loopback) the prefix and Secure are
    dropped. `vendor` gives the names `stytch_session` and `stytch_session_jwt` in the script-readable mode that the vendor's browser client writes itself.
    `domain` drops the `__Host-` prefix to `__Secure-`. With `clear_site_data` a sign-out also has the browser drop every other cookie of the site.
    """

    name: str = "authmw_session"
    domain: str | None = None
    path: str = "/"
    vendor: bool = False
    secure: bool = True
    clear_site_data: bool = False

    def faults(self) -> Iterator[str]:
        """What cannot work."""
        if not COOKIE_NAME.fullmatch(self.name):
            yield "cookies.name must be a token."
        if not COOKIE_PATH.fullmatch(self.path):
            yield "cookies.path must begin with a slash."
        if self.domain is not None and not COOKIE_DOMAIN.fullmatch(self.domain):
            yield "cookies.domain must be a lower-case host name of two labels or more."
        if self.domain and not self.vendor and not self.secure:
            yield "cookies.domain needs secure cookies."

    def session(self) -> str:
        """The name of the cookie that holds the opaque token."""
        return "stytch_session" if self.vendor else self._prefix() + self.name

    def jwt(self) -> str:
        """The name of the cookie that holds the JWT."""
        return "stytch_session_jwt" if self.vendor else self._prefix() + self.name + "_jwt"

    def _prefix(self) -> str:
        if not self.secure:
            return ""
        return "__Secure-" if self.domain or self.path != "/" else "__Host-"


@attrs.frozen(kw_only=True)
class SessionRules:
    """How long sessions may live, in minutes; None is no limit beyond the requested duration.

    With `end_others` off, a change or reset of a password, a factor that is removed or exchanged and a recovery leave the person's other sessions alone, and their events
    say so; whoever stole one keeps it then.
    """

    maximum_minutes: int = 525_600
    idle_minutes: int | None = None
    absolute_minutes: int | None = None
    default_minutes: int = 60
    exact_revocation: bool = False
    end_others: bool = True

    def faults(self) -> Iterator[str]:
        """What cannot work."""
        if not 5 <= self.maximum_minutes <= 527_040:
            yield "sessions.maximum_minutes must be from 5 to 527040."
        if not 5 <= self.default_minutes <= self.maximum_minutes:
            yield "sessions.default_minutes must be from 5 to sessions.maximum_minutes."
        for name, limit in (("idle_minutes", self.idle_minutes), ("absolute_minutes", self.absolute_minutes)):
            if limit is not None and limit < 1:
                yield f"sessions.{name} must be at least 1, or None."


@attrs.frozen(kw_only=True)
class PhoneRules:
    """Where texts may go, and how many (RAT-04): each one costs money, and some numbers are paid for receiving them.

    `countries` are regions in ISO 3166 letters. The budgets are messages: to one number an hour and a day, to numbers that differ in their last four digits
    only an hour, to one country an hour, asked for from one network address (IPv6: /64) an hour, and of the whole project a day.
    """

    countries: frozenset[str] = attrs.field(default=frozenset({"US", "CA"}), converter=frozenset)
    per_number_hour: int = 10
    per_number_day: int = 30
    per_range_hour: int = 50
    per_country_hour: int = 2000
    per_address_hour: int = 20
    per_day: int = 20_000

    def faults(self) -> Iterator[str]:
        """What cannot work."""
        if any(len(country) != 2 or not country.isascii() or not country.isupper() for country in self.countries):
            yield "phones.countries must be regions of two capital letters."
        budgets = [value for name, value in attrs.asdict(self, recurse=False).items() if name != "countries"]
        if any(not 1 <= budget <= 1_000_000 for budget in budgets):
            yield "phones: a budget must be from 1 to 1000000."


@attrs.frozen(kw_only=True)
class EmailRules:
    """How many mails of sign-in, invitation and reset may be asked for (RAT-04): whoever can name an address could else fill its mailbox, and cost the project its name as a sender.

    The budgets are messages: to one address an hour and a day, asked for from one network address (IPv6: /64) an hour, and of the whole project a day. Security notices are not counted.
    """

    per_address_hour: int = 30
    per_address_day: int = 100
    per_visitor_hour: int = 100
    per_day: int = 100_000

    def faults(self) -> Iterator[str]:
        """What cannot work."""
        if any(not 1 <= budget <= 1_000_000 for budget in attrs.astuple(self)):
            yield "emails: a budget must be from 1 to 1000000."


@attrs.frozen(kw_only=True)
class LockRules:
    """When repeated failure locks a factor of a user, and for how long (5 minutes to 7 days)."""

    threshold: int = 10
    minutes: int = 60

    def faults(self) -> Iterator[str]:
        """What cannot work."""
        if not 5 <= self.minutes <= 10_080:
            yield "locks.minutes must be from 5 to 10080."
        if self.threshold < 1:
            yield "locks.threshold must be at least 1."


@attrs.frozen(kw_only=True)
class TOTPRules:
    """How authenticator apps are enrolled and checked.

    `expiration_minutes` (5 to 1440) is how long an instance waits for its first code; `window` how many steps of 30 seconds a code may be early or late (0 or 1);
    `issuer` is what the app shows, the project's name unless given. Recovery codes are `listed` (sealed, shown again behind the MFA rule) or `shown_once` (only
    keyed digests are kept). A change holds for sets that are made since: those before it stay good, and a set of digests is never listed.
    """

    expiration_minutes: int = 60
    window: int = 1
    issuer: str | None = None
    recovery_codes: Literal["listed", "shown_once"] = "listed"

    def faults(self) -> Iterator[str]:
        """What cannot work."""
        if not 5 <= self.expiration_minutes <= 1440:
            yield "totp.expiration_minutes must be from 5 to 1440."
        if self.window not in {0, 1}:
            yield "totp.window must be 0 or 1."


@attrs.frozen(kw_only=True)
class PasswordRules:
    """What a password must be.

    `policy` is `zxcvbn` (hard to guess: a score of 3 of 4) or `luds` (`luds_complexity` of the four kinds lower, upper, digit, symbol). Lengths are in code points
    after NFC: `minimum_length` 8 to 64, `maximum_length` 64 to 1024.

    `strength_at_sign_in` and `breaches_at_sign_in` also judge a right password when it signs somebody in; both are off, so that one that was set under an older policy
    goes on. `without_breach_source` says what holds where the `breaches` of the `Auth` give no answer: a password is taken and the event says so, or refused with 503;
    a sign-in is never refused for it (PWD-06).

    `memory_kib`, `iterations` and `parallelism` are the cost of new argon2id hashes; Live takes nothing below 19 MiB and 2. `peppers` are keys of at least 32 bytes,
    newest first, that every new hash is made with; they belong elsewhere than the database, and one that is dropped makes the hashes under it useless.
    """

    policy: Literal["zxcvbn", "luds"] = "zxcvbn"
    minimum_length: int = 8
    maximum_length: int = 128
    luds_complexity: int = 3
    strength_at_sign_in: bool = False
    breaches_at_sign_in: bool = False
    without_breach_source: Literal["take_and_flag", "refuse"] = "take_and_flag"
    memory_kib: int = 19_456
    iterations: int = 2
    parallelism: int = 1
    peppers: tuple[bytes, ...] = attrs.field(default=(), repr=False)

    def faults(self) -> Iterator[str]:
        """What cannot work."""
        if not 8 <= self.minimum_length <= 64:
            yield "passwords.minimum_length must be from 8 to 64."
        if not 64 <= self.maximum_length <= 1024:
            yield "passwords.maximum_length must be from 64 to 1024."
        if not 1 <= self.luds_complexity <= 4:
            yield "passwords.luds_complexity must be from 1 to 4."
        if any(len(pepper) < 32 for pepper in self.peppers) or len(set(self.peppers)) < len(self.peppers):
            yield "passwords.peppers must be different keys of at least 32 bytes each."
        yield from self._cost_faults()

    def _cost_faults(self) -> Iterator[str]:
        lanes = 1 <= self.parallelism <= 16 and 8 * self.parallelism <= self.memory_kib <= 2**20
        if not lanes or not 1 <= self.iterations <= 20 or self.memory_kib * self.iterations > 2**22:
            yield "passwords.memory_kib, iterations and parallelism must make a hash that can be read back."

    def faults_in_live(self) -> Iterator[str]:
        """What is too weak for Live (PWD-01)."""
        if self.memory_kib < 19_456 or self.iterations < 2:
            yield "passwords.memory_kib must be at least 19456 and passwords.iterations 2 in Live."
        if any(len(set(pepper)) < BYTES_OF_CHANCE for pepper in self.peppers):
            yield "passwords.peppers must be bytes of chance; one of them hardly changes."


@attrs.frozen(kw_only=True)
class Settings:
    """One environment of one project.

    `project_id` begins with `project-test-` or `project-live-` and so names the environment. `root_keys` are at least 32 bytes each, newest first; in Test they
    default to keys derived from the secret. `managed` names what project records override while the service runs (see `auth.project`); `ip_allow_list` the addresses
    that the backend API may be called from, none admits all. `public_url` is the address that links and cookies are made of; the Host header never is.
    `oauth` are the providers that people sign in with; their tokens are given to backends, and to browsers only with `oauth_tokens_to_browsers`.
    `trusted_tokens` say whose tokens `sessions.attest` takes; `session_migration_url` is the UserInfo address of the system before this one, for `sessions.migrate`.
    `webauthn` says where passkeys belong: to the hosts of our own origin and of `cors_origins`, unless it names others. `browser_off` names products that browsers may
    not call; with `browser_sending` off they may not call `send`, which sends to known people only, and `login_or_create` goes on. Both are managed as
    `browser_access`.
    """

    project_id: str
    secret: Secret = attrs.field(converter=_secret)
    public_token: str = ""
    managed: frozenset[Manageable] = attrs.field(factory=frozenset["Manageable"], converter=_names)
    ip_allow_list: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    name: str = "authmw"
    public_url: str = "http://localhost:8000"
    mount: str = "/auth"
    claim_roots: bool = False
    issuer: str | None = None
    root_keys: tuple[bytes, ...] = attrs.field(default=(), repr=False)
    redirect_urls: tuple[RedirectURL, ...] | None = attrs.field(default=None, converter=_urls)
    redirects: RedirectList = attrs.field(init=False, eq=False)
    templates: TemplateBook = attrs.field(factory=TemplateBook)
    cookies: Cookies = attrs.field(factory=Cookies)
    sessions: SessionRules = attrs.field(factory=SessionRules)
    locks: LockRules = attrs.field(factory=LockRules)
    rbac: Policy = attrs.field(factory=Policy)
    provider: Provider = attrs.field(factory=Provider)
    oauth: tuple[OAuthProvider, ...] = ()
    oauth_tokens_to_browsers: bool = False
    trusted_tokens: tuple[TrustedTokenProfile, ...] = ()
    session_migration_url: str = ""
    totp: TOTPRules = attrs.field(factory=TOTPRules)
    webauthn: WebAuthnRules = attrs.field(factory=WebAuthnRules)
    phones: PhoneRules = attrs.field(factory=PhoneRules)
    emails: EmailRules = attrs.field(factory=EmailRules)
    passwords: PasswordRules = attrs.field(factory=PasswordRules)
    mfa: MfaRule = "enrolled"
    second_factors: frozenset[str] = attrs.field(default=frozenset(), converter=_kinds)
    cors_origins: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    trusted_proxies: int = 0
    pkce_for_magic_links: bool = False
    pkce_for_password_resets: bool = False
    reveal_unknown: bool = False
    browser_sending: bool = True
    browser_off: frozenset[BrowserProduct] = attrs.field(default=frozenset(), converter=names_off)
    sign_in_path: str = "/login"
    step_up_path: str | None = None
    """Where a navigation is led that a second or fresher factor keeps out; without one it gets the error."""
    impersonation: bool = False
    csrf_for_host: bool = False
    debug: bool = False
    sandbox: bool = True

    @property
    def environment(self) -> Environment:
        """Test or Live, as the project id says."""
        return "live" if self.project_id.startswith("project-live-") else "test"

    @property
    def live(self) -> bool:
        """Whether this is the Live environment."""
        return self.environment == "live"

    @property
    def issuers(self) -> tuple[str, ...]:
        """What `iss` may be in session JWTs of this project; the first is what we write."""
        return (self.issuer or f"stytch.com/{self.project_id}",)

    @property
    def provider_issuer(self) -> str:
        """Who we are as an OAuth and OpenID provider: `issuer` if that is an address, else the address of our mount. Discovery documents stand under it."""
        if self.issuer is not None and self.issuer.startswith(("http://", "https://")):
            return self.issuer
        return self.public_url + self.mount

    @property
    def origin(self) -> str:
        """Scheme, host and port of the public address."""
        scheme, _, rest = self.public_url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    def roots(self) -> RootKeys:
        """The root keys that every sealing and HMAC key is derived from."""
        return RootKeys(self.root_keys)

    def peppers(self) -> RootKeys | None:
        """The keys that password hashes are made with, if there are any."""
        return RootKeys(self.passwords.peppers) if self.passwords.peppers else None

    def __attrs_post_init__(self) -> None:
        """Complete what Test may leave out, then refuse what cannot work, naming every fault."""
        wrong = list(wrong_types(self))
        if wrong:
            raise Misconfigured("These settings cannot work: " + " ".join(wrong), wrong)
        if not self.root_keys and not self.live:
            derived = RootKeys((self.secret.reveal().encode().ljust(32, b"\0"),)).derive("test root key")
            object.__setattr__(self, "root_keys", (derived,))
        faults: list[str] = []
        listed = self.redirect_urls
        if listed is None:
            listed = () if self.live else (local_default(),)
        try:
            parsed = RedirectList.parse(listed, self.environment)
        except InvalidRedirectURL as fault:
            faults.append(f"redirect_urls, entry {fault.position}: {fault.message}")
            parsed = RedirectList.parse((), self.environment)
        object.__setattr__(self, "redirects", parsed)
        faults += [*self._wrong_addresses(), *always(self), *(in_live(self) if self.live else ())]
        if faults:
            raise Misconfigured("These settings cannot work: " + " ".join(faults), faults)

    def _wrong_addresses(self) -> list[str]:
        try:
            canonical = tuple(dict.fromkeys(canonical_ip(text) for text in self.ip_allow_list))
        except Refused:
            return ["ip_allow_list must hold IPv4 and IPv6 addresses."]
        object.__setattr__(self, "ip_allow_list", canonical)
        return [f"ip_allow_list may hold {MAXIMUM_ADDRESSES}."] if len(canonical) > MAXIMUM_ADDRESSES else []
