"""SMS and WhatsApp by Twilio, Vonage and Amazon SNS."""

from __future__ import annotations

import json

from authmw.clock import Clock, SystemClock
from authmw.crypto.secret import Secret
from authmw.errors import Misconfigured, SendingFailed
from authmw.ports import FetchAnswer, Fetcher, PhoneMessage
from authmw_adapters.carriers.aws import AWSCredentials, signed_headers
from authmw_adapters.carriers.base import Carrier, as_form, as_json, basic, refusal, secret_of


class TwilioSender(Carrier):
    """SMS and WhatsApp by Twilio's Messages resource (`2010-04-01`).

    `sender` is a number in E.164 form, an alphanumeric sender id or a messaging service (`MG...`). `api_key` with `auth_token` as its secret may stand for
    the account's own token. WhatsApp takes business messages in approved templates only: `whatsapp_template` is the content id (`HX...`) of one whose
    variable 1 is the code; without it the text itself is sent, which reaches people who wrote within the last 24 hours.
    Twilio knows no idempotency key for messages.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        account_sid: str,
        auth_token: Secret | str,
        sender: str,
        api_key: str | None = None,
        whatsapp_template: str | None = None,
        base_url: str = "https://api.twilio.com",
    ) -> None:
        super().__init__(fetcher, base_url)
        if not (account_sid.isascii() and account_sid.isalnum()):
            raise Misconfigured("account_sid must be letters and digits.")
        self._path = f"/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._authorization = Secret(basic(api_key or account_sid, secret_of(auth_token, "auth_token")))
        self._sender = sender
        self._template = whatsapp_template

    async def send(self, message: PhoneMessage) -> None:
        """Hand one message over. Raises SendingFailed."""
        prefix = "whatsapp:" if message.channel == "whatsapp" else ""
        values = {"To": prefix + message.to}
        if self._sender.startswith("MG"):
            values["MessagingServiceSid"] = self._sender
        else:
            values["From"] = prefix + self._sender
        if message.channel == "whatsapp" and self._template and message.code:
            values |= {"ContentSid": self._template, "ContentVariables": json.dumps({"1": message.code})}
        else:
            values["Body"] = message.text
        headers, body = as_form(values)
        await self._post(self._path, {**headers, "Authorization": self._authorization.reveal()}, body)


class VonageSender(Carrier):
    """SMS and WhatsApp by Vonage's Messages API (`v1`). `sender` is a number in digits or, for SMS, a name of up to 11 letters and digits."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        api_key: str,
        api_secret: Secret | str,
        sender: str,
        base_url: str = "https://api.nexmo.com",
    ) -> None:
        super().__init__(fetcher, base_url)
        self._authorization = Secret(basic(api_key, secret_of(api_secret, "api_secret")))
        self._sender = sender

    async def send(self, message: PhoneMessage) -> None:
        """Hand one message over. Raises SendingFailed."""
        headers, body = as_json(
            {
                "message_type": "text",
                "channel": message.channel,
                "to": message.to.removeprefix("+"),
                "from": self._sender,
                "text": message.text,
                "client_ref": message.message_id,
            }
        )
        await self._post("/v1/messages", {**headers, "Authorization": self._authorization.reveal()}, body)


class SNSSender(Carrier):
    """SMS by Amazon SNS (`Publish`, API version 2010-03-31). `sender_id` is shown where a country allows it. `clock` dates the signature."""

    def __init__(
        self,
        fetcher: Fetcher,
        credentials: AWSCredentials,
        *,
        sender_id: str | None = None,
        base_url: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(fetcher, base_url or f"https://sns.{credentials.region}.amazonaws.com")
        self._credentials = credentials
        self._sender_id = sender_id
        self._clock = clock or SystemClock()

    async def send(self, message: PhoneMessage) -> None:
        """Hand one SMS over. Raises SendingFailed, for WhatsApp always."""
        if message.channel != "sms":
            raise SendingFailed("This carrier sends SMS only.", retryable=False)
        values = {"Action": "Publish", "Version": "2010-03-31", "PhoneNumber": message.to, "Message": message.text}
        attributes = {"AWS.SNS.SMS.SMSType": "Transactional"}
        if self._sender_id:
            attributes["AWS.SNS.SMS.SenderID"] = self._sender_id
        for position, (name, value) in enumerate(attributes.items(), 1):
            entry = f"MessageAttributes.entry.{position}"
            values |= {
                f"{entry}.Name": name,
                f"{entry}.Value.DataType": "String",
                f"{entry}.Value.StringValue": value,
            }
        headers, body = as_form(values)
        signed = signed_headers(
            self._credentials,
            "sns",
            method="POST",
            host=self._host,
            path=self._root + "/",
            headers=headers,
            body=body,
            now=self._clock.now(),
        )
        await self._post("/", signed, body)

    def _refused(self, answer: FetchAnswer) -> SendingFailed:
        # Throttling comes as 400 with this code as well as with 429.
        return refusal(answer, retryable=True) if b"<Code>Throttl" in answer.body else super()._refused(answer)
