"""Several files as one tree: merged, extended, included."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.compose.document.files import Scope, find_files
from havre.compose.document.tree import Wish, read_tree
from havre.compose.errors import ComposeError, NoFile
from havre.compose.model.readers import plain


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def tree(folder: Path, *files: str, **values: str) -> object:
    made = read_tree([str(folder / name) for name in files], Wish(str(folder), Scope(values)))
    return plain(made)


def services(folder: Path, *files: str, **values: str) -> dict[str, dict[str, object]]:
    found = tree(folder, *files, **values)
    assert isinstance(found, dict)
    made: dict[str, dict[str, object]] = found["services"]
    return made


BASE = """
services:
  web:
    image: one
    command: [a, b]
    entrypoint: x
    environment: {A: "1", B: "2"}
    labels: [k=v]
    ports: ["80:80", "81:81/udp"]
    volumes: ["/a:/x", "/b:/y"]
    dns: 10.0.0.1
    build: {context: .}
    healthcheck: {test: [CMD, a], interval: 1s}
    depends_on: [db]
    logging: {driver: json-file, options: {max-size: 1m}}
    secrets: [s]
  db: {image: db}
networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}
"""


def test_an_override_is_laid_on_top(tmp_path: Path) -> None:
    over = """
services:
  web:
    image: two
    command: c
    environment: [B=3, C=4]
    labels: {k: w}
    ports: ["82:82", "80:80"]
    volumes: ["/c:/x", "/z"]
    dns: [10.0.0.2, 10.0.0.1]
    build: {dockerfile: D}
    healthcheck: {test: b}
    depends_on: {db: {condition: service_healthy}, q: {condition: service_started}}
    logging: {driver: syslog, options: {tag: t}}
    secrets: [{source: s, target: s, mode: 0400}]
networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24, gateway: 10.1.0.9}]}}}
"""
    write(tmp_path, a_yaml=BASE, b_yaml=over)
    found = services(tmp_path, "a.yaml", "b.yaml")["web"]
    assert found["image"] == "two"
    assert found["command"] == "c"
    assert found["entrypoint"] == "x"
    assert found["environment"] == {"A": "1", "B": "3", "C": "4"}
    assert found["labels"] == {"k": "w"}
    assert found["ports"] == ["80:80", "81:81/udp", "82:82"]
    assert found["volumes"] == ["/c:/x", "/b:/y", "/z"]
    assert found["dns"] == ["10.0.0.1", "10.0.0.2"]
    assert found["build"] == {"context": str(tmp_path), "dockerfile": "D"}
    assert found["healthcheck"] == {"test": "b", "interval": "1s"}
    assert found["depends_on"] == {"db": {"condition": "service_healthy"}, "q": {"condition": "service_started"}}
    assert found["logging"] == {"driver": "syslog", "options": {"tag": "t"}}
    assert found["secrets"] == [{"source": "s", "target": "s", "mode": 256}]
    whole = tree(tmp_path, "a.yaml", "b.yaml")
    assert isinstance(whole, dict)
    assert whole["networks"]["n"]["ipam"]["config"] == [{"subnet": "10.1.0.0/24", "gateway": "10.1.0.9"}]


def test_reset_and_override(tmp_path: Path) -> None:
    over = """
services:
  web:
    ports: !override ["90:90"]
    environment: {A: !reset null}
    command: !reset null
    volumes: !reset []
  db: !reset null
"""
    write(tmp_path, a_yaml=BASE, b_yaml=over)
    found = services(tmp_path, "a.yaml", "b.yaml")
    assert "db" not in found
    web = found["web"]
    assert web["ports"] == ["90:90"]
    assert web["environment"] == {"B": "2"}
    assert "command" not in web
    assert "volumes" not in web


def test_extends_of_another_file_keeps_its_paths(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_yaml="services: {web: {extends: {service: base, file: sub/b.yaml}, environment: {B: '${V}'}}}",
        sub__b_yaml="services: {base: {extends: d, volumes: ['./x:/x'], env_file: e}, d: {build: ., image: '$V'}}",
    )
    assert services(tmp_path, "a.yaml", V="v")["web"] == {
        "build": {"context": f"{tmp_path}/sub"},
        "image": "v",
        "volumes": [f"{tmp_path}/sub/x:/x"],
        "env_file": f"{tmp_path}/sub/e",
        "environment": {"B": "v"},
    }


def test_extends_may_name_a_service_of_an_earlier_file(tmp_path: Path) -> None:
    write(tmp_path, a_yaml="services: {a: {image: x}}", b_yaml="services: {b: {extends: a}}")
    assert services(tmp_path, "a.yaml", "b.yaml")["b"] == {"image": "x"}


def test_includes_have_their_own_folder_and_variables(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_yaml="include: [one/c.yaml, {path: [two/c.yaml, two/d.yaml], env_file: two/e}]\nservices: {a: {image: '$V'}}",
        one__c_yaml="services: {one: {image: '${V}', volumes: ['./x:/x']}}\nvolumes: {v: null}",
        one___env="V=from-one\nW=w\n",
        two__c_yaml="services: {two: {image: '${V}-${W}'}}",
        two__d_yaml="services: {two: {build: .}}",
        two__e="W=from-two\n",
    )
    found = services(tmp_path, "a.yaml", V="outer")
    assert found["a"] == {"image": "outer"}
    assert found["one"] == {"image": "outer", "volumes": [f"{tmp_path}/one/x:/x"]}
    assert found["two"] == {"image": "outer-from-two", "build": {"context": f"{tmp_path}/two"}}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a_yaml": "include: [b.yaml]\nservices: {x: {image: a}}", "b_yaml": "services: {x: {image: b}}"},
            "conflicts",
        ),
        ({"a_yaml": "include: [b.yaml]", "b_yaml": "include: [a.yaml]"}, "includes itself"),
        ({"a_yaml": "include: {path: b.yaml}"}, "a.yaml:1: include: must be a list"),
        ({"a_yaml": "include: [{file: b.yaml}]"}, "unknown attribute 'file'"),
        ({"a_yaml": "include: [b.yaml]"}, "b.yaml: no such file"),
        ({"a_yaml": "services: {w: {extends: {file: b.yaml}}}"}, "attribute 'service' is required"),
        ({"a_yaml": "services: {w: {extends: {service: x, file: b.yaml}}}"}, "b.yaml: no such file"),
        (
            {
                "a_yaml": "services: {w: {extends: {service: x, file: b.yaml}}}",
                "b_yaml": "services: {x: {extends: {service: w, file: a.yaml}}}",
            },
            "circular reference",
        ),
    ],
)
def test_faults(tmp_path: Path, files: dict[str, str], message: str) -> None:
    write(tmp_path, **files)
    with pytest.raises(ComposeError) as caught:
        tree(tmp_path, "a.yaml")
    assert message in str(caught.value)


def test_files_are_found_upwards_with_their_override(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    write(tmp_path, **{"docker-compose_yml": "", "docker-compose_override_yml": ""})
    found = [str(tmp_path / "docker-compose.yml"), str(tmp_path / "docker-compose.override.yml")]
    assert find_files(str(below)) == found
    write(tmp_path, compose_yaml="")
    assert find_files(str(below))[0] == str(tmp_path / "compose.yaml")
    with pytest.raises(NoFile):
        find_files("/proc/self")
