from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from havre.daemon.journal import open_journal, set_level


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_lines_are_logfmt(capsys: pytest.CaptureFixture[str]) -> None:
    open_journal("info", "text")
    logging.getLogger("x").warning("two words: %s", 'a "quote"\nand a line')
    logging.getLogger("x").debug("not seen")
    line = capsys.readouterr().err
    moment = r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
    assert re.fullmatch(moment + r' level=warning msg="two words: a \\"quote\\"\\nand a line"\n', line)


def test_lines_may_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    open_journal("info", "json")
    logging.getLogger("x").error("failed", exc_info=KeyError("x"))
    record = json.loads(capsys.readouterr().err)
    assert (record["level"], record["msg"]) == ("error", "failed")
    assert "KeyError" in record["error"]


def test_the_level_can_change(capsys: pytest.CaptureFixture[str]) -> None:
    open_journal("error", "text")
    set_level("debug")
    logging.getLogger("x").debug("seen")
    assert "msg=seen" in capsys.readouterr().err
