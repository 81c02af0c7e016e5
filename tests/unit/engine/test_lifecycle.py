from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import Conflict
from havre.engine.lifecycle import ALIVE, TRANSITIONS, State, Verb, after, may


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", Verb)
def test_every_verb_in_every_state_is_in_the_table_or_a_conflict(state: State, verb: Verb) -> None:
    if (state, verb) in TRANSITIONS:
        assert may(state, verb)
        assert after(state, verb) is TRANSITIONS[state, verb]
    else:
        assert not may(state, verb)
        with pytest.raises(Conflict, match=rf"cannot {verb} a container that is {state}"):
            after(state, verb)


@given(st.lists(st.sampled_from(Verb), max_size=40))
def test_any_history_keeps_the_invariants(verbs: list[Verb]) -> None:
    state, started, ended = State.CREATED, 0, 0
    for verb in verbs:
        if not may(state, verb):
            continue
        before, state = state, after(state, verb)
        started += verb is Verb.START
        ended += verb is Verb.EXIT
        # A process exists exactly between a start and its end.
        assert (state in ALIVE) == (started > ended)
        assert started - ended in {0, 1}
        # What lives is never removed, and what is going never lives again.
        if verb is Verb.REMOVE:
            assert before not in ALIVE
        if before in {State.REMOVING, State.DEAD}:
            assert state in {State.REMOVING, State.DEAD}


def test_every_state_can_be_left_for_removal_in_the_end() -> None:
    reachable = {State.REMOVING}
    while True:
        more = {state for (state, _), target in TRANSITIONS.items() if target in reachable} | reachable
        if more == reachable:
            break
        reachable = more
    assert reachable == set(State)
