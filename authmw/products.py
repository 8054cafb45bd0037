"""The products of an `Auth`, one entry each. What a product is made of is imported when it is first asked for: a host pays for what it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from authmw.declarations import Operation
from authmw.operations import Core, Product, operations_of
from authmw.rows import Row
from authmw.signin.keys import KeyRing

if TYPE_CHECKING:
    from authmw.consumer.biometrics.operations import Biometrics
    from authmw.consumer.crypto_wallets.operations import CryptoWallets
    from authmw.consumer.impersonation.operations import Impersonation
    from authmw.consumer.magic_links.operations import MagicLinks
    from authmw.consumer.oauth.operations import OAuth
    from authmw.consumer.otps.operations import OTPs
    from authmw.consumer.passwords.operations import Passwords
    from authmw.consumer.sessions.operations import Sessions
    from authmw.consumer.totps.operations import TOTPs
    from authmw.consumer.users.operations import Users
    from authmw.consumer.webauthn.operations import WebAuthn
    from authmw.platform.connected_apps.operations import ConnectedApps
    from authmw.platform.debug.operations import Debug
    from authmw.platform.events.operations import Events
    from authmw.platform.fraud.operations import Fraud
    from authmw.platform.idp.operations import IDP
    from authmw.platform.m2m.operations import M2M
    from authmw.platform.project.operations import Project
    from authmw.platform.rbac.operations import RBAC

T = TypeVar("T", bound=Product)


class product(Generic[T]):  # noqa: N801  # a decorator, like property
    """Declares a product by the method that makes it. It is made once, at its first use, and is a plain attribute from then on."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, held: None, owner: type[object]) -> product[T]: ...
    @overload
    def __get__(self, held: object, owner: type[object]) -> T: ...
    def __get__(self, held: object | None, owner: type[object]) -> product[T] | T:
        if held is None:
            return self
        # Threads that come first together make two; `setdefault` hands all of them the same one.
        made: T = vars(held).setdefault(self._name, self._make(held))
        return made


class Products:
    """Every product, and the table of their operations."""

    core: Core
    keys: KeyRing

    @product
    def users(self) -> Users:
        """Users and everything they hold."""
        from authmw.consumer.users.operations import Users

        return Users(self.core, self.keys)

    @product
    def sessions(self) -> Sessions:
        """Sessions of users, their JWTs and the keys that verify them."""
        from authmw.consumer.sessions.operations import Sessions

        return Sessions(self.core, self.keys)

    @product
    def magic_links(self) -> MagicLinks:
        """Sign-in by a link, mailed or embedded."""
        from authmw.consumer.magic_links.operations import MagicLinks

        return MagicLinks(self.core, self.keys)

    @product
    def otps(self) -> OTPs:
        """Sign-in by a passcode that is sent by e-mail, SMS or WhatsApp."""
        from authmw.consumer.otps.operations import OTPs

        return OTPs(self.core, self.keys)

    @product
    def passwords(self) -> Passwords:
        """Sign-in by a password, and what sets another."""
        from authmw.consumer.passwords.operations import Passwords

        return Passwords(self.core, self.keys)

    @product
    def totps(self) -> TOTPs:
        """A second factor by an authenticator app, with recovery codes."""
        from authmw.consumer.totps.operations import TOTPs

        return TOTPs(self.core, self.keys)

    @product
    def oauth(self) -> OAuth:
        """Sign-in by a provider that the person has an account with."""
        from authmw.consumer.oauth.operations import OAuth

        return OAuth(self.core, self.keys)

    @product
    def webauthn(self) -> WebAuthn:
        """Sign-in by a passkey, and a second factor by one or by a security key."""
        from authmw.consumer.webauthn.operations import WebAuthn

        return WebAuthn(self.core, self.keys)

    @product
    def biometrics(self) -> Biometrics:
        """Sign-in by a key that a device keeps behind its biometrics."""
        from authmw.consumer.biometrics.operations import Biometrics

        return Biometrics(self.core, self.keys)

    @product
    def crypto_wallets(self) -> CryptoWallets:
        """Sign-in by the signature of a wallet."""
        from authmw.consumer.crypto_wallets.operations import CryptoWallets

        return CryptoWallets(self.core, self.keys)

    @product
    def impersonation(self) -> Impersonation:
        """Sessions in which somebody of the project acts as a user."""
        from authmw.consumer.impersonation.operations import Impersonation

        return Impersonation(self.core, self.keys)

    @product
    def rbac(self) -> RBAC:
        """The project's policy of roles and permissions."""
        from authmw.platform.rbac.operations import RBAC

        return RBAC(self.core)

    @product
    def m2m(self) -> M2M:
        """Machines that call the project's own API."""
        from authmw.platform.m2m.operations import M2M

        return M2M(self.core, self.keys)

    @product
    def connected_app(self) -> ConnectedApps:
        """Applications of others that act for users."""
        from authmw.platform.connected_apps.operations import ConnectedApps

        return ConnectedApps(self.core)

    @product
    def idp(self) -> IDP:
        """The provider that applications of others ask people through."""
        from authmw.consumer.answers import user_answer
        from authmw.platform.idp.operations import IDP

        return IDP(self.core, self.keys, user_answer)

    @product
    def events(self) -> Events:
        """The log of what happened."""
        from authmw.platform.events.operations import Events

        return Events(self.core)

    @product
    def project(self) -> Project:
        """What is changed of the project while the service runs."""
        from authmw.platform.project.operations import Project

        return Project(self.core)

    @product
    def fraud(self) -> Fraud:
        """Devices, what the project decides about them, and the risk of addresses."""
        from authmw.platform.fraud.operations import Fraud

        return Fraud(self.core)

    @product
    def debug(self) -> Debug:
        """Whether the project and its credentials are reached."""
        from authmw.platform.debug.operations import Debug

        return Debug(self.core)

    def products(self) -> Iterator[Product]:
        """Every product, each once; those that were not used before are made now."""
        return (getattr(self, name) for name, declared in vars(Products).items() if isinstance(declared, product))

    def table(self) -> list[tuple[Product, Operation]]:
        """Every operation with the product it belongs to."""
        return [row for each in self.products() for row in operations_of(each)]

    def rows(self) -> list[Row]:
        """What browsers reach, of every product."""
        return [row for each in self.products() for row in each.rows()]
