from __future__ import annotations

import pytest

from havre.base.errors import HavreError, NotSupported
from havre.daemon.runtimes import parse_default_runtime, parse_runtimes


def test_flags_and_file_together() -> None:
    found = parse_runtimes(["crun=/usr/bin/crun"], {"other": {"path": "x", "runtimeArgs": ["--debug"]}})
    assert found == {"crun": ("/usr/bin/crun",), "other": ("x", "--debug")}
    named = parse_runtimes(None, {"r": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "/r"}}})
    assert named == {"r": ("/r",)}
    assert parse_runtimes(None, None) == {}


@pytest.mark.parametrize(
    ("said", "filed", "message"),
    [
        (["crun"], None, "invalid runtime argument"),
        (["havre=/x"], None, "runtime name 'havre' is reserved"),
        (["a=/x", "a=/y"], None, "runtime 'a' was already registered"),
        (["a=/x"], {"a": {"path": "/y"}}, "runtime 'a' was already registered"),
        (None, {"a": {"path": ""}}, "a path and a list of arguments are wanted"),
        (None, {"a": {"path": "/x", "runtimeArgs": [1]}}, "a path and a list"),
        (None, {"a": "x"}, "it is no object"),
        (None, {"a": {"paht": "/x"}}, "unknown key 'paht'"),
    ],
)
def test_refusals(said: object, filed: object, message: str) -> None:
    with pytest.raises(HavreError, match=message):
        parse_runtimes(said, filed)  # type: ignore[arg-type]


def test_shims_of_containerd_are_refused() -> None:
    with pytest.raises(NotSupported, match=r"io\.containerd\.kata\.v2"):
        parse_runtimes(None, {"kata": {"runtimeType": "io.containerd.kata.v2"}})


def test_the_default() -> None:
    assert parse_default_runtime("", {}) == "havre"
    assert parse_default_runtime("runc", {}) == "havre"
    assert parse_default_runtime("runc", {"runc": ("x",)}) == "runc"
    with pytest.raises(HavreError, match="specified default runtime 'x' does not exist"):
        parse_default_runtime("x", {})
