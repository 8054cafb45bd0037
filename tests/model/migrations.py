"""People who arrive from another system with the hash of their password, in the state machine: new ones, known ones, and addresses that the host knows are theirs."""

from __future__ import annotations

import hashlib

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.passwords import PasswordMachine
from tests.model.people import ADDRESSES, Address, Person


class MigrationMachine(PasswordMachine):
    """Everything of the machine with passwords, and imports of them."""

    @rule(text=st.sampled_from(ADDRESSES), proved=st.booleans())
    def migrate_somebody(self, text: str, proved: bool) -> None:
        """MIG-01, ACC-05, A209: the host's word proves an address as its owner would; without it the password is no factor before somebody does. One that stands stays."""
        password, person = self._new_password(), self.person_at(text)
        taken = person is not None and "password" in person.parts
        digest = hashlib.sha512(f"{password}salt".encode()).hexdigest()
        expected = "password_already_exists" if taken else ""
        outcome = self.step(
            lambda side: side.call(
                side.auth.passwords.migrate(
                    email=text,
                    hash=digest,
                    hash_type="sha_512",
                    sha_512_config={"append_salt": "salt"},
                    set_email_verified=proved,
                )
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        if person is None:
            person = Person(self.name("person"), [Address(self.name("address"), text)])
            self.people.append(person)
        address = person.at(text)
        assert address is not None
        if proved and not address.verified:
            self.prove_address(person, address, own=False)
        self._know(person, address)
        self._has_password(person, password, outcome)
