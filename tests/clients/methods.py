"""Every method of the vendor's Python client, found by looking at it, and for each one arguments that must work.

A `Facts` is a project with people in it, for one call: what it tells is new each time, so that nothing is spent twice.
"""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import attrs
import pyotp
import stytch

from authmw import AttributeMapping, Auth, Settings
from authmw.clock import SystemClock
from authmw.crypto import tokens
from authmw.people.records import Part, User
from authmw.people.rules import with_part
from authmw.ports import FetchAnswer, FetchRequest
from authmw.storage import Update
from authmw.testing import EthereumWallet, VirtualAuthenticator
from authmw.testing.stand_ins import StandIns
from authmw_adapters.inbox import Inbox
from tests.stories.test_fraud import Intelligence, Mail
from tests.trusted_issuer import PROFILE, Issuer, profile

LEGACY = "https://legacy.example/userinfo"
BACK = "https://app.example/back"
VERIFIER = "v" * 43
CHALLENGE = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"
_numbers = itertools.count(1)

Method = Callable[..., Any]


def products_of(held: object, before: str = "") -> Iterator[tuple[str, object]]:
    """The products of a client, by their paths."""
    yield before, held
    for name, value in sorted(vars(held).items()):
        product = type(value).__module__.startswith("stytch.consumer.api") and type(value).__name__ != "PolicyCache"
        if product and not name.startswith("_"):
            yield from products_of(value, f"{before}{name}.")


def methods_of(client: stytch.Client) -> dict[str, Method]:
    """Every method that calls or concerns the API, by its path from the client."""
    found = {
        before + name: method
        for before, held in products_of(client)
        if before
        for name, method in inspect.getmembers(held, inspect.ismethod)
        if not name.startswith("_")
    }
    return dict(sorted(found.items()))


class Services(StandIns):
    """What the project asks: the stand-ins of providers, and the system before this one, whose tokens are addresses."""

    async def fetch(self, request: FetchRequest) -> FetchAnswer:
        if request.url == LEGACY:
            address = request.headers["authorization"].removeprefix("Bearer ")
            return FetchAnswer(status=200, body=json.dumps({"email": address}).encode())
        return await super().fetch(request)


@attrs.define(eq=False)
class Facts:
    """A project, somebody in it, and what belongs to them."""

    auth: Auth
    inbox: Inbox
    devices: Intelligence
    number: int = attrs.field(factory=lambda: next(_numbers))

    # People

    @property
    def address(self) -> str:
        return f"person{self.number}@example.org"

    @property
    def phone(self) -> str:
        return f"+1415{5550000 + self.number:07d}"

    def _attested(self, **claims: Any) -> Any:
        issuer = Issuer(SystemClock())
        token = issuer.token(jti=tokens.token(), sub=f"person-{self.number}", email=self.address, **claims)
        return self.auth.run(self.auth.sessions.attest(profile_id=PROFILE, token=token, session_duration_minutes=60))

    def person(self) -> Any:
        """Somebody who has signed in and proved an address, without mail."""
        return self._attested()

    def user_id(self) -> str:
        return self.person().user_id

    def invited(self) -> str:
        self.auth.run(self.auth.magic_links.email.invite(email=self.address))
        return self.address

    def link_token(self) -> str:
        self.auth.run(self.auth.magic_links.email.login_or_create(email=self.address))
        return self.mailed_token()

    def mailed_token(self) -> str:
        return self.inbox.entries()[0].links[0].split("token=")[-1].partition("&")[0]

    def linked(self) -> Any:
        """Somebody who has signed in by a link."""
        token = self.link_token()
        return self.auth.run(self.auth.magic_links.authenticate(token=token, session_duration_minutes=60))

    def code(self) -> dict[str, Any]:
        sent = self.auth.run(self.auth.otps.email.login_or_create(email=self.address))
        return {"method_id": sent.email_id, "code": self.inbox.entries()[0].code}

    def with_part(self, kind: str) -> str:
        """The id of a further factor that somebody has."""
        user = self.auth.run(self._user(self.user_id()))
        part = Part(
            part_id=tokens.new_id(kind, "test"), kind=kind, verified=True, created_at=SystemClock().now(), details={}
        )
        self.auth.run(self.auth.storage.commit(Update(with_part(user, part))))
        return part.part_id

    async def _user(self, user_id: str) -> User:
        found = await self.auth.storage.get(User, user_id)
        assert found is not None
        return found

    # Factors

    def app(self) -> Any:
        return self.auth.run(self.auth.totps.create(user_id=self.user_id()))

    def totp(self) -> dict[str, Any]:
        made = self.app()
        return {"user_id": made.user_id, "totp_code": pyotp.TOTP(made.secret).now()}

    def recovery(self) -> dict[str, Any]:
        made = self.app()
        code = pyotp.TOTP(made.secret).now()
        self.auth.run(self.auth.totps.authenticate(user_id=made.user_id, totp_code=code))
        return {"user_id": made.user_id, "recovery_code": made.recovery_codes[0]}

    def wallet(self) -> dict[str, Any]:
        wallet = EthereumWallet(self.number)
        named: dict[str, Any] = {"crypto_wallet_type": "ethereum", "crypto_wallet_address": wallet.address}
        text = self.auth.run(self.auth.crypto_wallets.authenticate_start(**named)).challenge
        return {**named, "signature": wallet.sign(text)}

    def wallet_id(self) -> str:
        person = self.person()
        wallet = EthereumWallet(self.number)
        named: dict[str, Any] = {"crypto_wallet_type": "ethereum", "crypto_wallet_address": wallet.address}
        asked = self.auth.run(self.auth.crypto_wallets.authenticate_start(**named, session_token=person.session_token))
        signed = self.auth.run(
            self.auth.crypto_wallets.authenticate(
                **named, signature=wallet.sign(asked.challenge), session_token=person.session_token
            )
        )
        return signed.user.crypto_wallets[0].crypto_wallet_id

    def passkey(self) -> tuple[str, VirtualAuthenticator, Any]:
        """A passkey that somebody has."""
        device, user_id = VirtualAuthenticator(), self.user_id()
        asked = self.auth.run(
            self.auth.webauthn.register_start(
                user_id=user_id, domain="localhost", return_passkey_credential_options=True
            )
        )
        made = device.register(asked.public_key_credential_creation_options, origin=self.auth.settings.origin)
        return user_id, device, self.auth.run(self.auth.webauthn.register(user_id=user_id, public_key_credential=made))

    def new_passkey(self) -> dict[str, Any]:
        device, user_id = VirtualAuthenticator(), self.user_id()
        asked = self.auth.run(self.auth.webauthn.register_start(user_id=user_id, domain="localhost"))
        made = device.register(asked.public_key_credential_creation_options, origin=self.auth.settings.origin)
        return {"user_id": user_id, "public_key_credential": made}

    def passkey_answer(self) -> dict[str, Any]:
        user_id, device, _ = self.passkey()
        asked = self.auth.run(self.auth.webauthn.authenticate_start(user_id=user_id, domain="localhost"))
        answer = device.authenticate(asked.public_key_credential_request_options, origin=self.auth.settings.origin)
        return {"public_key_credential": answer}

    def provider_token(self) -> str:
        """The token of a landing after the stand-in of a provider."""
        services = self.auth.core.fetcher
        assert isinstance(services, Services)
        return landing_token(self.auth, services, self.address)

    def oauth_registration_id(self) -> str:
        self.person()
        token = self.provider_token()
        return self.auth.run(self.auth.oauth.authenticate(token=token)).oauth_user_registration_id

    def impersonation_token(self) -> str:
        started = self.auth.impersonation.start(
            user_id=self.user_id(), impersonator_id="staff", impersonator_email_address="staff@example.org"
        )
        return self.auth.run(started).impersonation_token

    # Machines and apps

    def machine(self) -> Any:
        return self.auth.run(self.auth.m2m.clients.create(scopes=["pay"])).m2m_client

    def machine_with_next(self) -> dict[str, str]:
        client_id = self.machine().client_id
        self.auth.run(self.auth.m2m.clients.secrets.rotate_start(client_id=client_id))
        return {"client_id": client_id}

    def machine_token(self) -> str:
        made = self.machine()
        asked = self.auth.m2m.token(client_id=made.client_id, client_secret=made.client_secret)
        return self.auth.run(asked).access_token

    def connected(self, client_type: Literal["first_party", "third_party"] = "third_party", **more: Any) -> Any:
        made = self.auth.connected_app.clients.create(
            client_type=client_type, client_name="Notes", redirect_urls=[BACK], **more
        )
        return self.auth.run(made).connected_app

    def connected_with_next(self) -> dict[str, str]:
        client_id = self.connected().client_id
        self.auth.run(self.auth.connected_app.clients.secrets.rotate_start(client_id=client_id))
        return {"client_id": client_id}

    def asking(self) -> dict[str, Any]:
        return {
            "client_id": self.connected().client_id,
            "redirect_uri": BACK,
            "response_type": "code",
            "scopes": ["openid"],
            "user_id": self.user_id(),
        }

    def agreeing(self) -> dict[str, Any]:
        asked = self.asking()
        del asked["user_id"]
        person = self.person()
        return {**asked, "consent_granted": True, "session_token": person.session_token, "code_challenge": CHALLENGE}

    def granted(self, *scopes: str, **more: Any) -> tuple[Any, Any, str]:
        """An app that somebody let in, they, and its access token."""
        app, person = self.connected(**more), self.person()
        agreed = self.auth.run(
            self.auth.idp.oauth.authorize(
                client_id=app.client_id,
                redirect_uri=BACK,
                response_type="code",
                scopes=[*scopes],
                consent_granted=True,
                session_token=person.session_token,
                code_challenge=CHALLENGE,
            )
        )
        got = self.auth.idp.exchange_code(
            client_id=app.client_id,
            client_secret=app.client_secret,
            code=agreed.authorization_code,
            redirect_uri=BACK,
            code_verifier=VERIFIER,
        )
        return app, person, self.auth.run(got).access_token

    def introspected(self) -> dict[str, Any]:
        app, _, token = self.granted("openid")
        return {"token": token, "client_id": app.client_id, "client_secret": app.client_secret}

    def revocable(self) -> dict[str, Any]:
        app, person, _ = self.granted("openid")
        return {"user_id": person.user_id, "connected_app_id": app.client_id}

    def exchangeable(self) -> str:
        return self.granted("openid", "full_access", client_type="first_party", full_access_allowed=True)[2]

    # Fraud

    def telemetry(self) -> str:
        from datetime import timedelta

        from authmw.ports import Fingerprint

        now = SystemClock().now()
        name = f"visit-{self.number}"
        self.devices.seen[name] = Fingerprint(telemetry_id=name, created_at=now, expires_at=now + timedelta(hours=1))
        return name


def landing_token(auth: Auth, services: Services, address: str) -> str:
    """Sign somebody in at the stand-in of a provider, as a browser does, and come back with the token."""
    from starlette.testclient import TestClient

    from authmw.testing.stand_ins import Person

    public = auth.settings.public_url
    with TestClient(_hosted(auth), base_url=public) as browser:
        start = f"/v1/public/oauth/google/start?public_token={auth.settings.public_token}"
        there = urlsplit(browser.get(start, follow_redirects=False).headers["location"])
        asked = {name: values[0] for name, values in parse_qs(there.query).items()}
        back = services.agree("google", asked, Person(email=address, verified=True))
        landed = browser.get(back.url, params=dict(back.parameters), follow_redirects=False)
    return parse_qs(urlsplit(landed.headers["location"]).query)["token"][0]


def _hosted(auth: Auth) -> Any:
    from starlette.applications import Starlette

    from authmw import AuthMiddleware

    app = Starlette()
    app.add_middleware(AuthMiddleware, auth=auth)
    return app


def settings_of(base: Settings, services: Services) -> Settings:
    """A project with everything on."""
    return attrs.evolve(
        base,
        oauth=services.configured(),
        impersonation=True,
        session_migration_url=LEGACY,
        trusted_tokens=(profile(attribute_mapping=AttributeMapping(external_id="sub"), can_jit_provision=True),),
    )


def strong(facts: Facts) -> str:
    return f"correct horse battery staple {facts.number}"


def with_password(facts: Facts) -> dict[str, Any]:
    made: Any = facts.auth
    facts.auth.run(made.passwords.create(email=facts.address, password=strong(facts)))
    return {"email": facts.address, "password": strong(facts)}


def resetting(facts: Facts) -> dict[str, Any]:
    made: Any = facts.auth
    with_password(facts)
    facts.auth.run(made.passwords.email.reset_start(email=facts.address))
    link = next(one for one in facts.inbox.entries()[0].links if "reset" in one)
    return {"token": link.split("token=")[-1].partition("&")[0], "password": strong(facts) + " again"}


def existing(facts: Facts) -> dict[str, Any]:
    known = with_password(facts)
    return {"email": known["email"], "existing_password": known["password"], "new_password": strong(facts) + " again"}


VALID: dict[str, Callable[[Facts], dict[str, Any]]] = {
    "connected_app.clients.create": lambda f: {"client_type": "third_party", "client_name": "Notes"},
    "connected_app.clients.delete": lambda f: {"client_id": f.connected().client_id},
    "connected_app.clients.get": lambda f: {"client_id": f.connected().client_id},
    "connected_app.clients.search": lambda f: {"limit": 10},
    "connected_app.clients.secrets.rotate": Facts.connected_with_next,
    "connected_app.clients.secrets.rotate_cancel": Facts.connected_with_next,
    "connected_app.clients.secrets.rotate_start": lambda f: {"client_id": f.connected().client_id},
    "connected_app.clients.update": lambda f: {"client_id": f.connected().client_id, "client_name": "Other"},
    "crypto_wallets.authenticate": Facts.wallet,
    "crypto_wallets.authenticate_start": lambda f: {
        "crypto_wallet_type": "ethereum",
        "crypto_wallet_address": EthereumWallet(f.number).address,
    },
    "debug.whoami": lambda f: {},
    "fraud.email.risk": lambda f: {"email_address": f.address},
    "fraud.fingerprint.lookup": lambda f: {"telemetry_id": f.telemetry()},
    "fraud.rules.list": lambda f: {"limit": 10},
    "fraud.rules.set": lambda f: {"action": "BLOCK", "visitor_id": f"visitor-{f.number}"},
    "fraud.verdict_reasons.list": lambda f: {"overrides_only": True},
    "fraud.verdict_reasons.override": lambda f: {"verdict_reason": "DATACENTER", "override_action": "ALLOW"},
    "idp.introspect_access_token_local": lambda f: {"access_token": f.granted("openid")[2]},
    "idp.introspect_token_network": Facts.introspected,
    "idp.oauth.authorize": Facts.agreeing,
    "idp.oauth.authorize_start": Facts.asking,
    "impersonation.authenticate": lambda f: {"impersonation_token": f.impersonation_token()},
    "m2m.authenticate_token": lambda f: {"access_token": f.machine_token()},
    "m2m.clients.create": lambda f: {"scopes": ["pay"]},
    "m2m.clients.delete": lambda f: {"client_id": f.machine().client_id},
    "m2m.clients.get": lambda f: {"client_id": f.machine().client_id},
    "m2m.clients.search": lambda f: {"limit": 10},
    "m2m.clients.secrets.rotate": Facts.machine_with_next,
    "m2m.clients.secrets.rotate_cancel": Facts.machine_with_next,
    "m2m.clients.secrets.rotate_start": lambda f: {"client_id": f.machine().client_id},
    "m2m.clients.update": lambda f: {"client_id": f.machine().client_id, "status": "inactive"},
    "m2m.token": lambda f: (lambda made: {"client_id": made.client_id, "client_secret": made.client_secret})(
        f.machine()
    ),
    "magic_links.authenticate": lambda f: {"token": f.link_token(), "session_duration_minutes": 60},
    "magic_links.create": lambda f: {"user_id": f.user_id()},
    "magic_links.email.invite": lambda f: {"email": f.address, "name": {"first_name": "Ada"}},
    "magic_links.email.login_or_create": lambda f: {"email": f.address},
    "magic_links.email.revoke_invite": lambda f: {"email": f.invited()},
    "magic_links.email.send": lambda f: {"email": f.person().user.emails[0].address},
    "oauth.attach": lambda f: {"provider": "google", "user_id": f.user_id()},
    "oauth.authenticate": lambda f: {"token": f.provider_token(), "session_duration_minutes": 60},
    "otps.authenticate": Facts.code,
    "otps.email.login_or_create": lambda f: {"email": f.address},
    "otps.email.send": lambda f: {"email": f.person().user.emails[0].address},
    "otps.sms.login_or_create": lambda f: {"phone_number": f.phone},
    "otps.sms.send": lambda f: {"phone_number": f.phone, "user_id": f.user_id()},
    "otps.whatsapp.login_or_create": lambda f: {"phone_number": f.phone},
    "otps.whatsapp.send": lambda f: {"phone_number": f.phone, "user_id": f.user_id()},
    "passwords.authenticate": with_password,
    "passwords.create": lambda f: {"email": f.address, "password": strong(f), "session_duration_minutes": 60},
    "passwords.email.reset": resetting,
    "passwords.email.reset_start": lambda f: {"email": with_password(f)["email"]},
    "passwords.existing_password.reset": existing,
    "passwords.migrate": lambda f: {
        "email": f.address,
        "hash": "$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "hash_type": "bcrypt",
    },
    "passwords.sessions.reset": lambda f: {"password": strong(f), "session_token": f.linked().session_token},
    "passwords.strength_check": lambda f: {"password": strong(f), "email": f.address},
    "project.metrics": lambda f: {},
    "rbac.policy": lambda f: {},
    "sessions.attest": lambda f: {
        "profile_id": PROFILE,
        "token": Issuer(SystemClock()).token(jti=tokens.token(), sub=f"person-{f.number}", email=f.address),
        "session_duration_minutes": 60,
    },
    "sessions.authenticate": lambda f: {"session_token": f.person().session_token, "session_duration_minutes": 60},
    "sessions.authenticate_jwt": lambda f: {"session_jwt": f.person().session_jwt, "max_token_age_seconds": 0},
    "sessions.authenticate_jwt_local": lambda f: {"session_jwt": f.person().session_jwt},
    "sessions.exchange_access_token": lambda f: {"access_token": f.exchangeable(), "session_duration_minutes": 60},
    "sessions.get": lambda f: {"user_id": f.user_id()},
    "sessions.get_jwks": lambda f: {"project_id": f.auth.settings.project_id},
    "sessions.migrate": lambda f: {
        "session_token": f.person().user.emails[0].address,
        "session_duration_minutes": 60,
    },
    "sessions.revoke": lambda f: {"session_token": f.person().session_token},
    "totps.authenticate": Facts.totp,
    "totps.create": lambda f: {"user_id": f.user_id()},
    "totps.recover": Facts.recovery,
    "totps.recovery_codes": lambda f: {"user_id": f.app().user_id},
    "users.connected_apps": lambda f: {"user_id": f.revocable()["user_id"]},
    "users.create": lambda f: {"email": f.address, "phone_number": f.phone},
    "users.delete": lambda f: {"user_id": f.user_id()},
    "users.delete_biometric_registration": lambda f: {"biometric_registration_id": f.with_part("biometric")},
    "users.delete_crypto_wallet": lambda f: {"crypto_wallet_id": f.wallet_id()},
    "users.delete_email": lambda f: {"email_id": with_phone(f).emails[0].email_id},
    "users.delete_external_id": lambda f: {"user_id": f.user_id()},
    "users.delete_oauth_registration": lambda f: {"oauth_user_registration_id": f.oauth_registration_id()},
    "users.delete_password": lambda f: {"password_id": f.with_part("password")},
    "users.delete_phone_number": lambda f: {"phone_id": with_phone(f).phone_numbers[0].phone_id},
    "users.delete_totp": lambda f: {"totp_id": f.app().totp_id},
    "users.delete_webauthn_registration": lambda f: {
        "webauthn_registration_id": f.passkey()[2].webauthn_registration_id
    },
    "users.exchange_primary_factor": lambda f: {"user_id": f.user_id(), "email_address": "new" + f.address},
    "users.get": lambda f: {"user_id": f.user_id()},
    "users.revoke": Facts.revocable,
    "users.search": lambda f: {"limit": 10, "query": {"operator": "AND", "operands": []}},
    "users.search_all": lambda f: {"limit": 10},
    "users.update": lambda f: {"user_id": f.user_id(), "name": {"first_name": "Ada"}},
    "webauthn.authenticate": Facts.passkey_answer,
    "webauthn.authenticate_start": lambda f: {"domain": "localhost", "return_passkey_credential_options": True},
    "webauthn.list_credentials": lambda f: {"user_id": f.passkey()[0], "domain": "localhost"},
    "webauthn.register": Facts.new_passkey,
    "webauthn.register_start": lambda f: {"user_id": f.user_id(), "domain": "localhost"},
    "webauthn.update": lambda f: {
        "webauthn_registration_id": f.passkey()[2].webauthn_registration_id,
        "name": "Key at work",
    },
}
"""Arguments that must work, by the path of the method; the asynchronous twin takes the same."""


def with_phone(facts: Facts) -> Any:
    """Somebody with an address and a phone number."""
    return facts.auth.run(facts.auth.users.create(email=facts.address, phone_number=facts.phone)).user


__all__ = ["VALID", "Facts", "Intelligence", "Mail", "Services", "methods_of", "settings_of"]
