from __future__ import annotations

import pytest

from havre.base import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_carries_its_sentence(kind: type[errors.HavreError]) -> None:
    error = kind("cannot do this to that")
    assert isinstance(error, errors.HavreError)
    assert error.message == str(error) == "cannot do this to that"
    assert kind.__doc__


def test_the_meanings_are_apart() -> None:
    meanings = [kind for kind in KINDS if kind is not errors.HavreError]
    assert len(meanings) == 10
    assert all(kind.__bases__ == (errors.HavreError,) for kind in meanings)
