"""Carriers of e-mail, each against a local server that answers as its provider documents."""

from __future__ import annotations

import base64
import email
import json
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

import attrs
import pytest

from authmw.drive import step
from authmw.errors import Misconfigured, SendingFailed
from authmw.ports import EmailMessage, Fetcher
from authmw.testing import FixedClock
from authmw_adapters.carriers import (
    AWSCredentials,
    MailgunSender,
    PostmarkSender,
    ResendSender,
    SendGridSender,
    SESSender,
)
from authmw_adapters.carriers.emails import EmailCarrier
from tests.web_servers import NAME, Asked, Counter, counter, encrypted, fetcher_for, reply

SECRET = "s3cr3t-of-the-carrier"
FROM = {"from_address": "auth@example.com", "from_name": "Äuthmw, the demo"}
MESSAGE = EmailMessage(
    to="ada@example.org",
    subject="Your code – 493027",
    text="493027 is your code.",
    html="<p>493027</p>",
    message_id="outgoing-test-1",
    date=datetime(2026, 1, 1, 12, tzinfo=UTC),
)
AWS = AWSCredentials(access_key_id="AKIDEXAMPLE", secret_access_key=SECRET, region="us-east-1")

Make = Callable[[Fetcher, str], EmailCarrier]
CARRIERS: dict[str, Make] = {
    "ses": lambda fetcher, url: SESSender(fetcher, AWS, base_url=url, clock=FixedClock(), **FROM),
    "sendgrid": lambda fetcher, url: SendGridSender(fetcher, api_key=SECRET, base_url=url, **FROM),
    "postmark": lambda fetcher, url: PostmarkSender(fetcher, server_token=SECRET, base_url=url, **FROM),
    "mailgun": lambda fetcher, url: MailgunSender(
        fetcher, api_key=SECRET, domain="mg.example.com", base_url=url, **FROM
    ),
    "resend": lambda fetcher, url: ResendSender(fetcher, api_key=SECRET, base_url=url, **FROM),
}
EACH = pytest.mark.parametrize("make", CARRIERS.values(), ids=CARRIERS)


def send(make: Make, server: Counter, message: EmailMessage = MESSAGE) -> None:
    step(make(fetcher_for(server.port), server.url).send(message))


def failure(make: Make, server: Counter, message: EmailMessage = MESSAGE) -> SendingFailed:
    with pytest.raises(SendingFailed) as failed:
        send(make, server, message)
    for held in (MESSAGE.to, "493027", SECRET, "carrier's words"):
        assert held not in f"{failed.value!s} {failed.value!r}"
    return failed.value


def asked(name: str) -> Asked:
    with counter(reply(200, b'{"ErrorCode": 0}')) as server:
        send(CARRIERS[name], server)
    return server.asked[0]


def test_ses_gets_the_whole_message_and_a_signature() -> None:
    request = asked("ses")
    assert request.target == "/v2/email/outbound-emails"
    assert "/us-east-1/ses/aws4_request" in request.headers["authorization"]
    body = json.loads(request.body)
    assert body["Destination"] == {"ToAddresses": [MESSAGE.to]}
    whole = email.message_from_bytes(base64.b64decode(body["Content"]["Raw"]["Data"]))
    assert whole["To"] == MESSAGE.to


def test_sendgrid_gets_both_parts_and_no_tracking() -> None:
    request = asked("sendgrid")
    assert (request.target, request.headers["authorization"]) == ("/v3/mail/send", f"Bearer {SECRET}")
    body = json.loads(request.body)
    assert body["personalizations"] == [{"to": [{"email": MESSAGE.to}]}]
    assert [part["value"] for part in body["content"]] == [MESSAGE.text, MESSAGE.html]
    assert body["subject"] == MESSAGE.subject
    assert not body["tracking_settings"]["click_tracking"]["enable"]


def test_postmark_gets_its_token_in_its_own_header() -> None:
    request = asked("postmark")
    assert (request.target, request.headers["x-postmark-server-token"]) == ("/email", SECRET)
    body = json.loads(request.body)
    assert (body["To"], body["TextBody"], body["TrackLinks"]) == (MESSAGE.to, MESSAGE.text, "None")
    assert body["From"].endswith("<auth@example.com>")


def test_mailgun_gets_a_form_with_the_message_id() -> None:
    request = asked("mailgun")
    assert request.target == "/v3/mg.example.com/messages"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(f"api:{SECRET}".encode()).decode()
    form = parse_qs(request.body.decode())
    assert (form["to"], form["subject"]) == ([MESSAGE.to], [MESSAGE.subject])
    assert form["h:Message-Id"] == ["<outgoing-test-1@example.com>"]


def test_resend_gets_the_same_key_for_a_repeated_attempt_and_another_for_another_recipient() -> None:
    with counter(reply(500), reply(200, b"{}")) as server:
        assert failure(CARRIERS["resend"], server).retryable
        send(CARRIERS["resend"], server)
        send(CARRIERS["resend"], server, attrs.evolve(MESSAGE, to="bob@example.org"))
    first, second, third = (request.headers["idempotency-key"] for request in server.asked)
    assert first == second != third
    assert json.loads(server.asked[0].body)["to"] == [MESSAGE.to]


def test_postmark_can_refuse_with_200() -> None:
    with counter(reply(200, b'{"ErrorCode": 406, "Message": "the carrier\'s words"}')) as server:
        assert not failure(CARRIERS["postmark"], server).retryable


@EACH
@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422, 408, 429, 500, 502, 503])
def test_what_is_no_success_is_a_failure_that_says_whether_to_try_again(make: Make, status: int) -> None:
    with counter(reply(status, b"the carrier's words", retry_after="7")) as server:
        failed = failure(make, server)
    assert failed.retryable is (status in {408, 429, 500, 502, 503})
    assert failed.retry_after == 7.0


@EACH
def test_a_carrier_that_hangs_up_can_be_asked_again(make: Make) -> None:
    with encrypted(lambda connection: None) as port, pytest.raises(SendingFailed) as failed:
        step(make(fetcher_for(port), f"https://{NAME}:{port}").send(MESSAGE))
    assert failed.value.retryable


@EACH
@pytest.mark.parametrize(
    "message",
    [
        attrs.evolve(MESSAGE, to="ada@example.org, eve@example.org"),
        attrs.evolve(MESSAGE, to="ada@example.org\r\nBcc: eve@example.org"),
        attrs.evolve(MESSAGE, subject="Hello\r\nBcc: eve@example.org"),
        attrs.evolve(MESSAGE, subject="Hello =?utf-8?q?=0D=0ABcc:_eve@example.org?="),
        attrs.evolve(MESSAGE, subject="=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLm9yZw==?="),
    ],
    ids=["two", "header", "subject", "encoded", "encoded-in-base64"],
)
def test_what_could_be_read_in_two_ways_never_leaves(make: Make, message: EmailMessage) -> None:
    with counter() as server:
        with pytest.raises(SendingFailed) as failed:
            send(make, server, message)
        assert not failed.value.retryable
        assert server.asked == []


def test_settings_that_are_not_plain_are_refused() -> None:
    with pytest.raises(Misconfigured):
        MailgunSender(fetcher_for(1), api_key=SECRET, domain="a/b", **FROM)
    with pytest.raises(Misconfigured):
        ResendSender(fetcher_for(1), api_key=SECRET, from_address="a b@example.org")
    with pytest.raises(Misconfigured):
        ResendSender(fetcher_for(1), api_key="a\nb", **FROM)
