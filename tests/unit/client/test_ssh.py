from __future__ import annotations

import pytest

from havre.client.connection import Address
from havre.client.errors import ClientError
from havre.client.ssh import ssh_command


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("box", "-- box docker"),
        ("box/", "-- box docker"),
        ("me@box:2222", "-p 2222 -l me -- box docker"),
        ("me@[::1]:22", "-p 22 -l me -- ::1 docker"),
        ("[::1]", "-- ::1 docker"),
        ("box/run/other.sock", "-- box docker --host unix:///run/other.sock"),
        ("-oProxyCommand=x", "-- -oProxyCommand=x docker"),
    ],
)
def test_commands(text: str, options: str) -> None:
    assert " ".join(ssh_command(text)) == f"ssh -T {options} system dial-stdio"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("me:secret@box", "plain-text password is not supported"),
        ("", "hostname is empty"),
        ("me@", "hostname is empty"),
        (":22", "hostname is empty"),
        ("box:port", "invalid port"),
        ("box:65536", "invalid port"),
    ],
)
def test_what_is_no_address_never_reaches_ssh(text: str, why: str) -> None:
    with pytest.raises(ClientError, match=f"invalid SSH URL: {why}"):
        Address(f"ssh://{text}")
