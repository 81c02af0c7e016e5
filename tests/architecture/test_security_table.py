"""Each test that docs/security-tests.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
TABLE = (TOP / "docs" / "security-tests.md").read_text()
COUNTS = {"K": 6, "R": 27, "S": 10, "C": 3, "I": 8, "N": 7, "V": 3, "L": 4, "E": 18, "A": 10}


def test_every_number_of_the_catalogue_has_its_row() -> None:
    numbers = re.findall(r"^\| ([A-Z]-\d\d) \|", TABLE, re.MULTILINE)
    assert numbers == [f"{letter}-{number:02}" for letter, count in COUNTS.items() for number in range(1, count + 1)]


def test_every_row_names_a_test_or_says_what_is_missing() -> None:
    rows = [line for line in TABLE.splitlines() if re.match(r"\| [A-Z]-\d\d ", line)]
    assert not [row for row in rows if "`tests/" not in row and "missing" not in row]


def test_every_test_that_is_named_exists() -> None:
    gone = []
    for file, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TABLE):
        path = TOP / file
        if not path.is_file() or not re.search(rf"^(async )?def {name or 'test_'}", path.read_text(), re.MULTILINE):
            gone.append(f"{file}::{name}")
    assert not gone
