"""The answers of TOTPs."""

from __future__ import annotations

import msgspec

from authmw.consumer.answers import SignInResponse, UserAnswer
from authmw.operations import Response


class CreateResponse(Response, kw_only=True):
    """A new instance: its secret in base32, the same as a QR picture (a PNG as data URL), and its recovery codes. All three are told here only."""

    totp_id: str
    secret: str
    qr_code: str
    recovery_codes: list[str]
    user: UserAnswer
    user_id: str


class TOTPSignInResponse(SignInResponse, kw_only=True):
    """A sign-in by an authenticator app or a recovery code."""

    totp_id: str


class TOTPWithCodes(msgspec.Struct, kw_only=True):
    """An instance with the recovery codes that are left."""

    totp_id: str
    verified: bool
    recovery_codes: list[str]


class RecoveryCodesResponse(Response, kw_only=True):
    """The recovery codes of a user."""

    user_id: str
    totps: list[TOTPWithCodes]
