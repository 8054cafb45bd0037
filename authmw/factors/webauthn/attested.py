"""Attestation certificates (WebAuthn section 8): the form of an authenticator's certificate, and whose it is.

Law: configured roots are a policy (WAN-06): an authenticator that shows no certificate, or one that leads to none of them now, does not register.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_AAGUID_EXTENSION = "1.3.6.1.4.1.45724.1.1.4"
_OCTETS_OF_16 = b"\x04\x10"
MAXIMUM_CHAIN = 5


def check_trust(chain: object, roots: Collection[str], now: datetime) -> None:
    """Hold the certificates of a statement (DER, the authenticator's first; None for none) to the trusted roots (PEM), if there are any. Raises ValueError, or what the certificate library raises."""
    if chain is None:
        _require(not roots, "no certificate")
    elif roots:
        leaf, *between = _read(chain)
        _check_chain(leaf, between, roots, now)


def check_model(chain: object, aaguid: bytes) -> None:
    """Hold the certificate of a `packed` statement, if it has one, to the standard's form (section 8.2.1). Raises as `check_trust`."""
    if chain is not None:
        _check_form(_read(chain)[0], aaguid)


def _read(chain: object) -> list[Certificate]:
    from cryptography import x509

    _require(isinstance(chain, list) and 1 <= len(chain) <= MAXIMUM_CHAIN, "not a chain")  # pyright: ignore[reportUnknownArgumentType]
    return [x509.load_der_x509_certificate(one) for one in chain]  # type: ignore[attr-defined]  # a list, as required


def _check_form(leaf: Certificate, aaguid: bytes) -> None:
    from cryptography import x509
    from cryptography.x509.oid import NameOID, ObjectIdentifier

    _require(leaf.version is x509.Version.v3, "not a certificate of version 3")
    for oid in (NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        _require(bool(leaf.subject.get_attributes_for_oid(oid)), "a name is missing")
    units = [one.value for one in leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    _require(units == ["Authenticator Attestation"], "not an attestation certificate")
    _require(
        not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca, "a certificate of an authority"
    )
    try:
        said = leaf.extensions.get_extension_for_oid(ObjectIdentifier(_AAGUID_EXTENSION))
    except x509.ExtensionNotFound:
        return
    value = said.value.value if isinstance(said.value, x509.UnrecognizedExtension) else b""
    _require(not said.critical and value == _OCTETS_OF_16 + aaguid, "another model's certificate")


def _check_chain(leaf: Certificate, between: list[Certificate], roots: Collection[str], now: datetime) -> None:
    """Whether the chain ends at a root. Only authorities need constraints; what else a certificate may be used for is the web's business, not an authenticator's."""
    from cryptography import x509
    from cryptography.x509 import verification

    authorities = verification.ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, None
    )
    policy = (
        verification.PolicyBuilder()
        .store(verification.Store([x509.load_pem_x509_certificate(root.encode("ascii")) for root in roots]))
        .time(now)
        .extension_policies(ca_policy=authorities, ee_policy=verification.ExtensionPolicy.permit_all())
    )
    try:
        policy.build_client_verifier().verify(leaf, between)
    except verification.VerificationError:
        message = "The chain leads to no trusted root."
        raise ValueError(message) from None


def _require(condition: bool, fault: str) -> None:
    if not condition:
        raise ValueError(fault)
