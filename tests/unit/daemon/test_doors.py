from __future__ import annotations

from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.daemon.config_file import FileValue
from havre.daemon.doors import Door, parse_doors


def test_flags_and_objects() -> None:
    assert parse_doors(["path=/run/r.sock,role=read,group=g,label=team=a"]) == (
        Door(Path("/run/r.sock"), "read", "g", ("team", "a")),
    )
    objects: list[FileValue] = [{"path": "/run/x.sock", "role": "run"}]
    assert parse_doors(objects) == (Door(Path("/run/x.sock"), "run"),)
    assert parse_doors(["path=/a"])[0].role == "read"
    assert parse_doors(None) == ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("path=x", "is no absolute path"),
        ("path=/x,role=king", "role 'king' is none of read, run, admin"),
        ("path=/x,colour=red", "unknown key 'colour'"),
        ("path=/x,label=team", "invalid label"),
        ({"path": 5}, "every value is a text"),
    ],
)
def test_refusals(value: FileValue, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_doors([value])
