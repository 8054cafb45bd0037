"""What machines may hold and ask for, for every set of scopes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.crypto import client_secrets as secrets
from authmw.crypto.client_secrets import ClientSecrets
from authmw.crypto.roots import RootKeys
from authmw.errors import Refused
from authmw.platform.m2m.rules import checked_scopes, covers, granted_scopes

words = st.text(st.sampled_from("abc:*"), min_size=1, max_size=6)
scopes = st.lists(words, max_size=6)
ROOTS = RootKeys((b"k" * 32,))


@given(scopes, scopes)
def test_a_token_never_says_more_than_is_assigned(assigned: list[str], asked: list[str]) -> None:
    try:
        granted = granted_scopes(assigned, asked)
    except Refused as refused:
        assert refused.error_type == "invalid_scope"
        assert not set(asked) <= set(assigned)
    else:
        assert set(granted) == (set(asked) or set(assigned))


@given(scopes, scopes)
def test_scopes_cover_themselves_and_more_scopes_cover_no_less(held: list[str], more: list[str]) -> None:
    assert covers(held, held)
    assert covers([*held, *more], held)
    assert covers(held, [])


@given(words, words)
def test_a_star_stands_for_every_resource_of_its_action_only(action: str, other: str) -> None:
    action, other = action.replace(":", ""), other.replace(":", "")
    assert covers([f"{action}:*"], [f"{action}:anything"])
    assert covers([f"{action}:*"], [f"{other}:anything"]) == (action == other)
    assert not covers(["*"], [f"{action}:anything"])


@given(scopes)
def test_scopes_stand_once_each_in_their_order(given_scopes: list[str]) -> None:
    checked = checked_scopes(given_scopes)
    assert checked == tuple(dict.fromkeys(given_scopes))


@given(st.text(max_size=40), st.text(max_size=40))
def test_only_the_clients_own_secrets_hold(one: str, other: str) -> None:
    held = ClientSecrets(current=secrets.keep(ROOTS, "a", one))
    assert secrets.holds(ROOTS, "a", held, one)
    assert secrets.holds(ROOTS, "a", held, other) == (one == other)
    assert not secrets.holds(ROOTS, "b", held, one)
    assert not secrets.holds(ROOTS, "a", None, one)
    assert not secrets.holds(ROOTS, "a", ClientSecrets(), one)
    assert not secrets.holds(RootKeys((b"n" * 32,)), "a", held, one)


@given(st.lists(st.sampled_from(["start", "cancel", "rotate"]), max_size=12))
def test_a_rotation_has_one_way_through_it(steps: list[str]) -> None:
    """A state machine of two states: whatever the order of calls, there is always a current secret and at most one more."""
    kept = ClientSecrets(current=secrets.keep(ROOTS, "a", "0"))
    rotating = False
    for number, step in enumerate(steps, 1):
        following = secrets.keep(ROOTS, "a", str(number))
        legal = rotating != (step == "start")
        try:
            kept = (
                secrets.started(kept, following, "bad_request")
                if step == "start"
                else secrets.cancelled(kept, "bad_request")
                if step == "cancel"
                else secrets.rotated(kept, "bad_request")
            )
        except Refused:
            assert not legal
        else:
            assert legal
            rotating = step == "start"
        assert kept.current is not None
        assert (kept.following is not None) == rotating


@pytest.mark.parametrize("secret", ["aaaaaaaa", "abababababab", "11112222"])
def test_a_monotonous_secret_is_refused(secret: str) -> None:
    with pytest.raises(Refused, match="insecure"):
        secrets.check_strength(secret, short="bad_request", long="bad_request", weak="insecure_m2m_client_secret")
