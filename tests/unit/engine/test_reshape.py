from __future__ import annotations

import pytest
from msgspec.structs import replace

from havre.base.errors import InvalidInput
from havre.engine.model import BindMount, Record, VolumeMount
from havre.engine.reshape import Shape, new_mounts, parse_shape, reshaped
from havre.engine.settings import Config, HostConfig, PortBinding, parse_host
from havre.wire.containers import UpdateContainer

RECORD = Record(
    id="a" * 64,
    name="one",
    created_ns=1,
    image_id="",
    chain="",
    config=Config(env=["A=1", "B=2", "C=3"], labels={"x": "1", "y": "2"}, volumes={"/data": {}}),  # type: ignore[dict-item]
    host=HostConfig(binds=["/h:/inside:ro"], port_bindings={"80/tcp": [PortBinding(host_port="8080")]}),
    mounts=(
        BindMount(source="/h", destination="/inside", writable=False),
        VolumeMount(destination="/data", name="n" * 64, source="/v", anonymous=True),
    ),
)


def shape(**wanted: object) -> Shape:
    asked: UpdateContainer = wanted  # type: ignore[assignment]
    made = parse_shape(asked, parse_host({"HostConfig": asked}))  # type: ignore[typeddict-item]
    assert made is not None
    return made


def test_limits_alone_are_no_shape() -> None:
    asked: UpdateContainer = {"Memory": 1 << 30}
    assert parse_shape(asked, HostConfig()) is None


def test_variables_and_labels() -> None:
    made = reshaped(RECORD, shape(Env=["B=new", "C", "D=4"], Labels={"x": None, "z": "3"}), lambda _: True)
    assert made.config.env == ["A=1", "B=new", "D=4"]
    assert made.config.labels == {"y": "2", "z": "3"}
    assert made.mounts == RECORD.mounts


def test_ports() -> None:
    asked = shape(PortBindings={"80": None, "443/tcp": [{"HostPort": "8443"}]})
    made = reshaped(RECORD, asked, lambda _: True)
    assert made.host.port_bindings == {"443/tcp": [PortBinding(host_port="8443")]}
    assert set(made.config.exposed_ports) == {"443/tcp"}


def test_a_port_that_is_not_published_cannot_be_taken_away() -> None:
    for port in ("81", "80/udp", "xx"):
        with pytest.raises(InvalidInput, match=r"no port (81/tcp|80/udp|xx/tcp) is published"):
            reshaped(RECORD, shape(PortBindings={port: None}), lambda _: True)


def test_mounts_take_the_place_of_those_that_were_there() -> None:
    asked = shape(Binds=["/other:/inside", "named:/new"], RemovedMounts=["/data/"])
    made = reshaped(RECORD, asked, lambda _: True)
    assert [mount.destination for mount in made.mounts] == ["/inside", "/new"]
    assert made.host.binds == ["/other:/inside", "named:/new"]
    assert made.config.volumes is None
    assert new_mounts(RECORD, made) == list(made.mounts)
    with pytest.raises(InvalidInput, match="nothing is mounted at /nowhere"):
        reshaped(RECORD, shape(RemovedMounts=["/nowhere"]), lambda _: True)


def test_labels_alone_are_live() -> None:
    assert shape(Labels={"a": "b"}).live
    assert not shape(Env=["A=1"]).live
    assert not replace(shape(Labels={"a": "b"}), removed_mounts=frozenset({"/x"})).live
