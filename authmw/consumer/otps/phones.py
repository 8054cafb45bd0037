"""Codes by SMS and WhatsApp: one implementation, two channels.

Law: a text goes to the number that is stored and to no other, holds nothing that a person wrote, and is paid for by budgets before anything about the number is
looked up. Who is unknown costs a browser as much as who is known.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal

import attrs

from authmw.consumer.otps.codes import Sent, decoy, new_code
from authmw.consumer.otps.responses import PhoneLoginOrCreateResponse, PhoneSendResponse
from authmw.consumer.proofs import check_may_add_factor, is_claimed, signed_in_caller
from authmw.errors import Refused
from authmw.identifiers import SANDBOX_PHONE
from authmw.ledger.commits import commit
from authmw.ledger.outbox import Payload, enclose
from authmw.limits import Limit
from authmw.messages import phone_text
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, Attributes, CodeMinutes, Id, PhoneLocale, PhoneNumber, Token
from authmw.people.directory import (
    in_sandbox,
    new_phone,
    new_user,
    user_by_phone,
    user_by_reference,
)
from authmw.people.directory import (
    phone_number as canonical_number,
)
from authmw.people.phones import check_may_text, range_of
from authmw.people.records import User
from authmw.people.rules import with_phone
from authmw.signin.keys import KeyRing
from authmw.signin.limits import charge, of_visitor, sending
from authmw.storage import Insert
from authmw.urls import Malformed, split_url

Channel = Literal["sms", "whatsapp"]
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@attrs.frozen(kw_only=True)
class Asking:
    """What both operations of both channels are asked."""

    number: str = attrs.field(repr=False)
    minutes: int
    attributes: Attributes | None
    locale: str | None

    @property
    def life(self) -> timedelta:
        """How long the code holds."""
        return timedelta(minutes=self.minutes)


class PhonePasscodes(Product):
    """Codes to phone numbers, by the channel of the subclass."""

    channel: ClassVar[Channel]

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    @property
    def _factor(self) -> str:
        return f"otp:{self.channel}"

    async def _begin(self, call: Call, asking: Asking) -> str:
        """The canonical number, once it may be texted and every budget has room."""
        number = canonical_number(call, asking.number)
        country = check_may_text(number, call.settings.phones.countries)
        sender = call.core.sms if self.channel == "sms" else call.core.whatsapp
        if sender is None and not in_sandbox(call, number):
            raise Refused("downstream_carrier_error", "No sender of this channel is configured.")
        await charge(call, *budgets(call, number, country, asking.attributes))
        return number

    async def _login_or_create(self, asking: Asking, *, pending: bool) -> PhoneLoginOrCreateResponse:
        call = current_call()
        number = await self._begin(call, asking)
        known = await user_by_phone(call.storage, number)
        user = known or with_phone(new_user(call, pending=pending), new_phone(call, number))
        phone = user.phone_at(number)
        assert phone is not None  # found or made by this number
        sent = Sent(purpose=f"{self.channel}_otp", method_id=phone.phone_id, address=number, life=asking.life)
        code, write = await new_code(call, user, sent, asking.attributes)
        self._text(call, asking, number, code)
        await commit(*(() if known else (Insert(user),)), write, subject_id=user.id, factor=self._factor)
        return PhoneLoginOrCreateResponse(user_id=user.id, phone_id=phone.phone_id, user_created=known is None)

    async def _send(
        self, asking: Asking, *, user_id: str | None, session_token: str | None, session_jwt: str | None
    ) -> PhoneSendResponse:
        call = current_call()
        number = await self._begin(call, asking)
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        holder = await user_by_phone(call.storage, number)
        user = live.subject if live else await user_by_reference(call.storage, user_id) if user_id else holder
        if user is None:
            return await self._nobody(call, number)
        standing = user.phone_at(number)
        claimed = bool(live or user_id) and is_claimed(user, standing)
        if claimed and live:
            check_may_add_factor(call, live)
        if standing is None:
            if _is_taken(call, holder, number):
                enclose(call, self.channel, Payload(to=()))
                await commit(subject_id=user.id, factor=self._factor)
                return PhoneSendResponse(user_id=user.id, phone_id=new_phone(call, number).phone_id)
        phone = standing or new_phone(call, number)
        sent = Sent(purpose=f"{self.channel}_otp", method_id=phone.phone_id, address=number, life=asking.life)
        code, write = await new_code(call, user, sent, asking.attributes, claimed=claimed, live=live)
        self._text(call, asking, number, code)
        await commit(write, subject_id=user.id, factor=self._factor)
        return PhoneSendResponse(user_id=user.id, phone_id=phone.phone_id)

    async def _nobody(self, call: Call, number: str) -> PhoneSendResponse:
        if call.caller.audience != "browser" or call.settings.reveal_unknown:
            await commit(refusal=Refused("phone_number_not_found"))
        enclose(call, self.channel, Payload(to=()))
        await commit(factor=self._factor)
        return PhoneSendResponse(user_id="", phone_id=decoy(call, "phone-number", number))

    def _text(self, call: Call, asking: Asking, number: str, code: str) -> None:
        locale = asking.locale or call.caller.locale or None
        domain = _domain(call.settings.public_url) if self.channel == "sms" else None
        text = phone_text(locale=locale, product=call.settings.name, code=code, domain=domain)
        recipients = () if in_sandbox(call, number) else (number,)
        enclose(call, self.channel, Payload(to=recipients, text=text, code=code, locale=locale or "en"))


def _is_taken(call: Call, holder: User | None, number: str) -> bool:
    """Whether a number that somebody is adding is proved by another already: a browser is then answered as for any number, and nothing is sent (ENU-01).

    Refused: `duplicate_phone_number` for backends, and where the project reveals who is known.
    """
    standing = holder.phone_at(number) if holder is not None else None
    if standing is None or not standing.verified:
        return False
    if call.caller.audience != "browser" or call.settings.reveal_unknown:
        raise Refused("duplicate_phone_number")
    return True


class SMSPasscodes(PhonePasscodes):
    """Codes by SMS."""

    channel: ClassVar[Channel] = "sms"

    @operation("POST", "/v1/otps/sms/login_or_create", action="OTPsSMSLoginOrCreate")
    async def login_or_create(
        self,
        *,
        phone_number: PhoneNumber,
        expiration_minutes: CodeMinutes = 2,
        attributes: Attributes | None = None,
        create_user_as_pending: bool = False,
        locale: PhoneLocale | None = None,
    ) -> PhoneLoginOrCreateResponse:
        """Text a code (1 to 10 minutes) to the user of this number (E.164), creating one if there is none. A new code ends the one before.

        Refused: `invalid_phone_number`, `invalid_phone_number_country_code`, `too_many_requests`, `downstream_carrier_error`.
        """
        asking = Asking(number=phone_number, minutes=expiration_minutes, attributes=attributes, locale=locale)
        return await self._login_or_create(asking, pending=create_user_as_pending)

    @operation("POST", "/v1/otps/sms/send", action="OTPsSMSSend")
    async def send(
        self,
        *,
        phone_number: PhoneNumber,
        expiration_minutes: CodeMinutes = 2,
        attributes: Attributes | None = None,
        locale: PhoneLocale | None = None,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
    ) -> PhoneSendResponse:
        """Text a code to the user of this number, or to a number that a named or signed-in user is adding; it enters when its code is authenticated.

        Refused as `login_or_create`, and on the backend `phone_number_not_found`; `duplicate_phone_number` for a number that is another user's.
        """
        asking = Asking(number=phone_number, minutes=expiration_minutes, attributes=attributes, locale=locale)
        return await self._send(asking, user_id=user_id, session_token=session_token, session_jwt=session_jwt)


class WhatsAppPasscodes(PhonePasscodes):
    """Codes by WhatsApp."""

    channel: ClassVar[Channel] = "whatsapp"

    @operation("POST", "/v1/otps/whatsapp/login_or_create", action="OTPsWhatsAppLoginOrCreate")
    async def login_or_create(
        self,
        *,
        phone_number: PhoneNumber,
        expiration_minutes: CodeMinutes = 2,
        attributes: Attributes | None = None,
        create_user_as_pending: bool = False,
        locale: PhoneLocale | None = None,
    ) -> PhoneLoginOrCreateResponse:
        """Send a code by WhatsApp to the user of this number, creating one if there is none; as `otps.sms.login_or_create`."""
        asking = Asking(number=phone_number, minutes=expiration_minutes, attributes=attributes, locale=locale)
        return await self._login_or_create(asking, pending=create_user_as_pending)

    @operation("POST", "/v1/otps/whatsapp/send", action="OTPsWhatsAppSend")
    async def send(
        self,
        *,
        phone_number: PhoneNumber,
        expiration_minutes: CodeMinutes = 2,
        attributes: Attributes | None = None,
        locale: PhoneLocale | None = None,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
    ) -> PhoneSendResponse:
        """Send a code by WhatsApp to the user of this number, or to a number that is being added; as `otps.sms.send`."""
        asking = Asking(number=phone_number, minutes=expiration_minutes, attributes=attributes, locale=locale)
        return await self._send(asking, user_id=user_id, session_token=session_token, session_jwt=session_jwt)


def budgets(call: Call, number: str, country: str, attributes: Attributes | None) -> tuple[Limit, ...]:
    """What a text to this number is charged to, of both channels together (RAT-04)."""
    rules, project = call.settings.phones, call.settings.project_id
    limits = [sending(call, number)]
    if number != SANDBOX_PHONE:
        limits += [
            Limit("texts to a number an hour", (project, number), rules.per_number_hour, _HOUR),
            Limit("texts to a number a day", (project, number), rules.per_number_day, _DAY),
            Limit("texts to a range", (project, range_of(number)), rules.per_range_hour, _HOUR),
            Limit("texts to a country", (project, country), rules.per_country_hour, _HOUR),
            Limit("texts a day", (project,), rules.per_day, _DAY),
        ]
    said = attributes.ip_address if attributes else ""
    return (*limits, *of_visitor(call, "texts for an address", rules.per_address_hour, _HOUR, said))


def _domain(url: str) -> str | None:
    """The host that a code in a text is bound to, if it has a name."""
    try:
        host = split_url(url).host
    except Malformed:
        return None
    return None if host.startswith("[") else host
