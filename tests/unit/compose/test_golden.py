"""Each attribute of the Compose specification: a file, and its resolved form or its error (tests/golden/compose)."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from havre.compose.errors import ComposeError
from havre.compose.load import Wishes, load
from havre.compose.model.show import shown_project

FOLDER = Path(__file__).parents[2] / "golden" / "compose"
CASES = sorted(FOLDER.glob("*.yaml"))
ENVIRON = {"GIVEN": "given", "EMPTY": "", "HOME": "/home/user"}


def resolved(text: str, folder: Path) -> str:
    """The application in YAML, or the error, with *folder* as `/project`."""
    file = folder / "compose.yaml"
    file.write_text(text)
    try:
        project = load(Wishes(files=(str(file),)), ENVIRON).project
    except ComposeError as error:
        return f"error: {str(error).replace(str(folder), '/project')}\n"
    made: str = yaml.safe_dump(shown_project(project), sort_keys=False, width=200)
    return made.replace(str(folder), "/project")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_file_means_what_it_should(case: Path, tmp_path: Path) -> None:
    given, expected = case.read_text().split("---\n")
    folder = tmp_path / "demo"
    folder.mkdir()
    assert resolved(given, folder) == expected
