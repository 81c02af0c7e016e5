"""Each option of `run` and `create` changes the request as Docker's command line changes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from havre.cli.commands.container_create import wished_streams
from havre.cli.create_body import create_body
from havre.cli.create_flags import CREATE_FLAGS
from havre.cli.flags import parse

_FACTS = Path(__file__).parents[4] / "shared/spec/cli-flag-to-api.json"
_OPEN = {  # samples that name files of the recording machine, or need a feature of another platform
    "--cidfile", "--env-file", "--label-file", "--gpus", "--isolation", "--use-api-socket", "--platform", "--pull",
}  # fmt: skip


def _samples() -> list[dict[str, Any]]:
    table = json.loads(_FACTS.read_text())["commands"]["container create/run"]["flags"]
    return [row for row in table if "body" in row and row["flag"] not in _OPEN]


def _at(document: Any, path: str) -> Any:
    """The value at a dotted path; keys may hold dots themselves."""
    if not path:
        return document
    if isinstance(document, dict):
        for key, value in document.items():
            if path == key:
                return value
            if path.startswith(f"{key}."):
                return _at(value, path.removeprefix(f"{key}."))
    return None


@pytest.mark.parametrize("row", _samples(), ids=lambda row: str(row["sample"]))
def test_an_option_changes_the_request_as_dockers_does(row: dict[str, Any]) -> None:
    known = {flag.name for flag in CREATE_FLAGS}
    if row["flag"].removeprefix("--") not in known:
        pytest.fail(f"{row['flag']} is no option of ours")
    given = parse([row["sample"], *row.get("with", "").split(), "image"], CREATE_FLAGS, interspersed=False)
    body = create_body(given, attach=wished_streams(given, default=frozenset({"stdout", "stderr"})))
    for path, value in row["body"].items():
        assert _at(body, path) == value, path
