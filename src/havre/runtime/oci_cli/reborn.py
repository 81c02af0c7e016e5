"""The command line once more, from an interpreter that no container can write through /proc/PID/exe (rule 8)."""

import os
import sys
from typing import NoReturn

from havre.runtime.sealed import sealed_interpreter

_CODE = "import sys;sys.path[:]={paths!r};from havre.runtime.command import main;sys.exit(main({words!r},sealed=True))"
_ENVIRONMENT = ("LISTEN_FDS",)
_OPTIONS = ("-I", "-S", "-X", "utf8", "-X", "no_debug_ranges", "-OO")


def execute_sealed(words: "list[str]") -> NoReturn:
    """Become the same command in a sealed interpreter; of our environment, only what it reads goes along."""
    code = _CODE.format(paths=[path for path in sys.path if path], words=list(words))
    env = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    interpreter = sealed_interpreter()
    os.execve(f"/proc/self/fd/{interpreter}", [sys.executable, *_OPTIONS, "-c", code], env)
