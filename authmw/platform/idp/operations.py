"""Being the provider: one product, of its two halves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from authmw.operations import Core
from authmw.people.records import Subject
from authmw.platform.idp import browser
from authmw.platform.idp.authorization import OAuth
from authmw.platform.idp.client_documents import Documents
from authmw.platform.idp.devices import Devices
from authmw.platform.idp.registration import Registration
from authmw.platform.idp.tokens import Tokens
from authmw.rows import Row
from authmw.signin.keys import KeyRing


class IDP(Tokens):
    """Tokens for apps, and under `oauth` how people grant them. `show` tells a person the way the tree of this project does."""

    def __init__(self, core: Core, keys: KeyRing, show: Callable[[Subject, datetime], Any]) -> None:
        super().__init__(core, keys)
        documents = Documents()
        self.oauth = OAuth(core, keys, documents, show)
        self.registration = Registration(core, documents)
        self.devices = Devices(core, keys, documents, show)

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)
