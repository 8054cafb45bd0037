"""The state machine with providers in it, and proof that it sees what could be wrong with linking (A209 to A227)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer.oauth import linking, operations
from authmw.consumer.users import operations as users
from authmw.factors.challenges import Challenge
from authmw.factors.oauth import rules
from authmw.operations import Call
from authmw.people import rules as people
from authmw.people.records import Part, Proved, User
from authmw.people.rules import prove_email
from tests.model.oauth import GITHUB, GOOGLE, OAuthMachine
from tests.model.people import ADDRESSES
from tests.model.planting import Plant, check_seen, nothing
from tests.model.test_machine import BOUNDED

ADA, BOB, EVE = ADDRESSES


def test_sign_in_by_providers_behaves_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: OA-07, OA-08, OA-11, OAU-06, ACC-01 to ACC-07, X-16, SES-01, SES-07, among everything that the machine does without them."""
    run_state_machine_as_test(OAuthMachine, settings=BOUNDED)


def _somebody_came_before(machine: OAuthMachine) -> None:
    """An account that a stranger made for an address, whose owner comes by the provider (A209)."""
    machine.sign_up_or_log_in(text=ADA, code=False)
    machine.prove_any_factor(index=0, method=("password", "knowledge"), join=None, minutes=1440)
    machine.enrol(machine.people[0], "webauthn")
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=False)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=True)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)


def _linked(machine: OAuthMachine) -> None:
    """Who proved an address here is who proves it there, once, and soon."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=False)
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=True)
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=True)
    machine.sign_in_as_who_came_back(index=1, join=0, minutes=60)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)
    machine.tick(seconds=301)
    machine.sign_in_as_who_came_back(index=2, join=None, minutes=60)
    machine.remove_an_own_identity(index=0, which=0)


def _before_the_owner(machine: OAuthMachine) -> None:
    """Whatever an account held before its address was proved by the provider dies then, and an address that is only named is nobody's."""
    machine.sign_up_or_log_in(text=ADA, code=False)
    machine.prove_any_factor(index=0, method=("password", "knowledge"), join=None, minutes=1440)
    machine.enrol(machine.people[0], "webauthn")
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=True)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    machine.sessions_live_as_the_model_says()
    machine.people_are_as_the_model_says()
    machine.an_import_names_an_address(index=0, text=BOB)
    machine.come_back_from_a_provider(provider=GITHUB, text=BOB, verified=True)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)


def _added(machine: OAuthMachine) -> None:
    """An identity that a session asks for comes back to that session, as long as it stands, and to nobody else."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.sign_in_by_a_new_link(text=BOB, minutes=1440)
    machine.add_an_identity(provider=GITHUB, text=EVE, verified=False, browser=True, index=0)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    machine.sign_in_as_who_came_back(index=0, join=0, minutes=60)
    machine.add_an_identity(provider=GITHUB, text=EVE, verified=False, browser=False, index=1)
    machine.add_an_identity(provider=GITHUB, text=BOB, verified=False, browser=False, index=1)
    machine.ask_to_add_an_address(index=1, text="dee@example.org")
    machine.follow_a_link(index=2, join=1, minutes=None)
    machine.remove_an_address(index=1, which=1)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)


def _alone(machine: OAuthMachine) -> None:
    """Whoever is reached by the provider only keeps it."""
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=False)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    machine.remove_an_own_identity(index=0, which=0)


# -- two providers


def _of_two(machine: OAuthMachine) -> None:
    """Somebody with an identity at each of two providers and nothing else signs in by each, and can lose either one, and not both (ACC-04)."""
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=False)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=1440)
    machine.tick(seconds=59)
    machine.add_an_identity(provider=GOOGLE, text=EVE, verified=False, browser=True, index=0, astray=True)
    machine.sign_in_as_who_came_back(index=1, join=0, minutes=None)
    machine.people_are_as_the_model_says()
    machine.tick(seconds=1)
    for provider, text in ((GITHUB, ADA), (GOOGLE, EVE)):
        machine.come_back_from_a_provider(provider=provider, text=text, verified=False)
    machine.sign_in_as_who_came_back(index=2, join=0, minutes=None)
    machine.sign_in_as_who_came_back(index=3, join=None, minutes=60)
    machine.prove_or_extend_a_session(index=0, minutes=60)
    machine.remove_an_own_identity(index=0, which=1)
    machine.people_are_as_the_model_says()
    machine.prove_or_extend_a_session(index=0, minutes=60)
    machine.remove_an_own_identity(index=0, which=0)


def _of_somebody_else(machine: OAuthMachine) -> None:
    """Whoever has one identity cannot add one that is another's, whose account stays apart (ACC-05)."""
    for number, (provider, text) in enumerate(((GITHUB, ADA), (GOOGLE, BOB))):
        machine.come_back_from_a_provider(provider=provider, text=text, verified=True)
        machine.sign_in_as_who_came_back(index=number, join=None, minutes=1440)
    machine.add_an_identity(provider=GOOGLE, text=EVE, verified=False, browser=False, index=0)
    machine.add_an_identity(provider=GITHUB, text=ADA, verified=False, browser=True, index=1)
    machine.come_back_from_a_provider(provider=GOOGLE, text=EVE, verified=False)
    machine.sign_in_as_who_came_back(index=3, join=None, minutes=60)
    machine.sign_in_as_who_came_back(index=2, join=None, minutes=60)


def _of_one_address(machine: OAuthMachine) -> None:
    """An address that both providers have verified makes their identities one person's; one that only looks alike is somebody else (A145, A146)."""
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=True)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    machine.come_back_from_a_provider(provider=GOOGLE, text=ADA, verified=True)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)
    machine.come_back_from_a_provider(provider=GITHUB, text=BOB, verified=False)
    machine.sign_in_as_who_came_back(index=2, join=None, minutes=60)
    machine.come_back_from_a_provider(provider=GOOGLE, text=BOB, verified=False)
    machine.sign_in_as_who_came_back(index=3, join=None, minutes=60)


async def _whoever(call: Call, attach_id: str) -> User | None:
    attach = await call.storage.get(Challenge, attach_id)
    return await call.storage.get(User, attach.subject_id) if attach else None


def _by_own_session(*args: Any, by_own_session: bool) -> Any:
    return prove_email(*args, by_own_session=True)


def _by_its_address(_: Any, profile: Any) -> tuple[str, ...]:
    return (profile.email,)


async def _merging(call: Call, result: Any, user: User) -> User | None:
    """Of somebody who has one identity already."""
    if not user.parts_of("oauth"):
        return await _owner(call, result, user)
    identity = rules.identity_of(linking.configured(call, result.provider), result.profile)
    return await linking.user_by_identity(call.storage, "oauth", *identity)


async def _at_any_provider(call: Call, token: str, _: str) -> Challenge:
    attach = await call.storage.find(Challenge, "digest", (operations.tokens.digest(token),))
    assert attach is not None
    return attach


def _the_only_one(user: User, part: Part) -> User:
    others = tuple(one for one in user.parts if one.kind != part.kind)
    return attrs.evolve(user, parts=(*others, part))


def _without_its_kind(user: User, part_id: str) -> User:
    gone = user.part(part_id)
    assert gone is not None
    people.without_part(user, part_id)
    return attrs.evolve(user, parts=tuple(one for one in user.parts if one.kind != gone.kind))


def _with_an_address(user: User) -> User:
    if not user.emails and not user.phones:
        raise people.Refused("cannot_delete_last_primary_factor")
    return user


_proved, _owner = linking._proved, linking._owner


def _of_the_first(call: Call, provider: Any, _: Part, user: User, result: Any) -> Proved:
    return _proved(call, provider, user.parts_of("oauth")[0], user, result)


PLANTS: dict[str, Plant[OAuthMachine]] = {
    "every address of a provider is proved": (_somebody_came_before, rules, "is_proof", lambda *_: True),
    "what came before the owner stays": (_before_the_owner, linking, "prove_email", _by_own_session),
    "an address that is only named links": (_before_the_owner, linking, "is_theirs", lambda *_, **__: True),
    "a landing token is good twice": (_linked, operations, "spent", lambda _, challenge: challenge),
    "a landing token outlives its time": (_linked, operations, "waiting_of", lambda challenge, *_: challenge),
    "what a session asked for comes to another": (_added, operations, "check_same_session", nothing),
    "somebody else's identity is added": (_added, linking, "_owner", nothing),
    "what is to be added outlives the sessions": (_added, linking, "attached_to", _whoever),
    "the last identity can go": (_alone, people, "_still_reachable", lambda subject: subject),
    "an identity takes the place of the other provider's": (_of_two, linking, "with_part", _the_only_one),
    "both identities go with one": (_of_two, users, "without_part", _without_its_kind),
    "one of two identities cannot go": (_of_two, people, "_still_reachable", _with_an_address),
    "one identity proves the other": (_of_two, linking, "_proved", _of_the_first),
    "what one provider is asked for comes from another": (_of_two, operations, "attaching", _at_any_provider),
    "somebody else's identity merges the two": (_of_somebody_else, linking, "_owner", _merging),
    "two providers with one address are one identity": (_of_one_address, linking, "identity_of", _by_its_address),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    check_seen(monkeypatch, OAuthMachine, PLANTS[plant])
