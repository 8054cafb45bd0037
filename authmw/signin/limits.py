"""Charging limits inside an operation: once a call, before what they guard."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from authmw import drive
from authmw.errors import Refused
from authmw.limits import Limit, LimitReached
from authmw.operations import Call
from authmw.parameters import Attributes
from authmw.people.directory import in_sandbox

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


async def charge(call: Call, *limits: Limit, refusal: str = "too_many_requests", tells_wait: bool = True) -> None:
    """Take one of each limit, once however often the body repeats. Refused with the wait if there is no room; without it where what is counted is over by then."""
    limiter = call.core.limiter

    async def take() -> None:
        try:
            await drive.using(limiter.io, limiter.take, *limits, now=call.now)
        except LimitReached as reached:
            refused = Refused(refusal, retry_after=reached.retry_after if tells_wait else None)
            refused.limit = reached.name
            raise refused from None

    await call.once(("charge", *(limit.digest for limit in limits)), take)


def forget_later(call: Call, *limits: Limit) -> None:
    """Reset limits after the commit: a success clears what its failures counted, and nothing else (RAT-01)."""
    limiter = call.core.limiter

    async def reset() -> None:
        await drive.using(limiter.io, limiter.reset, *limits)

    call.after.append(reset)


def sending(call: Call, address: str) -> Limit:
    """One message a second to one address, whoever asks and by whichever product."""
    return Limit("sending", (call.settings.project_id, address), 1, timedelta(seconds=1))


def mailing(call: Call, address: str, attributes: Attributes | None = None) -> tuple[Limit, ...]:
    """What a mail to this address is charged to, by whichever product it is asked for (RAT-04). Of the sandbox's address nothing leaves, so nothing is budgeted."""
    rules, project = call.settings.emails, call.settings.project_id
    if in_sandbox(call, address):
        return (sending(call, address),)
    return (
        sending(call, address),
        Limit("mails to an address an hour", (project, address), rules.per_address_hour, _HOUR),
        Limit("mails to an address a day", (project, address), rules.per_address_day, _DAY),
        Limit("mails a day", (project,), rules.per_day, _DAY),
        *of_visitor(
            call, "mails for a visitor", rules.per_visitor_hour, _HOUR, attributes.ip_address if attributes else ""
        ),
    )


def of_visitor(call: Call, name: str, burst: int, per: timedelta, ip_address: str = "") -> tuple[Limit, ...]:
    """So many of something for one visitor, whoever they name. A backend's own address is not the person's, so nothing is counted there unless it says whose it is."""
    asked_from = call.caller.ip_address if call.caller.audience == "browser" else ip_address
    return (Limit(name, (call.settings.project_id, network_of(asked_from)), burst, per),) if asked_from else ()


def network_of(address: str) -> str:
    """What one visitor has: an IPv4 address, or the first 64 bits of an IPv6 one; another text stands for itself.

    A backend that passes on what its server calls an IPv4 visitor (`::ffff:192.0.2.1`) names that visitor, and not all of IPv4.
    """
    try:
        met = ip_address(address)
        if isinstance(met, IPv6Address):
            return str(ip_network(met.ipv4_mapped or f"{address}/64", strict=False))
        return str(ip_network(met))
    except ValueError:
        return address
