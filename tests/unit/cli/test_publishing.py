from __future__ import annotations

import pytest

from havre.cli.publishing import exposed, published
from havre.client.errors import ClientError


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("80", {"80/tcp": [("", "")]}),
        (":80", {"80/tcp": [("", "")]}),
        ("8080:80/UDP", {"80/udp": [("", "8080")]}),
        ("127.0.0.1::80", {"80/tcp": [("127.0.0.1", "")]}),
        ("[::1]:8080:80", {"80/tcp": [("::1", "8080")]}),
        ("::1:8080:80", {"80/tcp": [("::1", "8080")]}),
        ("8080-8081:80-81", {"80/tcp": [("", "8080")], "81/tcp": [("", "8081")]}),
        ("8080-8090:80", {"80/tcp": [("", "8080-8090")]}),
        ("published=8080,target=80,protocol=udp", {"80/udp": [("", "8080")]}),
        ("target=80", {"80/tcp": [("", "")]}),
    ],
)
def test_published(entry: str, wanted: dict[str, list[tuple[str, str]]]) -> None:
    found = {
        port: [(binding.get("HostIp"), binding.get("HostPort")) for binding in bindings or []]
        for port, bindings in published([entry]).items()
    }
    assert found == wanted


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("99999:80", "invalid hostPort: 99999"),
        ("x:80", "invalid hostPort: x"),
        ("80-70:80", "invalid hostPort: 80-70"),
        ("a:b", "invalid containerPort: b"),
        ("9" * 5000, "invalid containerPort: 9"),
        ("", "no port specified: <empty>"),
        ("80:", "no port specified: 80:<empty>"),
        ("1.2.3:80:80", "invalid IP address: 1.2.3"),
        ("80:80:80:80", "invalid IP address: 80:80"),
        ("80/xyz", "invalid proto: xyz"),
        ("80-82:90-91", "invalid ranges specified for container and host Ports: 90-91 and 80-82"),
        ("published=80,x,target=80", "invalid publish opts format (should be name=value but got 'x')"),
    ],
)
def test_what_cannot_be_published(entry: str, message: str) -> None:
    with pytest.raises(ClientError) as wrong:
        published([entry])
    assert str(wrong.value).startswith(message)


def test_exposed() -> None:
    assert exposed(["80", "90-91/udp"]) == ["80/tcp", "90/udp", "91/udp"]
    with pytest.raises(ClientError, match="invalid range format for --expose: x"):
        exposed(["x"])
