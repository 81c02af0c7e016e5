from __future__ import annotations

import pytest

from havre.volumes.driver import split_options, with_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, "")),
        ("size=1m,uid=5", (0, "size=1m,uid=5")),
        ("ro,nosuid", (3, "")),
        ("bind", (4096, "")),
        ("rbind,rw", (4096 | 16384, "")),
        ("addr=h,nfsvers=4,noatime", (1024, "addr=h,nfsvers=4")),
    ],
)
def test_flags_and_the_rest(text: str, expected: tuple[int, str]) -> None:
    assert split_options(text) == expected


def test_the_server_of_a_network_file_system_is_named_by_number() -> None:
    assert with_address("addr=localhost,vers=4") in {"addr=127.0.0.1,vers=4", "addr=::1,vers=4"}
    assert with_address("vers=4") == "vers=4"
    assert split_options("rbind,nosuid,rshared,mand,vers=4")[1] == "vers=4"
