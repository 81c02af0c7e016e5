"""Runs the tests that failed in the last run once more, each in a process of its own: `python -m tests.again`.

Ends with 0 when all of them pass now, and names them as unsteady; with 1 when one fails again, when more than `MOST`
had failed, and when none is on record, since then the run itself broke.
"""

import json
import subprocess
import sys
from pathlib import Path

MOST = 5
RECORD = Path(__file__).parents[1] / ".pytest_cache/v/cache/lastfailed"


def main() -> int:
    failed = sorted(json.loads(RECORD.read_text())) if RECORD.exists() else []
    if not 0 < len(failed) <= MOST:
        print(f"{len(failed)} tests are on record as failed: between 1 and {MOST} get a second chance")
        return 1
    broken = [test for test in failed if _fails(test)]
    for test in failed:
        print("BROKEN  " if test in broken else "UNSTEADY", test)
    return 1 if broken else 0


def _fails(test: str) -> bool:
    return subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test], check=False).returncode != 0


if __name__ == "__main__":
    sys.exit(main())
