"""People who arrive from another system with the hash of their password, in the state machine: new ones, known ones, and addresses and numbers that the host knows are theirs."""

from __future__ import annotations

import hashlib

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.passwords import PasswordMachine
from tests.model.people import ADDRESSES, Address, Person
from tests.model.phones import NUMBERS, PhoneMachine


class MigrationMachine(PasswordMachine, PhoneMachine):
    """Everything of the machine with passwords and numbers, and imports of them."""

    @rule(
        text=st.sampled_from(ADDRESSES),
        proved=st.booleans(),
        number=st.none() | st.sampled_from(NUMBERS),
        reached=st.booleans(),
    )
    def migrate_somebody(self, text: str, proved: bool, number: str | None = None, reached: bool = False) -> None:
        """MIG-01, MIG-04, ACC-05, A209: the host's word proves an address or (`reached`) a number as its owner would; without it the password is no factor before somebody does.

        A password that stands stays.
        """
        password, person = self._new_password(), self.person_at(text)
        taken = person is not None and "password" in person.parts
        digest = hashlib.sha512(f"{password}salt".encode()).hexdigest()
        expected = "password_already_exists" if taken else ""
        expected = expected or (
            "duplicate_phone_number" if number and self._is_anothers(number, person, reached) else ""
        )
        outcome = self.step(
            lambda side: side.call(
                side.auth.passwords.migrate(
                    email=text,
                    hash=digest,
                    hash_type="sha_512",
                    sha_512_config={"append_salt": "salt"},
                    set_email_verified=proved,
                    phone_number=number,
                    set_phone_number_verified=reached,
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
        if number is not None:
            self._brings_number(person, address, number, proved=reached)
        self._know(person, address)
        self._has_password(person, password, outcome)

    def _is_anothers(self, number: str, person: Person | None, reached: bool) -> bool:
        """Whether a number stands on somebody else and stays there: proof takes one that nobody has proved (ACC-05)."""
        holder = self.person_at(number)
        standing = holder.at(number) if holder is not None and holder is not person else None
        return standing is not None and (standing.verified or not reached)

    def _brings_number(self, person: Person, address: Address, text: str, *, proved: bool) -> None:
        """Beside the address that is brought along, which stays whoever made the account before."""
        number = person.at(text) or Address(self.name("number"), text)
        if proved and not number.verified:
            self.prove_address(person, number, own=False)
        elif person.at(text) is None:
            person.gain(number)
        if person.at(address.text) is None:
            person.gain(address)
        self._know(person, number)
