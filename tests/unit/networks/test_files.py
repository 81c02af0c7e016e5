from __future__ import annotations

from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.networks import files
from havre.networks.files import host_hosts_file, hosts_file, read_host_resolv_conf, resolv_conf


def test_hosts_of_a_sandbox_on_the_bridge() -> None:
    made = hosts_file(hostname="abc", addresses=["172.17.0.2"], extra=[("10.0.0.9", "db")])
    assert made == (
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::\tip6-localnet\n"
        "ff00::\tip6-mcastprefix\n"
        "ff02::1\tip6-allnodes\n"
        "ff02::2\tip6-allrouters\n"
        "10.0.0.9\tdb\n"
        "172.17.0.2\tabc\n"
    )


def test_hosts_without_ipv6_and_with_a_domain() -> None:
    made = hosts_file(hostname="web", domainname="example.org", addresses=["172.17.0.3"], ipv6=False)
    assert made == "127.0.0.1\tlocalhost\n172.17.0.3\tweb.example.org web\n"
    assert "172.17.0.3\ta.b.c a\n" in hosts_file(hostname="a.b.c", addresses=["172.17.0.3"])


def test_hosts_without_a_network() -> None:
    assert hosts_file(hostname="lonely", ipv6=False) == "127.0.0.1\tlocalhost\n"


@pytest.mark.parametrize("name", ["a\n1.2.3.4 b", "a\tb", "a\0", "", " a", "a#b", "a\x85b", "a\u2028b", "a\x1b[2J"])
def test_no_line_can_be_forged(name: str) -> None:
    """R-19."""
    with pytest.raises(InvalidInput):
        hosts_file(hostname="h", extra=[("1.2.3.4", name)])
    with pytest.raises(InvalidInput):
        hosts_file(hostname=name, addresses=["1.2.3.4"])
    with pytest.raises(InvalidInput):
        resolv_conf("", search=[name])
    with pytest.raises(InvalidInput):
        resolv_conf("", options=[name])


@pytest.mark.parametrize(
    "address", ["", "1.2.3", "1.2.3.4\nnameserver 6.6.6.6", "fe80::1%a\nb", "fe80::1%a b", "01.2.3.4"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="IP address"):
        hosts_file(hostname="h", extra=[(address, "name")])
    with pytest.raises(InvalidInput, match="IP address"):
        resolv_conf("", servers=[address])


def test_the_hosts_file_of_the_host_is_kept_and_grows() -> None:
    assert host_hosts_file("127.0.0.1 box") == "127.0.0.1 box"
    assert host_hosts_file("127.0.0.1 box", [("10.0.0.9", "db")]) == "127.0.0.1 box\n10.0.0.9\tdb\n"


def test_servers_out_of_reach_are_left_out() -> None:
    servers = "nameserver 127.0.0.53\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\n"
    host = f"# made\n{servers}search a.org b.org\noptions edns0 trust-ad\n"
    assert resolv_conf(host) == "nameserver 10.0.0.1\nsearch a.org b.org\noptions edns0 trust-ad\n"


@pytest.mark.parametrize("host", ["", "nameserver 127.0.0.1\n", "nameserver ::1\n", "nameserver nonsense\n"])
def test_public_servers_stand_in_when_none_is_left(host: str) -> None:
    assert resolv_conf(host) == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"


def test_in_the_hosts_namespace_its_own_servers_do() -> None:
    assert resolv_conf("nameserver 127.0.0.53\n", own_namespace=False) == "nameserver 127.0.0.53\n"


def test_what_is_given_replaces_its_part_alone() -> None:
    host = "nameserver 10.0.0.1\ndomain a.org\noptions edns0\n"
    assert resolv_conf(host, servers=["127.0.0.1", "9.9.9.9"]) == (
        "nameserver 127.0.0.1\nnameserver 9.9.9.9\nsearch a.org\noptions edns0\n"
    )
    assert resolv_conf(host, search=["b.org"], options=["ndots:2"]) == (
        "nameserver 10.0.0.1\nsearch b.org\noptions ndots:2\n"
    )
    assert "search" not in resolv_conf(host, search=["."])


def test_behind_the_stub_resolver_the_real_servers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    real.write_text("nameserver 10.0.0.1\n")
    monkeypatch.setattr(files, "_STUB_REAL", real)
    assert read_host_resolv_conf(stub) == "nameserver 10.0.0.1\n"
    assert read_host_resolv_conf(real) == "nameserver 10.0.0.1\n"
    real.unlink()
    assert read_host_resolv_conf(stub) == "nameserver 127.0.0.53\n"
    assert read_host_resolv_conf(tmp_path / "absent") == ""
