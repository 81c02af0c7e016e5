"""havred: reads its options, listens, then loads the rest while the first clients already wait on the socket."""

import sys
from collections.abc import Sequence
from typing import Final

from havre.base.errors import HavreError
from havre.base.version import VERSION
from havre.daemon.config import Config, load_config
from havre.daemon.flags import help_text, parse_flags
from havre.wire.versions import ENGINE_VERSION, MAX_API

VERSION_TEXT: Final = f"Havre version {VERSION}, speaks API {MAX_API} as Docker {ENGINE_VERSION}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Gives its exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        given = parse_flags(words)
    except HavreError as wrong:
        sys.stderr.write(f"{wrong.message}\nSee 'havred --help'.\n")
        return 1
    try:
        if given.get("help"):
            return _say(help_text())
        if given.get("version"):
            return _say(VERSION_TEXT)
        config = load_config(words)
        if given.get("validate"):
            return _validate(config)
    except HavreError as wrong:
        sys.stderr.write(f"{wrong.message}\n")
        return 1
    return _run(config, words)


def _validate(config: Config) -> int:
    from havre.daemon.settings import check_settings

    check_settings(config)
    return _say("configuration OK")


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0


def _run(config: Config, words: Sequence[str]) -> int:
    from havre.daemon.journal import open_journal
    from havre.daemon.serve import run

    open_journal("debug" if config.debug else config.log_level, config.log_format)
    try:
        run(config, words)
    except (HavreError, OSError) as failed:
        sys.stderr.write(f"failed to start daemon: {failed}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
