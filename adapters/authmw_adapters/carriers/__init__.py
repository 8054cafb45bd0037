"""Carriers of messages over HTTP."""

from __future__ import annotations

from authmw_adapters.carriers.aws import AWSCredentials
from authmw_adapters.carriers.emails import MailgunSender, PostmarkSender, ResendSender, SendGridSender, SESSender
from authmw_adapters.carriers.phones import SNSSender, TwilioSender, VonageSender

__all__ = [
    "AWSCredentials",
    "MailgunSender",
    "PostmarkSender",
    "ResendSender",
    "SESSender",
    "SNSSender",
    "SendGridSender",
    "TwilioSender",
    "VonageSender",
]
