"""The wallet of the sandbox, for trying an integration (Test only): a fixed signature, which is that of no text, signs the sandbox's user in.

Law: no text is asked for or spent, no browser is signed in by it, and Live knows none of these values.
"""

from __future__ import annotations

from authmw.consumer.crypto_wallets.parts import part_of, proved
from authmw.operations import Call
from authmw.people.directory import stored_sandbox_user
from authmw.people.rules import with_part
from authmw.signin.complete import Proof
from authmw.storage import Insert

ADDRESS = "0x6df2dB4Fb3DA35d241901Bd53367770BF03123f1"
_BEGINNING = "0x0c4f82edc3c818b6beff4b89e0682994e5878074609903cecdfb"
_SIGNATURES = frozenset(
    {
        _BEGINNING,
        _BEGINNING + "843241728be32f75949e2fbae63dcccdef97c0e3789a26441f7e11456cc1f2ef79b3a436010f1b",
    }
)
"""What the vendor's own suites sign with: a whole signature, or only how it begins."""
_WALLET = "crypto-wallet-test-6f0c1d52-3f0e-4b6f-8a53-0d2f6c8b7e94"


def in_sandbox(call: Call, address: str, signature: str) -> bool:
    """Whether a canonical address and a signature are the sandbox's."""
    settings = call.settings
    known = address == ADDRESS and signature in _SIGNATURES
    return known and settings.sandbox and not settings.live and call.caller.audience != "browser"


async def sandbox_proof(call: Call) -> Proof:
    """The sign-in of the sandbox's user, who has this wallet from the first one on."""
    user, made = await stored_sandbox_user(call)
    part = user.part(_WALLET) or part_of(_WALLET, "ethereum", ADDRESS, call.now)
    after = user if user.part(_WALLET) else with_part(user, part)
    before, writes = (after, (Insert(after),)) if made else (user, ())
    return Proof(before=before, after=after, factor=proved(part, call.now), writes=writes)
