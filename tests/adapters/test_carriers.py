"""Carriers of texts, each against a local server that answers as its provider documents."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from authmw.drive import step
from authmw.errors import Misconfigured, SendingFailed
from authmw.ports import IO, FetchAnswer, Fetcher, FetchRequest, PhoneMessage
from authmw.testing import FixedClock
from authmw_adapters.carriers import AWSCredentials, SNSSender, TwilioSender, VonageSender
from authmw_adapters.carriers.aws import signed_headers
from tests.web_servers import NAME, Counter, counter, encrypted, fetcher_for, reply

NUMBER, CODE, SECRET = "+14155552671", "493027", "s3cr3t-of-the-carrier"
SMS = PhoneMessage(to=NUMBER, text=f"{CODE} is your code.", code=CODE, message_id="outgoing-test-1")
WHATSAPP = PhoneMessage(to=NUMBER, text=f"{CODE} is your code.", code=CODE, channel="whatsapp")
AWS = AWSCredentials(access_key_id="AKIDEXAMPLE", secret_access_key=SECRET, region="us-east-1")

Make = Callable[[Fetcher, str], "TwilioSender | VonageSender | SNSSender"]
CARRIERS: dict[str, Make] = {
    "twilio": lambda fetcher, url: TwilioSender(
        fetcher, account_sid="AC1", auth_token=SECRET, sender="+15005550006", base_url=url
    ),
    "vonage": lambda fetcher, url: VonageSender(
        fetcher, api_key="key", api_secret=SECRET, sender="authmw", base_url=url
    ),
    "sns": lambda fetcher, url: SNSSender(fetcher, AWS, base_url=url, clock=FixedClock()),
}
EACH = pytest.mark.parametrize("make", CARRIERS.values(), ids=CARRIERS)


def sent(make: Make, server: Counter, message: PhoneMessage = SMS) -> None:
    step(make(fetcher_for(server.port), server.url).send(message))


def failure(make: Make, server: Counter, message: PhoneMessage = SMS) -> SendingFailed:
    with pytest.raises(SendingFailed) as failed:
        sent(make, server, message)
    for held in (NUMBER, CODE, SECRET, "carrier's words"):
        assert held not in f"{failed.value!s} {failed.value!r} {failed.value.__context__!r}"
    return failed.value


def test_twilio_gets_a_form_with_the_text() -> None:
    with counter(reply(201, b'{"sid": "SM1", "status": "queued"}')) as server:
        sent(CARRIERS["twilio"], server)
    asked = server.asked[0]
    assert (asked.method, asked.target) == ("POST", "/2010-04-01/Accounts/AC1/Messages.json")
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(f"AC1:{SECRET}".encode()).decode()
    assert parse_qs(asked.body.decode()) == {"To": [NUMBER], "From": ["+15005550006"], "Body": [SMS.text]}


def test_twilio_sends_whatsapp_by_an_approved_template() -> None:
    with counter(reply(201, b"{}")) as server:
        sender = TwilioSender(
            fetcher_for(server.port),
            account_sid="AC1",
            auth_token=SECRET,
            sender="MG1",
            whatsapp_template="HX1",
            base_url=server.url,
        )
        step(sender.send(WHATSAPP))
    form = parse_qs(server.asked[0].body.decode())
    assert form == {
        "To": [f"whatsapp:{NUMBER}"],
        "MessagingServiceSid": ["MG1"],
        "ContentSid": ["HX1"],
        "ContentVariables": [json.dumps({"1": CODE})],
    }


@pytest.mark.parametrize("message", [SMS, WHATSAPP], ids=["sms", "whatsapp"])
def test_vonage_gets_json_that_names_the_channel(message: PhoneMessage) -> None:
    with counter(reply(202, b'{"message_uuid": "1"}')) as server:
        sent(CARRIERS["vonage"], server, message)
    asked = server.asked[0]
    assert (asked.method, asked.target) == ("POST", "/v1/messages")
    body = json.loads(asked.body)
    assert (body["channel"], body["to"], body["text"]) == (message.channel, "14155552671", message.text)


def test_sns_gets_a_signed_form() -> None:
    with counter(reply(200, b"<PublishResponse/>")) as server:
        sent(CARRIERS["sns"], server)
        asked = server.asked[0]
        again = signed_headers(
            AWS,
            "sns",
            method="POST",
            host=asked.headers["host"],
            path="/",
            headers={"Content-Type": asked.headers["content-type"]},
            body=asked.body,
            now=FixedClock().now(),
        )
    assert asked.headers["authorization"] == again["Authorization"]
    form = parse_qs(asked.body.decode())
    assert (form["Action"], form["PhoneNumber"], form["Message"]) == (["Publish"], [NUMBER], [SMS.text])
    assert form["MessageAttributes.entry.1.Value.StringValue"] == ["Transactional"]


def test_sns_sends_no_whatsapp() -> None:
    with counter() as server:
        assert not failure(CARRIERS["sns"], server, WHATSAPP).retryable
        assert server.asked == []


@EACH
@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        (status, status in {408, 429, 500, 502, 503})
        for status in (301, 400, 401, 402, 403, 404, 422, 408, 429, 500, 502, 503)
    ],
)
def test_what_is_no_success_is_a_failure_that_says_whether_to_try_again(
    make: Make, status: int, retryable: bool
) -> None:
    with counter(reply(status, b"the carrier's words")) as server:
        assert failure(make, server).retryable is retryable
        assert len(server.asked) == 1


@EACH
@pytest.mark.parametrize(("header", "seconds"), [("17", 17.0), ("999999", 3600.0), ("soon", None), ("-1", None)])
def test_a_busy_carrier_is_left_alone_for_as_long_as_it_says(make: Make, header: str, seconds: float | None) -> None:
    with counter(reply(429, b"", retry_after=header)) as server:
        assert failure(make, server).retry_after == seconds


def test_sns_throttles_with_400_too() -> None:
    with counter(reply(400, b"<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>")) as server:
        assert failure(CARRIERS["sns"], server).retryable


@EACH
def test_a_carrier_that_hangs_up_can_be_asked_again(make: Make) -> None:
    with encrypted(lambda connection: None) as port, pytest.raises(SendingFailed) as failed:
        step(make(fetcher_for(port), f"https://{NAME}:{port}").send(SMS))
    assert failed.value.retryable


@EACH
def test_a_carrier_that_does_not_answer_is_late_and_can_be_asked_again(make: Make) -> None:
    gone = threading.Event()
    with encrypted(lambda connection: gone.wait(5) and None) as port:
        sender = make(fetcher_for(port), f"https://{NAME}:{port}")
        sender.deadline = 0.3
        with pytest.raises(SendingFailed) as failed:
            step(sender.send(SMS))
        gone.set()
    assert failed.value.retryable
    assert "late" in str(failed.value)


@EACH
def test_the_next_message_leaves_after_a_failure(make: Make) -> None:
    with counter(reply(500), reply(200, b"{}")) as server:
        fetcher = fetcher_for(server.port)
        sender = make(fetcher, server.url)
        with pytest.raises(SendingFailed):
            step(sender.send(SMS))
        step(sender.send(SMS))
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ],
)
def test_a_signature_is_that_of_the_published_vectors(method: str, signature: str) -> None:
    """`get-vanilla` and `post-vanilla` of the Signature Version 4 test suite."""
    credentials = AWSCredentials(
        access_key_id="AKIDEXAMPLE",
        secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
    )
    headers = signed_headers(
        credentials,
        "service",
        method=method,
        host="example.amazonaws.com",
        path="/",
        headers={},
        body=b"",
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert headers["Authorization"].endswith(f"Signature={signature}")


class Kept:
    """A fetcher that keeps what it is asked for."""

    io: IO = "instant"
    local = False

    def __init__(self) -> None:
        self.asked: list[FetchRequest] = []

    async def fetch(self, request: FetchRequest) -> FetchAnswer:
        self.asked.append(request)
        return FetchAnswer(status=200, headers={}, body=b"{}")


@pytest.mark.parametrize(
    ("base", "host", "root"),
    [
        ("https://aws.example", "aws.example", ""),
        ("https://aws.example:443", "aws.example", ""),
        ("https://aws.example:8443", "aws.example:8443", ""),
        ("https://proxy.example/to/aws", "proxy.example", "/to/aws"),
    ],
)
def test_what_is_signed_is_what_is_sent(base: str, host: str, root: str) -> None:
    """The fetcher leaves a usual port out of the Host header, and a path of the address stands before the carrier's own."""
    fetcher = Kept()
    step(SNSSender(fetcher, AWS, base_url=base, clock=FixedClock()).send(SMS))
    (request,) = fetcher.asked
    assert request.url == f"{base}/"
    signed = signed_headers(
        AWS,
        "sns",
        method="POST",
        host=host,
        path=f"{root}/",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=request.body,
        now=FixedClock().now(),
    )
    assert request.headers["Authorization"] == signed["Authorization"]


@pytest.mark.parametrize(
    "base", ["https://a.example/", "ftp://a.example", "https://A.example", "https://a.example?x=1", ""]
)
def test_an_address_that_would_be_refused_at_each_message_is_refused_at_once(base: str) -> None:
    with pytest.raises(Misconfigured, match="base_url"):
        VonageSender(fetcher_for(1), api_key="key", api_secret=SECRET, sender="x", base_url=base)


def test_credentials_do_not_print_and_must_fit_into_a_header() -> None:
    assert SECRET not in repr(AWS)
    with counter() as server:
        for secret in ("", "a b", "a\r\nb", "ü"):
            with pytest.raises(Misconfigured):
                VonageSender(
                    fetcher_for(server.port), api_key="key", api_secret=secret, sender="x", base_url=server.url
                )
        with pytest.raises(Misconfigured):
            TwilioSender(fetcher_for(1), account_sid="../AC", auth_token=SECRET, sender="x")
