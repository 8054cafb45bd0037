"""E-mail by Amazon SES, SendGrid, Postmark, Mailgun and Resend.

Law: every message passes the same checks as one that goes by SMTP, so no carrier's parser sees a header, an address or a subject that could be
read in two ways.
"""

from __future__ import annotations

import base64

from authmw.clock import Clock, SystemClock
from authmw.crypto.secret import Secret
from authmw.errors import Misconfigured, SendingFailed
from authmw.ports import EmailMessage, Fetcher
from authmw_adapters.carriers.aws import AWSCredentials, signed_headers
from authmw_adapters.carriers.base import Carrier, as_form, as_json, basic, read_json, secret_of
from authmw_adapters.mime import Sender, compose

_AUTOMATIC = "auto-generated"
"""Keeps vacation responders from answering (RFC 3834 section 5)."""


class EmailCarrier(Carrier):
    """A carrier that sends in the name of `from_address`. Raises Misconfigured for one that is not plain."""

    def __init__(self, fetcher: Fetcher, base_url: str, from_address: str, from_name: str) -> None:
        super().__init__(fetcher, base_url)
        self._sender = Sender(from_address, from_name)

    def _recipient(self, message: EmailMessage) -> str:
        """The checked address. Raises SendingFailed for a message that cannot be sent safely."""
        return compose(message, self._sender).recipient.address

    def _from(self) -> str:
        from email.headerregistry import Address

        return str(Address(self._sender.name, self._sender.mailbox.user, self._sender.mailbox.domain))


class SESSender(EmailCarrier):
    """Amazon SES (API v2, `SendEmail` with a whole message). `clock` dates the signature."""

    def __init__(
        self,
        fetcher: Fetcher,
        credentials: AWSCredentials,
        *,
        from_address: str,
        from_name: str = "",
        base_url: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        usual = f"https://email.{credentials.region}.amazonaws.com"
        super().__init__(fetcher, base_url or usual, from_address, from_name)
        self._credentials = credentials
        self._clock = clock or SystemClock()

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over. Raises SendingFailed."""
        composed = compose(message, self._sender)
        headers, body = as_json(
            {
                "FromEmailAddress": self._sender.mailbox.address,
                "Destination": {"ToAddresses": [composed.recipient.address]},
                "Content": {"Raw": {"Data": base64.b64encode(composed.data).decode("ascii")}},
            }
        )
        path = "/v2/email/outbound-emails"
        signed = signed_headers(
            self._credentials,
            "ses",
            method="POST",
            host=self._host,
            path=self._root + path,
            headers=headers,
            body=body,
            now=self._clock.now(),
        )
        await self._post(path, signed, body)


class SendGridSender(EmailCarrier):
    """SendGrid (`v3/mail/send`). Click and open tracking are off: a link that signs somebody in is nobody else's business."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        api_key: Secret | str,
        from_address: str,
        from_name: str = "",
        base_url: str = "https://api.sendgrid.com",
    ) -> None:
        super().__init__(fetcher, base_url, from_address, from_name)
        self._key = secret_of(api_key, "api_key")

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over. Raises SendingFailed."""
        sender = {"email": self._sender.mailbox.address}
        if self._sender.name:
            sender["name"] = self._sender.name
        off = {"enable": False}
        headers, body = as_json(
            {
                "personalizations": [{"to": [{"email": self._recipient(message)}]}],
                "from": sender,
                "subject": message.subject,
                "content": [
                    {"type": "text/plain", "value": message.text},
                    {"type": "text/html", "value": message.html},
                ],
                "headers": {"Auto-Submitted": _AUTOMATIC},
                "tracking_settings": {"click_tracking": off, "open_tracking": off},
            }
        )
        await self._post("/v3/mail/send", {**headers, "Authorization": f"Bearer {self._key.reveal()}"}, body)


class PostmarkSender(EmailCarrier):
    """Postmark (`/email`). `stream` is the message stream; tracking is off."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        server_token: Secret | str,
        from_address: str,
        from_name: str = "",
        stream: str = "outbound",
        base_url: str = "https://api.postmarkapp.com",
    ) -> None:
        super().__init__(fetcher, base_url, from_address, from_name)
        self._token = secret_of(server_token, "server_token")
        self._stream = stream

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over. Raises SendingFailed, also for an answer 200 that names an error."""
        headers, body = as_json(
            {
                "From": self._from(),
                "To": self._recipient(message),
                "Subject": message.subject,
                "TextBody": message.text,
                "HtmlBody": message.html,
                "MessageStream": self._stream,
                "Headers": [{"Name": "Auto-Submitted", "Value": _AUTOMATIC}],
                "TrackOpens": False,
                "TrackLinks": "None",
            }
        )
        named = {**headers, "Accept": "application/json", "X-Postmark-Server-Token": self._token.reveal()}
        answer = await self._post("/email", named, body)
        if read_json(answer).get("ErrorCode", 0) != 0:
            raise SendingFailed("The carrier did not take the message.", retryable=False)


class MailgunSender(EmailCarrier):
    """Mailgun (`/v3/{domain}/messages`). `base_url` is `https://api.eu.mailgun.net` for domains in the EU; tracking is off."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        api_key: Secret | str,
        domain: str,
        from_address: str,
        from_name: str = "",
        base_url: str = "https://api.mailgun.net",
    ) -> None:
        super().__init__(fetcher, base_url, from_address, from_name)
        if not domain or not domain.isascii() or not domain.replace("-", "").replace(".", "").isalnum():
            raise Misconfigured("domain must be a host name.")
        self._path = f"/v3/{domain}/messages"
        self._authorization = Secret(basic("api", secret_of(api_key, "api_key")))

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over. Raises SendingFailed."""
        headers, body = as_form(
            {
                "from": self._from(),
                "to": self._recipient(message),
                "subject": message.subject,
                "text": message.text,
                "html": message.html,
                "h:Message-Id": f"<{message.message_id}@{self._sender.mailbox.domain}>",
                "h:Auto-Submitted": _AUTOMATIC,
                "o:tracking": "no",
            }
        )
        await self._post(self._path, {**headers, "Authorization": self._authorization.reveal()}, body)


class ResendSender(EmailCarrier):
    """Resend (`/emails`). A repeated attempt has the same idempotency key, so that it is sent once within the carrier's 24 hours."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        api_key: Secret | str,
        from_address: str,
        from_name: str = "",
        base_url: str = "https://api.resend.com",
    ) -> None:
        super().__init__(fetcher, base_url, from_address, from_name)
        self._key = secret_of(api_key, "api_key")

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over. Raises SendingFailed."""
        recipient = self._recipient(message)
        headers, body = as_json(
            {
                "from": self._from(),
                "to": [recipient],
                "subject": message.subject,
                "text": message.text,
                "html": message.html,
                "headers": {"Auto-Submitted": _AUTOMATIC},
            }
        )
        # One message may have several recipients, each with a request of its own.
        key = base64.urlsafe_b64encode(_digest(f"{message.message_id} {recipient}")).decode("ascii")
        named = {**headers, "Authorization": f"Bearer {self._key.reveal()}", "Idempotency-Key": key}
        await self._post("/emails", named, body)


def _digest(text: str) -> bytes:
    import hashlib

    return hashlib.sha256(text.encode()).digest()
