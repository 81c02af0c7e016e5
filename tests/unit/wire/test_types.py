"""Every shape reads what Go reads: nulls, missing and unknown fields."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import typing
from pathlib import Path

import msgspec
import pytest

import havre.wire

MODULES = [importlib.import_module(f"havre.wire.{found.name}") for found in pkgutil.iter_modules(havre.wire.__path__)]
SHAPES = [
    shape
    for module in MODULES
    for shape in vars(module).values()
    if typing.is_typeddict(shape) and shape.__module__ == module.__name__
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_null_is_accepted_for_every_field(shape: type) -> None:
    fields = typing.get_type_hints(shape)
    assert fields
    body = msgspec.json.encode({**dict.fromkeys(fields), "NoSuchField": [{"a": None}]})
    assert msgspec.json.decode(body, type=shape) == dict.fromkeys(fields)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_no_field_is_required(shape: type) -> None:
    assert msgspec.json.decode(b"{}", type=shape) == {}


def test_events_have_the_field_that_is_a_word_of_python() -> None:
    from havre.wire.events import EventMessage

    assert msgspec.json.decode(b'{"from":"busybox"}', type=EventMessage) == {"from": "busybox"}


def test_importing_all_of_wire_loads_nothing_but_typing() -> None:
    """The command line pays for every import."""
    names = ",".join(module.__name__ for module in MODULES)
    script = (
        "import sys, typing, json, collections.abc; before = set(sys.modules)\n"
        f"import {names}\n"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('havre')))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(havre.wire.__path__[0]).parents[1])},
    )
    assert found.stdout.split() == []
