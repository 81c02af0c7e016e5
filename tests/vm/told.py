"""A pytest plugin: failures as they happen, in a file of their own, since a run in the guest takes long."""

from __future__ import annotations

from pathlib import Path

import pytest

FILE = Path("/tmp/out/failures")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        with FILE.open("a") as file:
            file.write(f"== {report.nodeid} ({report.when})\n{report.longreprtext}\n")
