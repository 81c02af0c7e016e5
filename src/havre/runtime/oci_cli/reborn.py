"""The command line once more, from an interpreter that no container can write through /proc/PID/exe (rule 8)."""

import os
import sys
from typing import NoReturn

from havre.runtime.sealed import sealed_interpreter

_CODE = "import sys;sys.path[:]={paths!r};from havre.runtime.command import main;sys.exit(main({words!r},sealed=True))"
_OPTIONS = ("-I", "-S", "-X", "utf8", "-X", "no_debug_ranges", "-OO")


def execute_sealed(words: "list[str]") -> NoReturn:
    """Become the same command in a sealed interpreter; nothing of our environment goes along."""
    code = _CODE.format(paths=[path for path in sys.path if path], words=list(words))
    interpreter = sealed_interpreter()
    os.execve(f"/proc/self/fd/{interpreter}", [sys.executable, *_OPTIONS, "-c", code], {})
