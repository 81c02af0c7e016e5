"""The Compose specification's JSON schema as an oracle: it knows our attributes, and takes the files that we take."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from havre.compose.document.interpolate import interpolate
from havre.compose.document.nodes import Table
from havre.compose.document.yaml_text import read_yaml
from havre.compose.model.readers import plain
from havre.compose.model.service import READERS
from tests.unit.compose.test_golden import CASES, ENVIRON

SPEC = next(
    (one for above in Path(__file__).parents if (one := above / "shared/spec/compose-spec.json").exists()), None
)
NEWER = {"pre_start"}  # in the specification's text, not yet in its schema
# What the schema does not know yet, or what tags of YAML mean before a schema sees it.
BEYOND_SCHEMA = {"build", "reset", "extension"}
MILDER = {"command.list", "configs"}  # numbers where only texts are allowed

pytestmark = pytest.mark.skipif(SPEC is None, reason="the specification is not at hand")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    assert SPEC is not None
    found: dict[str, Any] = json.loads(SPEC.read_text())
    return found


def test_every_attribute_of_a_service_is_read(schema: dict[str, Any]) -> None:
    known = set(schema["definitions"]["service"]["properties"])
    assert set(READERS) - NEWER == known


@pytest.mark.parametrize("case", [case for case in CASES if "error" not in case.stem], ids=lambda case: case.stem)
def test_the_schema_takes_what_we_take(schema: dict[str, Any], case: Path) -> None:
    if case.stem in BEYOND_SCHEMA | MILDER:
        pytest.skip("beyond the schema")
    text = case.read_text().split("---\n")[0]
    tree = interpolate(read_yaml(text, "f"), ENVIRON, set())
    assert isinstance(tree, Table)
    jsonschema_rs.validate(schema, plain(tree))


def test_each_attribute_has_a_golden_file() -> None:
    named: set[str] = set()
    for case in CASES:
        tree = read_yaml(case.read_text().split("---\n")[0], "f") if "error" not in case.stem else None
        if tree is not None:
            named |= set(_service_keys(plain(tree)))
    assert set(READERS) - NEWER - named == set()


def _service_keys(document: object) -> Iterator[str]:
    services = document.get("services") if isinstance(document, Mapping) else None
    for service in (services or {}).values():
        yield from service


def test_each_path_of_every_attribute_is_in_a_golden_file() -> None:
    """All that the list of features tells, at every depth, in what is given or in what it resolves to."""
    assert SPEC is not None
    listed = (SPEC.parent / "compose-features.md").read_text()
    named: set[str] = set()
    for case in CASES:
        if "error" not in case.stem:
            for part in case.read_text().split("---\n"):
                for section, entries in plain(read_yaml(part, "f")).items():  # type: ignore[attr-defined]
                    for entry in entries.values() if isinstance(entries, Mapping) else ():
                        named |= set(_paths(entry, section))
    missing = []
    for title, table in re.findall(r"^## All paths: (\w+)\S*\n(.*?)(?=^## |\Z)", listed, re.MULTILINE | re.DOTALL):
        wanted = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
        assert wanted
        missing += [f"{title}.{one}" for one in wanted if f"{title}.{re.sub('<[^>]+>', '*', one)}" not in named]
    assert missing == []


def _paths(value: object, so_far: str) -> Iterator[str]:
    """The dotted paths in *value*: `[]` for an entry of a list, and for each key also `*`."""
    yield so_far
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _paths(one, f"{so_far}.{key}")
            yield from _paths(one, f"{so_far}.*")
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _paths(one, f"{so_far}[]")
