"""Messages leave through the outbox: they are committed with the change that asks for them, and sent after it.

Law: a payload rests sealed; a message is settled in a commit of its own; a Conflict there means that another process has settled it. Sending is never
repeated inside a request: a message that failed is due again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs
import msgspec

from authmw import drive
from authmw.crypto import tokens
from authmw.crypto.roots import UnknownKey
from authmw.crypto.sealing import SealBroken, seal, unseal
from authmw.errors import SendingFailed, StorageError
from authmw.ledger.commits import settle
from authmw.ledger.records import Event, Outgoing
from authmw.operations import CLAIMED, SKEW, Call, Core
from authmw.ports import EmailMessage, PhoneMessage
from authmw.storage import Between, Delete, Order, Update, Write, moment
from authmw.typed import from_msgpack

FIRST_ATTEMPT = 10.0
"""Seconds that a caller waits for the first attempt."""
LIFE = timedelta(days=1)
LONGEST_WAIT = 3600.0
"""Seconds that a carrier is left alone at most, whatever it or its adapter says."""
_PURPOSE = "outgoing message"
_log = logging.getLogger("authmw")


class Payload(msgspec.Struct, frozen=True):
    """What is sealed: one message, for one or several recipients, or for nobody."""

    to: tuple[str, ...]
    subject: str = ""
    text: str = ""
    html: str = ""
    code: str | None = None
    link: str | None = None
    login_link: str | None = None
    locale: str = "en"


def enclose(call: Call, channel: str, payload: Payload, *, reported: bool = True) -> None:
    """Have a message leave with the commit that the running operation is about to make; `reported=False` if its failure is no failure of the call."""
    outgoing_id = tokens.new_id("outgoing", call.settings.environment)
    call.outgoing.append(
        Outgoing(
            outgoing_id=outgoing_id,
            channel=channel,
            sealed=_sealed(call.core, outgoing_id, payload),
            event_id=call.id,
            due_at=call.now + call.due,
            reported=reported,
            expires_at=call.now + LIFE,
        )
    )


async def deliver(core: Core, outgoing: Outgoing) -> SendingFailed | None:
    """Try to send a stored message and settle the outcome; the failure, if there was one. Never raises for a message that cannot be opened or sent."""
    try:
        opened = unseal(core.roots, _PURPOSE, outgoing.outgoing_id, outgoing.sealed)
        payload = from_msgpack(opened, Payload)
    except (SealBroken, UnknownKey, msgspec.MsgspecError):
        # Another process may still have the key this was sealed under, so it waits its turn like any other failure.
        return await _failed(core, outgoing, SendingFailed("The message cannot be opened.", retryable=True))
    for sent, recipient in enumerate(payload.to):
        if core.clock.now() > outgoing.due_at - SKEW - timedelta(seconds=FIRST_ATTEMPT):
            # The carrier is slow, or this stood in line: nobody else may begin with it while we go on.
            rest = msgspec.structs.replace(payload, to=payload.to[sent:])
            resealed = _sealed(core, outgoing.outgoing_id, rest)
            claimed = attrs.evolve(outgoing, sealed=resealed, due_at=core.clock.now() + CLAIMED)
            if not await settle(core, Update(claimed)):
                return None
            outgoing = attrs.evolve(claimed, version=outgoing.version + 1)
        failure = await _attempt(core, outgoing, payload, recipient)
        if failure is not None:
            # Who has it already does not get it again.
            left = msgspec.structs.replace(payload, to=payload.to[sent:])
            return await _failed(
                core, attrs.evolve(outgoing, sealed=_sealed(core, outgoing.outgoing_id, left)), failure
            )
    await _settled(core, Delete(outgoing))
    return None


async def _settled(core: Core, *writes: Write) -> None:
    """Write what became of a message. Where storage does not take it the message is due again: it may come twice, and the call that asked for it stands either way."""
    try:
        await settle(core, *writes)
    except StorageError:
        _log.error("message_not_settled")


def _sealed(core: Core, outgoing_id: str, payload: Payload) -> bytes:
    return seal(core.roots, _PURPOSE, outgoing_id, msgspec.msgpack.encode(payload))


async def _attempt(core: Core, outgoing: Outgoing, payload: Payload, recipient: str) -> SendingFailed | None:
    try:
        await drive.within(FIRST_ATTEMPT, _send(core, outgoing, payload, recipient))
    except SendingFailed as failure:
        return failure
    except TimeoutError:
        return SendingFailed("The carrier did not answer in time.", retryable=True)
    except Exception:  # noqa: BLE001 -- one message must not hold up the others
        # An adapter that breaks its promise; what it raised may hold the message, so only its place is logged.
        _log.error("sender_raised", extra={"channel": outgoing.channel})
        return SendingFailed("The sender failed.", retryable=True)
    return None


async def _send(core: Core, outgoing: Outgoing, payload: Payload, recipient: str) -> None:
    if outgoing.channel != "email":
        await _send_to_phone(core, outgoing, payload, recipient)
        return
    if core.email is None:
        raise SendingFailed("No e-mail sender is configured.", retryable=False)
    message = EmailMessage(
        to=recipient,
        subject=payload.subject,
        text=payload.text,
        html=payload.html,
        message_id=outgoing.outgoing_id,
        date=core.clock.now(),
        code=payload.code,
        links=tuple(link for link in (payload.link, payload.login_link) if link),
    )
    await drive.using(core.email.io, core.email.send, message)


async def _send_to_phone(core: Core, outgoing: Outgoing, payload: Payload, recipient: str) -> None:
    whatsapp = outgoing.channel == "whatsapp"
    sender = core.whatsapp if whatsapp else core.sms
    if sender is None:
        raise SendingFailed("No sender of this channel is configured.", retryable=False)
    message = PhoneMessage(
        to=recipient,
        text=payload.text,
        channel="whatsapp" if whatsapp else "sms",
        code=payload.code,
        message_id=outgoing.outgoing_id,
        locale=payload.locale,
    )
    await drive.using(sender.io, sender.send, message)


async def _failed(core: Core, outgoing: Outgoing, failure: SendingFailed) -> SendingFailed:
    now = core.clock.now()
    told: list[Write] = []
    if outgoing.reported:
        told = [
            Update(attrs.evolve(event, status="error", error_type="downstream_carrier_error"))
            for event in await _events_of(core, outgoing)
        ]
    if failure.retryable and now < outgoing.expires_at:
        # Of what an adapter of somebody else's says, nothing may end the round in which others wait: it may be no number at all.
        asked = min(LONGEST_WAIT, max(0.0, failure.retry_after or 0.0))
        wait = timedelta(seconds=max(30 * 2 ** min(outgoing.attempts, 10), asked))
        again = Update(attrs.evolve(outgoing, attempts=outgoing.attempts + 1, due_at=now + wait))
        await _settled(core, again, *told)
    else:
        await _settled(core, Delete(outgoing), *told)
    return failure


async def _events_of(core: Core, outgoing: Outgoing) -> tuple[Event, ...]:
    """The event of the call that asked for a message; none where storage does not tell."""
    asked = Between("request", (outgoing.event_id,), (outgoing.event_id,))
    try:
        return (await core.storage.page(Event, asked, limit=1)).records
    except StorageError:
        return ()


async def deliver_all(core: Core, messages: Sequence[Outgoing]) -> SendingFailed | None:
    """The first attempt for the messages of a commit just made (they are stored as version 1); the last failure that is the call's own."""
    failure = None
    for message in messages:
        failed = await deliver(core, attrs.evolve(message, version=1))
        failure = failed if failed is not None and message.reported else failure
    return failure


async def dispatch_due(core: Core, now: datetime, limit: int = 50) -> int:
    """Send what is due, claiming each message first so that several workers share the work; how many were taken."""
    page = await core.storage.page(Outgoing, Between("due", None, (moment(now),)), order=Order("due"), limit=limit)
    taken = 0
    for message in page.records:
        # Those before it may have taken long: it is claimed from this moment on, and not from the beginning of the round.
        claimed = attrs.evolve(message, due_at=core.clock.now() + CLAIMED)
        if await settle(core, Update(claimed)):
            taken += 1
            await deliver(core, attrs.evolve(claimed, version=message.version + 1))
    return taken
