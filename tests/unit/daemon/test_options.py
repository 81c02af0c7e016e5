"""Each flag of dockerd and key of daemon.json changes something, or is refused by its name, or stands in a list."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from havre.base.errors import HavreError, InvalidInput, NotSupported
from havre.daemon import config as config_module
from havre.daemon.config import RELOADED_KEYS, Config, load_config
from havre.daemon.options import BY_FLAG, BY_KEY, Kind

SPEC = Path("/work/shared/spec")
DOCS = Path(__file__).parents[3] / "docs/daemon.md"
NOT_CONFIGURATION = {"config-file", "help", "validate", "version"}
WITHOUT_EFFECT = {
    "allow-nondistributable-artifacts", "builder", "containerd", "containerd-namespace", "containerd-plugin-namespace",
    "cri-containerd", "experimental", "features", "firewall-backend", "ip6tables", "min-api-version",
    "network-control-plane-mtu", "node-generic-resources", "raw-logs", "storage-driver", "storage-opts", "exec-opts",
    "swarm-default-advertise-addr", "swarm-raft-election-tick", "swarm-raft-heartbeat-tick", "userland-proxy",
    "userland-proxy-path",
}  # fmt: skip
"""Accepted; docs/daemon.md says what each means here."""

REFUSED = {
    "api-cors-header", "authorization-plugins", "cpu-rt-period", "cpu-rt-runtime", "default-gateway-v6", "metrics-addr",
    "network-diagnostic-port", "rootless", "selinux-enabled", "userns-remap",
}  # fmt: skip
"""Known, but the start stops: each promises something that Havre does not do."""

UNKNOWN = {
    *("cluster-advertise", "cluster-store", "cluster-store-opts", "deprecated-key-path", "graph", "oom-score-adjust"),
    *("bridge-accept-fwmark", "default-stop-timeout", "nri-opts"),
}
"""What Docker 28 does not know either: gone before it, or come after it."""

VALUES: dict[str, Any] = {
    "add-runtime": {"x": {"path": "/x"}},
    "api-sockets": [{"path": "/run/x.sock", "role": "read"}],
    "bip": "10.9.0.1/24",
    "builder": {"gc": {"enabled": True}},
    "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}],
    "default-cgroupns-mode": "host",
    "default-ipc-mode": "shareable",
    "default-network-opts": {"bridge": {"a": "b"}},
    "default-runtime": "x",
    "default-shm-size": "32M",
    "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}},
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "firewall-backend": "nftables",
    "labels": ["a=b"],
    "log-driver": "local",
    "log-format": "json",
    "log-level": "debug",
    "min-api-version": "1.24",
    "proxies": {"http-proxy": "http://x"},
    "publish-allowed": ["80/tcp"],
    "runtimes": {"x": {"path": "/x"}},
    "storage-driver": "overlay2",
    "storage-opts": ["overlay2.override_kernel_check=true"],
}
OF_KIND: dict[Kind, Any] = {Kind.TEXT: "x", Kind.INT: 7, Kind.LIST: ["x"], Kind.MAP: {"x": "true"}, Kind.BYTES: "1k"}


@pytest.fixture(autouse=True)
def no_file_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "DEFAULT_FILE", tmp_path / "none.json")
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)


def loaded(folder: Path, content: dict[str, Any], before: Config | None = None) -> Config:
    (folder / "daemon.json").write_text(json.dumps(content))
    return load_config(["--config-file", str(folder / "daemon.json")], before)


def another_value(key: str) -> Any:
    """Something other than the default of *key*."""
    if BY_KEY[key].kind is Kind.BOOL:
        return key not in {"icc", "ip-forward", "ip-masq", "iptables", "live-restore"}
    return VALUES.get(key, OF_KIND.get(BY_KEY[key].kind))


def content_with(key: str) -> dict[str, Any]:
    """A file in which *key* says something else."""
    content = {key: another_value(key)}
    return {**content, "runtimes": {"x": {"path": "/x"}}} if key == "default-runtime" else content


def effect(folder: Path, key: str) -> str:
    """What comes of another value than the default: `heeded`, `none`, `refused`."""
    plain = loaded(folder, {"runtimes": {"x": {"path": "/x"}}} if key == "default-runtime" else {})
    try:
        return "none" if loaded(folder, content_with(key)) == plain else "heeded"
    except NotSupported as refusal:
        assert key in refusal.message
        return "refused"


@pytest.mark.parametrize("key", BY_KEY)
def test_each_key_is_heeded_or_accounted_for(tmp_path: Path, key: str) -> None:
    if not key:
        return
    expected = "none" if key in WITHOUT_EFFECT else "refused" if key in REFUSED else "heeded"
    assert effect(tmp_path, key) == expected


def test_the_reader_is_told_of_what_has_no_effect() -> None:
    text = DOCS.read_text()
    assert [key for key in sorted(WITHOUT_EFFECT | REFUSED) if f"`{key}`" not in text] == []


@pytest.mark.skipif(not SPEC.exists(), reason="the lists of dockerd's options are not beside this tree")
def test_every_flag_and_key_of_dockerd_is_known(tmp_path: Path) -> None:
    flags = json.loads((SPEC / "dockerd-flags.json").read_text())["flags"]
    unknown = {flag["long"] for flag in flags} - BY_FLAG.keys()
    for name in unknown:
        with pytest.raises(InvalidInput, match=f"unknown flag: --{name}"):
            load_config([f"--{name}=x"])
    shorts = [flag for flag in flags if "short" in flag and BY_FLAG[flag["long"]].short != flag["short"]]
    assert not shorts
    text = (SPEC / "daemon-json-keys.md").read_text()
    keys = set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE))
    for key in keys - BY_KEY.keys():
        with pytest.raises(InvalidInput, match=f"don't match any configuration option: {key}"):
            loaded(tmp_path, {key: "x"})
    assert unknown | (keys - BY_KEY.keys()) == UNKNOWN


@pytest.mark.skipif(not SPEC.exists(), reason="the lists of dockerd's options are not beside this tree")
def test_what_dockerd_reloads_is_reloaded(tmp_path: Path) -> None:
    text = (SPEC / "daemon-json-keys.md").read_text()
    reloaded = set(re.findall(r"^\| `([\w-]+)` \|[^|]*\|[^|]*\| R \|", text, re.MULTILINE))
    assert reloaded - set(RELOADED_KEYS) == {"authorization-plugins"}
    plain = loaded(tmp_path, {})
    for key in reloaded - REFUSED - WITHOUT_EFFECT:
        assert loaded(tmp_path, content_with(key), plain) != plain, key
    for key in BY_KEY.keys() - set(RELOADED_KEYS) - {""} - WITHOUT_EFFECT - REFUSED:
        try:
            assert loaded(tmp_path, {key: another_value(key)}, plain) == plain, key
        except HavreError as wrong:
            raise AssertionError(key) from wrong
