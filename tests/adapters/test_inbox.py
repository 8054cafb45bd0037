"""The inbox: all channels, newest first, bounded, nothing guessed."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import attrs
import pytest

from authmw.drive import step
from authmw.ports import EmailMessage, EmailSender, PhoneMessage, SMSSender, WhatsAppSender
from authmw_adapters.inbox import Inbox, InboxEntry

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
EMAIL = EmailMessage(
    to="ada@example.org",
    subject="Sign in",
    text="Open https://auth.example.com/?token=abc&x=1\nor call 654321.",
    html="<p>Hi",
    message_id="one",
    date=NOW,
    code="123456",
    links=("https://auth.example.com/?token=abc&x=1", "https://auth.example.com/other"),
)
SMS = PhoneMessage(to="+15555550100", text="493027 is your Acme code.", code="493027")


class StillClock:
    def now(self) -> datetime:
        return NOW


def filled(*messages: EmailMessage | PhoneMessage, capacity: int = 1000) -> Inbox:
    inbox = Inbox(capacity=capacity, clock=StillClock())
    for message in messages:
        step(inbox.send(message))
    return inbox


def test_an_inbox_is_a_sender_of_every_channel() -> None:
    inbox = Inbox()
    email: EmailSender = inbox
    sms: SMSSender = inbox
    whatsapp: WhatsAppSender = inbox

    assert {email.io, sms.io, whatsapp.io} == {"instant"}


def test_an_email_is_kept_with_its_links_and_code() -> None:
    assert filled(EMAIL).entries() == (
        InboxEntry(
            id="1",
            channel="email",
            to="ada@example.org",
            subject="Sign in",
            text=EMAIL.text,
            html="<p>Hi",
            links=("https://auth.example.com/?token=abc&x=1", "https://auth.example.com/other"),
            code="123456",
            created_at=NOW,
        ),
    )


@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_a_phone_message_is_kept_under_its_channel(channel: str) -> None:
    entry = filled(attrs.evolve(SMS, channel=channel)).latest()

    assert (entry.channel, entry.to, entry.code, entry.text) == (channel, SMS.to, "493027", SMS.text)
    assert (entry.subject, entry.html, entry.links) == ("", "", ())


def test_a_code_is_never_guessed_from_the_text() -> None:
    assert filled(attrs.evolve(EMAIL, code=None)).latest().code is None


def test_links_that_the_message_does_not_carry_are_found_in_its_text() -> None:
    entry = filled(
        attrs.evolve(EMAIL, links=(), text="<https://a.example/x> and http://b.example/?y=1\nhttps://a.example/x")
    )

    assert entry.latest().links == ("https://a.example/x", "http://b.example/?y=1")


def test_the_newest_message_comes_first() -> None:
    inbox = filled(EMAIL, SMS, attrs.evolve(EMAIL, subject="third"))

    assert [entry.id for entry in inbox.entries()] == ["3", "2", "1"]
    assert inbox.latest().subject == "third"


def test_messages_are_found_by_their_recipient() -> None:
    inbox = filled(EMAIL, SMS)

    assert inbox.latest(to="ada@example.org").id == "1"
    assert [entry.id for entry in inbox.entries(to=SMS.to)] == ["2"]
    with pytest.raises(LookupError):
        inbox.latest(to="eve@example.net")


def test_an_empty_inbox_has_no_latest_message() -> None:
    with pytest.raises(LookupError):
        Inbox().latest()


def test_the_oldest_messages_make_room() -> None:
    inbox = filled(*[attrs.evolve(EMAIL, subject=str(number)) for number in range(5)], capacity=2)

    assert [entry.subject for entry in inbox.entries()] == ["4", "3"]
    assert [entry.id for entry in inbox.entries()] == ["5", "4"]


def test_an_inbox_keeps_at_least_one_message() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Inbox(capacity=0)


def test_a_cleared_inbox_is_empty_and_counts_on() -> None:
    inbox = filled(EMAIL)
    inbox.clear()
    assert inbox.entries() == ()

    step(inbox.send(SMS))
    assert inbox.latest().id == "2"


def test_the_inbox_as_json_is_json() -> None:
    [entry] = json.loads(json.dumps(filled(EMAIL).as_json()))

    assert entry == {
        "id": "1",
        "channel": "email",
        "to": "ada@example.org",
        "subject": "Sign in",
        "text": EMAIL.text,
        "html": "<p>Hi",
        "links": ["https://auth.example.com/?token=abc&x=1", "https://auth.example.com/other"],
        "code": "123456",
        "created_at": "2026-03-01T12:30:00+00:00",
    }


def test_messages_of_many_threads_are_all_kept_under_different_ids() -> None:
    inbox = Inbox(clock=StillClock())
    threads = [threading.Thread(target=lambda: [step(inbox.send(SMS)) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({entry.id for entry in inbox.entries()}) == 400


def test_an_entry_does_not_print_what_it_holds() -> None:
    printed = repr(filled(EMAIL).latest()) + repr(EMAIL) + repr(SMS)

    for hidden in ("ada@", "token=abc", "123456", "Sign in", "+1555", "493027"):
        assert hidden not in printed
