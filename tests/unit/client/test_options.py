from __future__ import annotations

import pytest

from havre.client.options import Options, request_of


def test_nothing_wished_leaves_the_image_its_own() -> None:
    body = request_of("busybox", (), {})
    assert "Cmd" not in body
    assert "Entrypoint" not in body
    assert (body.get("HostConfig") or {}).get("NetworkMode") == "default"


@pytest.mark.parametrize(
    ("inside", "outside", "port", "binding"),
    [
        (80, 8080, "80/tcp", ("", "8080")),
        ("53/udp", "127.0.0.1:53", "53/udp", ("127.0.0.1", "53")),
        (80, 0, "80/tcp", ("", "")),
        (80, "[::1]:80", "80/tcp", ("::1", "80")),
    ],
)
def test_ports(inside: int | str, outside: int | str, port: str, binding: tuple[str, str]) -> None:
    host = request_of("busybox", (), {"ports": {inside: outside}}).get("HostConfig") or {}
    assert host.get("PortBindings") == {port: [{"HostIp": binding[0], "HostPort": binding[1]}]}


def test_a_restart_policy_has_a_count() -> None:
    host = request_of("busybox", (), {"restart": "on-failure:3"}).get("HostConfig") or {}
    assert host.get("RestartPolicy") == {"Name": "on-failure", "MaximumRetryCount": 3}


def test_the_api_s_own_words_win() -> None:
    wished: Options = {"user": "1", "config": {"User": "2"}, "host": {"NetworkMode": "none"}, "entrypoint": ["sh"]}
    body = request_of("busybox", ["x"], wished)
    assert (body.get("User"), body.get("Cmd"), body.get("Entrypoint")) == ("2", ["x"], ["sh"])
    assert (body.get("HostConfig") or {}).get("NetworkMode") == "none"
