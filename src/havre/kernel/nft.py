"""nftables through libnftables: one call of `Nft.run` is one transaction of the kernel, whole or not at all.

The commands are those of libnftables-json(5).
"""

import ctypes
import errno
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from havre.kernel.libc import KernelError

JSON = Mapping[str, "JSON"] | Sequence["JSON"] | str | int | bool | None
Command = Mapping[str, JSON]

_LIBRARY = "libnftables.so.1"
_OUTPUT_JSON = 1 << 4
_OUTPUT_STATELESS = 1 << 2
_NO_SUCH = "No such file or directory"


class NftMissing(KernelError):
    """This host has no libnftables."""


class NftRefused(KernelError):
    """The kernel or the library refused a transaction; nothing of it was done."""

    @property
    def names_nothing(self) -> bool:
        """Whether it was refused because something that it names is not there."""
        return self.errno == errno.ENOENT


class Nft:
    """A context in the network namespace of the thread that makes it, wherever it is used later.

    For one thread at a time. The library waits by select(2), which ends a process whose descriptors are past 1,023: a
    context is made early in a process, and kept. Raises NftMissing.
    """

    def __init__(self) -> None:
        self._library = _load()
        self._context: int | None = self._library.nft_ctx_new(0)
        if not self._context:
            raise NftMissing(errno.ENOMEM, f"{_LIBRARY} gives no context")
        for prepare in (self._library.nft_ctx_buffer_output, self._library.nft_ctx_buffer_error):
            prepare(self._context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the context back; closing twice is no error."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None

    def run(self, commands: Sequence[Command]) -> list[dict[str, JSON]]:
        """Do *commands* in one transaction; the answer is what `list` commands among them found.

        Raises NftRefused with the library's words.
        """
        answer = self._do(json.dumps({"nftables": list(commands)}, separators=(",", ":")).encode(), _OUTPUT_JSON)
        return json.loads(answer)["nftables"] if answer else []

    def text(self, commands: str) -> str:
        """Do *commands*, in the words of nft(8), in one transaction; what they print, without what counters hold.

        Rules that iptables made are printed in nft's own words, as far as there are some. Raises NftRefused.
        """
        return self._do(commands.encode(), _OUTPUT_STATELESS).decode(errors="replace")

    def _do(self, commands: bytes, output: int) -> bytes:
        if not self._context:
            raise NftRefused(errno.EBADF, "nftables context is closed")
        self._library.nft_ctx_output_set_flags(self._context, output)
        failed = self._library.nft_run_cmd_from_buffer(self._context, commands)
        said = self._library.nft_ctx_get_error_buffer(self._context).decode(errors="replace").strip()
        answer: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        if failed:
            number = errno.ENOENT if _NO_SUCH in said else errno.EINVAL
            raise NftRefused(number, f"nftables: {said or 'refused without a word'}")
        return answer


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        hint = "install nftables' library (Debian: libnftables1), or run without firewall rules (--iptables=false)"
        raise NftMissing(errno.ENOENT, f"cannot load {_LIBRARY}: {error}; {hint}") from error
    context = ctypes.c_void_p
    library.nft_ctx_new.restype = context
    library.nft_ctx_new.argtypes = (ctypes.c_uint32,)
    library.nft_ctx_free.restype = None
    library.nft_ctx_output_set_flags.restype = None
    library.nft_ctx_output_set_flags.argtypes = (context, ctypes.c_uint)
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = (context,)
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype = ctypes.c_char_p
        getattr(library, name).argtypes = (context,)
    library.nft_run_cmd_from_buffer.argtypes = (context, ctypes.c_char_p)
    return library
