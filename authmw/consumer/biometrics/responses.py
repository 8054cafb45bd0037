"""The answers of device keys."""

from __future__ import annotations

from authmw.consumer.answers import SignInResponse
from authmw.operations import Response


class BiometricStartResponse(Response, kw_only=True):
    """What the device signs: 32 bytes in base64."""

    biometric_registration_id: str
    challenge: str


class BiometricSignInResponse(SignInResponse, kw_only=True):
    """A registration or a sign-in."""

    biometric_registration_id: str
