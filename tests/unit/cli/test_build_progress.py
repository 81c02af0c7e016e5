"""Progress for people: lines with numbers and times, and rows that move."""

from __future__ import annotations

import pytest

from havre.cli import build_progress
from havre.cli.build_progress import Moving, Plain


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    pieces: list[bytes] = []
    monkeypatch.setattr(build_progress, "write_all", lambda _, data: pieces.append(data))
    return pieces


def started(number: int, text: str, stage: str = "") -> dict[str, object]:
    return {
        "Event": "started", "Step": number, "Total": 3, "Stage": 0, "StageName": stage, "Position": number,
        "StageSteps": 3, "Text": text,
    }  # fmt: skip


def test_plain(written: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("havre.cli.build_progress.time.monotonic", iter([0.0, 0.5, 1.25, 2.0, 2.0, 2.0, 3.0]).__next__)
    plain = Plain()
    plain.take(started(1, "FROM x"))
    plain.take({"Event": "output", "Step": 1, "Data": "half"})
    plain.take({"Event": "output", "Step": 1, "Data": " line\nrest"})
    plain.take({"Event": "done", "Step": 1, "Cached": False})
    plain.take(started(2, "RUN y", "build"))
    plain.take({"Event": "done", "Step": 2, "Cached": True})
    plain.take({"Event": "tagged", "Text": "a:latest"})
    assert b"".join(written).decode() == (
        "#1 [1/3] FROM x\n#1 1.250 half line\n#1 2.000 rest\n#1 DONE 2.0s\n\n"
        "#2 [build 2/3] RUN y\n#2 CACHED\nnaming to a:latest done\n"
    )


def test_steps_that_run_side_by_side_are_told_apart(written: list[bytes]) -> None:
    plain = Plain()
    plain.take(started(1, "RUN a"))
    plain.take(started(2, "RUN b"))
    plain.take({"Event": "output", "Step": 1, "Data": "from a\n"})
    lines = b"".join(written).decode().splitlines()
    assert lines[-2] == "#1 [1/3] RUN a"
    assert lines[-1].endswith("from a")


def test_a_failure_is_kept_with_its_last_words(written: list[bytes]) -> None:
    plain = Plain()
    plain.take(started(1, "RUN a"))
    plain.take({"Event": "output", "Step": 1, "Data": "why\n", "Error": True})
    plain.take({"Event": "failed", "Step": 1, "Message": "code 3", "Line": 4})
    assert plain.failed is not None
    assert plain.failed.lines[-1].endswith("why")
    assert plain.line == 4
    assert written[-1] == b"#1 ERROR: code 3\n"


def test_warnings_are_kept_for_the_end(written: list[bytes]) -> None:
    plain = Plain()
    plain.take({"Event": "noticed", "Check": "Rule", "Message": "bad", "Line": 2})
    plain.take({"Event": "noticed", "Message": "not consumed"})
    assert plain.warnings == ["Rule: bad (line 2)"]
    assert written == [b"not consumed\n"]


def test_moving(written: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_progress, "terminal_size", lambda _: (10, 40))
    moving = Moving()
    moving.take(started(1, "RUN " + "long " * 20))
    moving.take({"Event": "output", "Step": 1, "Data": "\x1b[31mred\x07\nx"})
    moving.take(started(2, "RUN b"))
    moving.take({"Event": "done", "Step": 2, "Cached": True})
    moving.close()
    last = written[-1].decode().splitlines()
    assert last[0].startswith("[+] Building 0.")
    assert "(1/2) FINISHED" in last[0]
    assert all(len(line) <= 40 for line in last)
    assert any("CACHED" in line for line in last)
    assert not any(sign in line for line in last for sign in "\x1b\x07")
    moving.close()
