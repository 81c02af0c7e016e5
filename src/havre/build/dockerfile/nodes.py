"""What the parser makes of a text: one node an instruction, its words still unread."""

from dataclasses import dataclass
from typing import Final

from havre.build.dockerfile.errors import Location

DEFAULT_ESCAPE: Final = "\\"


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A document in the text after its instruction: `<<name`, `3<<-"name"`.

    *content* is what was written, tabs included; `chomp` asks for leading tabs to be stripped (`<<-`), `expand` is
    false where the name was quoted.
    """

    name: str
    descriptor: int = 0
    expand: bool = True
    chomp: bool = False
    content: str = ""

    @property
    def stripped(self) -> str:
        """The content as a reader gets it: without leading tabs where `<<-` asked for that."""
        if not self.chomp:
            return self.content
        return "\n".join(line.lstrip("\t") for line in self.content.split("\n"))


@dataclass(frozen=True, slots=True)
class Node:
    """One instruction: its keyword and flags as written, its words by the rules of its keyword.

    For ONBUILD, `trigger` is the instruction inside. `text` is the whole instruction with continuation lines joined,
    without heredoc contents. `comments` are the comment lines right above.
    """

    keyword: str
    text: str
    location: Location
    flags: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    pairs: tuple["Pair", ...] = ()
    is_json: bool = False
    trigger: "Node | None" = None
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The keyword in upper case."""
        return self.keyword.upper()


@dataclass(frozen=True, slots=True)
class Pair:
    """`name=value` of ENV and LABEL, quotes still in it; *legacy* is the form `name value`."""

    name: str
    value: str
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class Directive:
    """`# name=value` at the top of the file."""

    name: str
    value: str
    location: Location


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed Dockerfile."""

    nodes: tuple[Node, ...]
    directives: tuple[Directive, ...] = ()
    escape: str = DEFAULT_ESCAPE
    empty_continuations: tuple[Location, ...] = ()

    def directive(self, name: str) -> str | None:
        """The value of the parser directive *name* (`syntax`, `escape`, `check`)."""
        return next((found.value for found in self.directives if found.name == name), None)
