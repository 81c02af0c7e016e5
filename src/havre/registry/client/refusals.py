"""The error bodies of registries: `{"errors": [{"code", "message"}]}`, or anything else."""

from dataclasses import dataclass
from typing import Final

import msgspec

from havre.base.errors import HavreError
from havre.registry.client.errors import BadAnswer, Denied, LoginNeeded, NotThere, Unreachable
from havre.registry.client.exchange import Reply

_MAX_WORDS: Final = 300
_TRANSIENT: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
_KINDS: Final[dict[int, type[HavreError]]] = {401: LoginNeeded, 403: Denied, 404: NotThere, 410: NotThere}


class _One(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct, frozen=True):
    errors: list[_One] | None = None
    details: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a registry said: its *codes*, and in *words* what docker would print."""

    status: int
    codes: tuple[str, ...]
    words: str

    @property
    def transient(self) -> bool:
        """Whether asking again may help."""
        return self.status in _TRANSIENT

    def error(self, doing: str) -> HavreError:
        """The error that tells it."""
        words = self.words or f"unexpected status {self.status}"
        kind = _KINDS.get(self.status, Unreachable if self.transient else BadAnswer)
        return kind(f"{doing}: {words}" if doing else words)


def refusal(reply: Reply) -> Refusal:
    """What the reply of a failed request says, cut to a length that can be shown."""
    try:
        body = msgspec.json.decode(reply.body, type=_Errors)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Refusal(reply.status, (), "")
    told = body.errors or []
    lines = [_line(one) for one in told[:4]] or [body.details or body.message]
    return Refusal(reply.status, tuple(one.code for one in told), _clean("\n".join(lines)))


def _line(one: _One) -> str:
    code = one.code.lower().replace("_", " ")
    return f"{code}: {one.message}" if one.message else code


def _clean(text: str) -> str:
    """No control characters of a stranger reach a terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text[:_MAX_WORDS])
