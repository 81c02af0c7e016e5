"""I-03: wrong configs are refused cleanly, whichever door they come through."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput, NotSupported
from havre.images.checks import check_config
from havre.oci import image_config

GOOD: dict[str, Any] = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}


def check(**changes: Any) -> None:
    check_config(image_config.decode(json.dumps({**GOOD, **changes}).encode()))


def check_process(**settings: Any) -> None:
    check(config=settings)


def test_good_ones() -> None:
    check()
    check_process(
        Env=["A=b", "NOVALUE", "M=line\nline"],
        Volumes={"/data": {}, "relative": {}},
        StopSignal="SIGRTMIN+3",
        Healthcheck={"Test": ["CMD", "x"], "Interval": 10**9, "Retries": 3},
        Unknown={"anything": 1},
        Labels=None,
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"Env": "A=b"},
        {"Env": [1]},
        {"Env": {"A": "b"}},
        {"Env": ["A=\0"]},
        {"Env": ["A=b"] * 100_000},
        {"Labels": {f"l{n}": "x" for n in range(100_000)}},
        {"Labels": ["a"]},
        {"Labels": {"a": 1}},
        {"Cmd": "sh"},
        {"Cmd": ["a\0"]},
        {"Entrypoint": [None]},
        {"User": 5},
        {"User": "a\0"},
        {"WorkingDir": ["/"]},
        {"Volumes": {"/": {}}},
        {"Volumes": {"": {}}},
        {"Volumes": {"..": {}}},
        {"Volumes": {"/a/../..": {}}},
        {"Volumes": {"//": {}}},
        {"Volumes": {" ": {}}},
        {"Volumes": {"/a\0": {}}},
        {"Volumes": ["/data"]},
        {"ExposedPorts": {f"{n}/tcp": {} for n in range(20_000)}},
        {"StopSignal": "SIGFOO"},
        {"StopSignal": "-1"},
        {"StopSignal": 9},
        {"StopSignal": "9" * 1000},
        {"Healthcheck": {"Interval": -1}},
        {"Healthcheck": {"Timeout": 10**30}},
        {"Healthcheck": {"Retries": -1}},
        {"Healthcheck": {"Retries": 10**12}},
        {"Healthcheck": {"Interval": "1s"}},
        {"Healthcheck": {"Interval": 1.5}},
    ],
)
def test_wrong_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_process(**settings)
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    "changes",
    [
        {"rootfs": None},
        {"rootfs": {"type": "other", "diff_ids": []}},
        {"rootfs": {"type": "layers", "diff_ids": ["sha256:short"]}},
        {"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "../" * 21 + "a"]}},
        {"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "a" * 64] * 100_000}},
        {"history": {}},
        {"history": [1]},
        {"architecture": None},
        {"os": 1},
    ],
)
def test_wrong_shapes(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        check(**changes)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"NaN",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        json.dumps({**GOOD, "author": "x" * (9 << 20)}).encode(),
        json.dumps(GOOD).replace('"linux"', '"\\ud800"').encode(),
    ],
)
def test_no_configs(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        check_config(image_config.decode(data))


def test_another_operating_system() -> None:
    with pytest.raises(NotSupported, match="cannot load windows image on linux"):
        check(os="windows")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ["User", "Env", "Cmd", "Volumes", "Labels", "Healthcheck", "StopSignal", "WorkingDir", "ExposedPorts"]


@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON))
def test_any_settings_are_taken_or_refused(settings: dict[str, Any]) -> None:
    with suppress(InvalidInput):
        check_process(**settings)
