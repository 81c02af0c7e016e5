from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from havre.base.errors import HavreError, InvalidInput, NotSupported
from havre.daemon import config as config_module
from havre.daemon.config import Config, load_config
from havre.daemon.options import BY_FLAG
from havre.daemon.settings import network_settings
from havre.daemon.values import Pool, Ulimit

SPEC = Path("/work/shared/spec")


@pytest.fixture(autouse=True)
def no_file_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "DEFAULT_FILE", tmp_path / "none.json")
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    monkeypatch.delenv("DOCKER_CERT_PATH", raising=False)


def load(folder: Path, content: object, *words: str) -> Config:
    path = folder / "daemon.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return load_config(["--config-file", str(path), *words])


def test_defaults() -> None:
    config = load_config([])
    assert config.hosts == ("unix:///run/havre.sock",)
    assert (config.data_root, config.exec_root) == (Path("/var/lib/havre"), Path("/run/havre"))
    assert config.pidfile == Path("/run/havred.pid")
    assert config.live_restore
    assert config.shutdown_timeout_s == 15
    assert config.containers.shm_size_bytes == 64 << 20
    assert config.containers.log_driver == "json-file"
    assert config.network.mtu == 1500
    assert config.tls.wanted is None


def test_the_file_and_the_command_line_join(tmp_path: Path) -> None:
    content = {
        "debug": True,
        "hosts": ["unix:///x"],
        "log-opts": {"max-size": "1m", "max-file": 3},
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}},
        "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}],
        "dns": ["1.1.1.1"],
        "live-restore": False,
        "default-shm-size": "128M",
        "features": {"x": True},
        "builder": {"gc": {"enabled": True}},
        "labels": None,
    }
    config = load(tmp_path, content, "--mtu", "1400", "--default-runtime", "runc")
    assert config.debug
    assert config.hosts == ("unix:///x",)
    assert config.containers.log_options == {"max-size": "1m", "max-file": "3"}
    assert config.containers.ulimits == (Ulimit("nofile", 1, 2),)
    assert config.containers.shm_size_bytes == 128 << 20
    assert config.network.pools == (Pool("10.0.0.0/8", 24),)
    assert (config.network.mtu, config.network.dns) == (1400, ("1.1.1.1",))
    assert not config.live_restore


def test_unknown_keys_are_told_in_docker_s_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as wrong:
        load(tmp_path, {"nosuch": 1, "another": 2, "debug": True})
    assert wrong.value.message == (
        f"unable to configure the Docker daemon with file {tmp_path}/daemon.json: "
        "the following directives don't match any configuration option: another, nosuch"
    )


def test_flag_and_file_may_not_say_the_same(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as wrong:
        load(tmp_path, {"debug": True, "labels": ["a=b"]}, "--debug=false", "--label", "c=d")
    assert wrong.value.message.endswith(
        "the following directives are specified both as a flag and in the configuration file: "
        "debug: (from flag: false, from file: true), labels: (from flag: [c=d], from file: [a=b])"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "malformed|truncated"),
        ("[]", "Expected `object`"),
        ('{"debug": "yes"}', "cannot unmarshal string into field debug of type bool"),
        ('{"hosts": "unix:///x"}', "cannot unmarshal string into field hosts of type list"),
        ('{"hosts": [1]}', "no string"),
        ('{"mtu": "1"}', "cannot unmarshal string into field mtu of type int"),
        ('{"mtu": true}', "cannot unmarshal bool into field mtu of type int"),
        ('{"mtu": 1.5}', "cannot unmarshal number into field mtu of type int"),
        ('{"log-opts": []}', "cannot unmarshal array into field log-opts of type map"),
        ('{"data-root": {}}', "cannot unmarshal object into field data-root of type string"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "recursion|match any"),
        ('{"x": "' + "y" * (1 << 20) + '"}', "larger than"),
    ],
)
def test_a_broken_file(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InvalidInput, match="unable to configure the Docker daemon with file") as wrong:
        load(tmp_path, content)
    assert re.search(message, wrong.value.message)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file or directory"):
        load_config(["--config-file", str(tmp_path / "nosuch.json")])


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, " \n").hosts == ("unix:///run/havre.sock",)


@pytest.mark.parametrize(
    "words",
    [
        ["--log-level", "loud"],
        ["--log-driver", "fluentd"],
        ["--log-format", "xml"],
        ["--label", "x"],
        ["--label", "a=1", "--label", "a=2"],
        ["--bridge", "b", "--bip", "10.0.0.1/24"],
        ["--icc=false", "--iptables=false"],
        ["--mtu", "-1"],
        ["--default-shm-size", "lots"],
        ["--default-shm-size", "-1"],
        ["--default-ulimit", "nofile"],
        ["--default-ulimit", "nofile=2:1"],
        ["--default-ulimit", "=1"],
        ["--default-address-pool", "10.0.0.0/8"],
        ["--default-address-pool", "base=10.0.0.0/8,size=99"],
        ["--default-cgroupns-mode", "x"],
        ["--default-ipc-mode", "host"],
        ["--log-opt", "max-size"],
    ],
)
def test_wrong_values(words: list[str]) -> None:
    with pytest.raises(InvalidInput):
        load_config(words)


@pytest.mark.parametrize(
    "words",
    [
        ["--authorization-plugin", "x"],
        ["--storage-driver", "btrfs"],
        ["--exec-opt", "native.cgroupdriver=systemd"],
        ["--userns-remap", "default"],
        ["--metrics-addr", "127.0.0.1:1"],
        ["--selinux-enabled"],
        ["--default-gateway-v6", "fd00::1"],
        ["--rootless"],
    ],
)
def test_what_would_be_ignored_stops_the_start(words: list[str]) -> None:
    with pytest.raises(NotSupported, match="not available in this version of Havre"):
        load_config(words)


def test_what_is_accepted() -> None:
    load_config(
        [
            "--storage-driver=overlay2",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--userland-proxy=false",
            "--userland-proxy-path=/x",
            "--containerd=/run/containerd.sock",
            "--experimental",
            "--selinux-enabled=false",
            "--default-runtime=runc",
            "--ip6tables=false",
        ]
    )


def test_networks_of_users(tmp_path: Path) -> None:
    said = ["--default-network-opt=bridge=a=b", "--default-network-opt=bridge=c=d=e", "--publish-allowed=80"]
    network = load_config([*said, "--publish-allowed", "8000-8100/udp", "--publish-past-firewall"]).network
    assert network.options == {"bridge": {"a": "b", "c": "d=e"}}
    assert [(each.protocol, each.first, each.last) for each in network.allowed] == [
        ("tcp", 80, 80),
        ("udp", 8000, 8100),
    ]
    assert network.past_firewall
    assert load(tmp_path, {"default-network-opts": {"bridge": {"a": "b"}}}).network.options == {"bridge": {"a": "b"}}
    assert not load(tmp_path, {}).network.past_firewall
    pools = load(tmp_path, {"default-address-pools": [{"base": "fd00::/48", "size": 64}]}).network.pools
    assert network_settings(
        load(tmp_path, {"default-address-pools": [{"base": "fd00::/48", "size": 64}]}).network
    ).pools
    assert pools[0].size == 64
    for wrong in (["--publish-allowed=0"], ["--publish-allowed=9-8"], ["--publish-allowed=80/icmp"]):
        with pytest.raises(InvalidInput):
            load_config(wrong)
    with pytest.raises(InvalidInput, match="default-network-opt"):
        load_config(["--default-network-opt=bridge"])
    with pytest.raises(InvalidInput, match="pairs of strings"):
        load(tmp_path, {"default-network-opts": {"bridge": {"a": 5}}})


def test_tls() -> None:
    assert load_config(["--tlsverify"]).tls.wanted is True
    assert load_config(["--tlsverify"]).tls.verify
    assert load_config(["--tls"]).tls == load_config(["--tls=true"]).tls
    assert not load_config(["--tls"]).tls.verify
    assert load_config(["--tls=false"]).tls.wanted is False
    assert load_config(["--tlscert", "/c", "--tlskey", "/k"]).tls.key == Path("/k")


def test_a_running_daemon_takes_over_what_may_change(tmp_path: Path) -> None:
    before = load(tmp_path, {"debug": False, "mtu": 1400})
    (tmp_path / "daemon.json").write_text('{"debug": true, "mtu": 1300, "live-restore": false, "shutdown-timeout": 3}')
    after = load_config(["--config-file", str(tmp_path / "daemon.json")], before)
    assert (after.debug, after.live_restore, after.shutdown_timeout_s, after.network.mtu) == (True, False, 3, 1400)


@pytest.mark.parametrize("option", BY_FLAG.values(), ids=lambda option: option.flag)
def test_no_flag_ends_in_a_traceback(option: object) -> None:
    name = str(getattr(option, "flag", ""))
    for value in ("", "x", "1", "a=b", "=", "\0", "٣", "9" * 40, "true", "base=1,size=2"):
        try:
            load_config([f"--{name}={value}"])
        except HavreError:
            continue
