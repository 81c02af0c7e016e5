"""Field names in any letters: seen when there are some, and put right."""

import msgspec
import pytest

from havre.api.field_names import misspelt, named
from havre.wire.containers import CreateContainer
from havre.wire.networks import CreateNetwork


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"Image": "x", "HostConfig": {"CpuRealtimePeriod": 1000}}', False),
        (b'{"Image": "x", "HostConfig": {"CPURealtimePeriod": 1000}}', True),
        (b'{"image" : "x"}', True),
        (b'{"NetworkingConfig": {"EndpointsConfig": {"own": {"IPAMConfig": {"ipv4address": "10.0.0.2"}}}}}', True),
        (b'{"Labels": {"of-mine": "1", "mine": "2"}, "Unknown": 1, "unknown": 2}', False),
        (b'{"Cmd": ["image", "IMAGE"]}', False),
        (b"", False),
    ],
)
def test_fields_in_other_letters_are_seen(body: bytes, found: bool) -> None:  # noqa: FBT001  a parameter of the table
    assert misspelt(body, CreateContainer) is found


def test_names_are_of_the_request_that_is_read() -> None:
    body = b'{"IPAM": {"Config": [{"subnet": "10.0.0.0/24"}]}}'
    assert misspelt(body, CreateNetwork)
    assert not misspelt(body, CreateContainer)


def test_fields_come_under_their_names_and_labels_keep_theirs() -> None:
    asked = {"HOSTCONFIG": {"CPURealtimeRuntime": 500, "mounts": [{"readonly": True}]}, "labels": {"Memory": "1"}}
    proper = {"HostConfig": {"CpuRealtimeRuntime": 500, "Mounts": [{"ReadOnly": True}]}, "Labels": {"Memory": "1"}}
    assert named(asked, CreateContainer) == proper


def test_what_is_too_deep_is_left_to_the_reader() -> None:
    deep = msgspec.json.decode(b"[" * 500 + b"]" * 500)
    assert named(deep, CreateContainer) == deep
