from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.oci.descriptor import Platform
from havre.oci.digest import Digest
from havre.oci.image_config import MAX_CONFIG_BYTES, Empty, Healthcheck, ImageConfig, ProcessConfig, decode, encode

Document = dict[str, Any]
DIFF = Digest.of(b"layer")
PROCESS: Document = {
    "User": "1000:1000",
    "ExposedPorts": {"80/tcp": {}},
    "Env": ["PATH=/bin"],
    "Entrypoint": ["/entry"],
    "Cmd": ["run"],
    "Volumes": {"/data": {}},
    "WorkingDir": "/work",
    "Labels": {"a": "b"},
    "StopSignal": "SIGINT",
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**9, "StartPeriod": 1, "StartInterval": 2, "Retries": 3},
    "Shell": ["/bin/sh", "-c"],
    "OnBuild": ["RUN true"],
    "ArgsEscaped": True,
}


def _config(**more: object) -> Document:
    return {
        "architecture": "arm",
        "variant": "v7",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [str(DIFF)]},
        **more,
    }


def _json(document: object) -> bytes:
    return msgspec.json.encode(document)


def test_a_config_with_everything_is_read_as_it_is_written() -> None:
    document = _config(
        created="2024-01-01T00:00:00Z",
        author="me",
        config=PROCESS,
        history=[{"created": "2024-01-01T00:00:00Z", "created_by": "sh", "empty_layer": True}],
        comment="c",
        docker_version="28.0",
        parent=str(DIFF),
        **{"os.version": "10", "os.features": ["win32k"]},
    )
    config = decode(_json(document))
    assert msgspec.json.decode(encode(config)) == document
    assert config.process.exposed_ports == {"80/tcp": Empty()}
    assert config.process.healthcheck == Healthcheck(
        test=["CMD", "true"], interval=10**9, start_period=1, start_interval=2, retries=3
    )
    assert config.diff_ids() == (DIFF,)
    assert config.platform == Platform(architecture="arm", os="linux", variant="v7")


def test_an_image_that_says_nothing() -> None:
    config = decode(_json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}}))
    assert config.process == ProcessConfig()
    assert config.diff_ids() == ()
    assert config == decode(encode(config))


def test_null_collections_are_none_as_go_writes_them() -> None:
    nulls = dict.fromkeys(
        ["ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "Labels", "Healthcheck", "Shell", "OnBuild"]
    )
    config = decode(_json(_config(config=nulls, history=None, created=None, **{"os.features": None})))
    assert config.process == ProcessConfig()
    assert decode(_json(_config(config=None))).process == ProcessConfig()


def test_what_is_unknown_is_passed_over() -> None:
    config = decode(_json(_config(container="x", moby={"a": [1]}, config={"Domainname": "d", "Memory": 5})))
    assert config.process == ProcessConfig()


_WRONG: list[object] = [7, 1.5, True, "text", [], {}, [7], [None], {"a": 7}, [["a"]], {"a": None}, None]
_TEXTS = ["User", "WorkingDir", "StopSignal"]
_LISTS = ["Env", "Entrypoint", "Cmd", "Shell", "OnBuild"]
_SETS = ["ExposedPorts", "Volumes"]


@pytest.mark.parametrize("name", _TEXTS)
@pytest.mark.parametrize("value", [value for value in _WRONG if not isinstance(value, str)])
def test_what_must_be_a_text(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match="invalid image config"):
        decode(_json(_config(config={name: value})))


@pytest.mark.parametrize("name", _LISTS)
@pytest.mark.parametrize("value", [value for value in _WRONG if value not in ([], None)])
def test_what_must_be_a_list_of_texts(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match="invalid image config"):
        decode(_json(_config(config={name: value})))


@pytest.mark.parametrize("name", [*_SETS, "Labels"])
@pytest.mark.parametrize("value", [value for value in _WRONG if value not in ({}, None)])
def test_what_must_be_an_object(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match="invalid image config"):
        decode(_json(_config(config={name: value})))


@pytest.mark.parametrize(
    "document",
    [
        *(value for value in _WRONG),
        *(_config(rootfs=value) for value in _WRONG if value not in ({}, {"a": 7}, {"a": None})),
        *(_config(config=value) for value in _WRONG if value not in ({}, {"a": 7}, {"a": None}, None)),
        *(_config(history=value) for value in _WRONG if value not in ([], None)),
        *(_config(architecture=value) for value in _WRONG if value != "text"),
        _config(rootfs={"type": "layers", "diff_ids": None}),
        _config(rootfs={"type": "layers", "diff_ids": [7]}),
        _config(rootfs={"type": "layers", "diff_ids": ["../../etc"]}),
        _config(rootfs={"type": "layers", "diff_ids": ["sha256:" + "A" * 64]}),
        _config(rootfs={"type": "layers+base"}),
        _config(rootfs={"type": "x" * 10**5}),
        _config(created=7),
        _config(history=[{"created": 7}]),
        _config(history=[{"empty_layer": "yes"}]),
        _config(config={"Healthcheck": {"Interval": "30s"}}),
        _config(config={"Healthcheck": {"Interval": 1e30}}),
        _config(config={"Healthcheck": {"Retries": 1.5}}),
        _config(config={"Healthcheck": {"Test": "true"}}),
        _config(config={"ArgsEscaped": 1}),
        {"os": "linux", "rootfs": {}},
        {"architecture": "amd64", "rootfs": {}},
        {"architecture": "amd64", "os": "linux"},
    ],
)
def test_wrong_shapes_are_refused(document: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(_json(document))
    assert len(caught.value.message) < 1000


MANY = 100_000
_names = [f"N{number}=" for number in range(MANY)]


@pytest.mark.parametrize(
    "document",
    [
        *(_config(config={name: _names}) for name in _LISTS),
        *(_config(config={name: {key: {} for key in _names}}) for name in _SETS),
        _config(config={"Labels": dict.fromkeys(_names, "")}),
        _config(config={"Healthcheck": {"Test": _names}}),
        _config(history=[{}] * MANY),
        _config(rootfs={"diff_ids": [str(DIFF)] * MANY}),
        _config(**{"os.features": _names}),
    ],
)
def test_a_hundred_thousand_entries_are_refused(document: Document) -> None:
    with pytest.raises(InvalidInput, match=r"too many entries|is larger than"):
        decode(_json(document))


def test_ten_thousand_entries_are_not() -> None:
    assert len(decode(_json(_config(config={"Env": _names[:10_000]}))).process.env or ()) == 10_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'{"os":"\xff"}',
        b'{"os":"\\ud800"}',
        b"[" * 100_000,
        b'{"config":' * 100_000,
        b'{"unknown":' + b"[" * 100_000,
        b'{"history":' + b"[" * 100_000,
        b'{"config":{"Healthcheck":{"Interval":' + b"9" * 5000 + b"}}}",
        _json(_config()) + b"{}",
    ],
)
def test_broken_documents_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="invalid image config"):
        decode(data)


def test_the_size_has_a_limit() -> None:
    padded = _json(_config()).ljust(MAX_CONFIG_BYTES)
    assert decode(padded).os == "linux"
    with pytest.raises(InvalidInput, match="larger than 8388608"):
        decode(padded + b" ")


def test_an_impossible_digest_is_found_later_too() -> None:
    config = decode(_json(_config()))
    broken = msgspec.structs.replace(config, rootfs=msgspec.structs.replace(config.rootfs, diff_ids=["x"]))
    with pytest.raises(InvalidInput, match="invalid digest"):
        broken.diff_ids()


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["rootfs", "config", "history", "os", "created", "os.features"]), _values),
    st.dictionaries(st.sampled_from([*PROCESS, "Unknown"]), _values),
)
def test_any_document_is_read_or_refused(changes: Document, process: Document) -> None:
    try:
        config = decode(_json({**_config(config={**PROCESS, **process}), **changes}))
    except InvalidInput:
        return
    assert isinstance(config, ImageConfig)
    assert decode(encode(config)) == config


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode(data)
