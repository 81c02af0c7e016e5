"""The streams of one process: its output to the log and to every client, its clients' input to it."""

import errno
import os
from collections.abc import Callable

from havre.kernel.pty import resize
from havre.runtime.bundle import LogTarget, Stdio
from havre.runtime.init.finish import Pipes, Terminal
from havre.runtime.shim.attachment import PIECE, Attachment
from havre.runtime.shim.loop import GONE, IN, OUT, Loop
from havre.runtime.shim.output_log import OutputLog

_STDOUT, _STDERR = 1, 2
_LAST_READS = 64
_NAMES = {_STDOUT: "stdout", _STDERR: "stderr"}


class Streams:
    """Never blocks on anyone: while one client has not taken its share, output is simply not read on."""

    def __init__(self, stdio: Stdio, loop: Loop, log: LogTarget | None = None, name: str = "") -> None:
        self._stdio = stdio
        self._loop = loop
        self._log = OutputLog(log, loop, name, self.drained)
        self._outputs: dict[int, int] = {}
        self._input = -1
        self._unsent: bytes | memoryview = b""
        self._close_input = False
        self._attachments: list[Attachment] = []
        self._halted = False
        self._theirs: list[int] = []
        self._master = -1
        self._finished = False
        self.on_empty: Callable[[], None] | None = None

    @property
    def terminal(self) -> bool:
        """Whether the process has one."""
        return self._stdio.terminal

    def open(self) -> Pipes | Terminal:
        """Make the pipes; what the child takes as its 0, 1 and 2."""
        if self._stdio.terminal:
            return Terminal(self._stdio.console_height, self._stdio.console_width)
        if self._stdio.stdin:
            stdin, self._input = os.pipe()
        else:
            stdin = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        reading, stdout = os.pipe()
        reading_error, stderr = os.pipe()
        self._outputs = {reading: _STDOUT, reading_error: _STDERR}
        for fd in (self._input, reading, reading_error):
            if fd >= 0:
                os.set_blocking(fd, False)
        self._theirs = [stdin, stdout, stderr]
        return stdin, stdout, stderr

    def born(self) -> None:
        """The child has its ends: close ours of them."""
        for fd in self._theirs:
            os.close(fd)
        self._theirs = []

    def start(self, console: int) -> None:
        """Begin to copy. *console* is the master of a terminal, or -1."""
        if console >= 0:
            self._master = self._input = console
            self._outputs = {console: _STDOUT}
            os.set_blocking(console, False)
        self._watch()
        for attachment in list(self._attachments):
            attachment.start()

    def attach(self, attachment: Attachment, *, started: bool = True) -> None:
        """Join a client; before `start`, its input waits for it."""
        self._attachments.append(attachment)
        if started:
            attachment.start()
        if self._finished:
            attachment.finish()

    @property
    def quiet(self) -> bool:
        """Whether nobody listens and nothing is half done: no client, no unsent input, no line begun in the log."""
        return not (self._attachments or self._unsent or self._finished) and self._log.idle

    def remember(self) -> "tuple[dict[str, int], dict[str, int]]":
        """(descriptors to watch, descriptors to keep) for another worker's `resume`; the log is given back."""
        self._log.close()
        if self._master >= 0:
            return {"console": self._master}, {}
        watched = {_NAMES[stream]: fd for fd, stream in self._outputs.items()}
        return watched, {"stdin": self._input} if self._input >= 0 else {}

    def resume(self, fds: "dict[str, int]") -> None:
        """Go on with the descriptors of an earlier worker."""
        if "console" in fds:
            self.start(fds["console"])
            return
        self._outputs = {fds[name]: stream for stream, name in _NAMES.items() if name in fds}
        self._input = fds.get("stdin", -1)
        self._watch()

    def resize(self, height: int, width: int) -> None:
        """Give the terminal that size; without one there is nothing to do."""
        if self._master >= 0:
            resize(self._master, height, width)

    def finish_reading(self) -> None:
        """The process is dead: take what its pipes still hold, which is little, and end the log."""
        self._unsent = b""
        for fd in list(self._outputs):
            for _ in range(_LAST_READS):
                if not self._read(fd):
                    break
            if fd in self._outputs:
                self._end_output(fd)
        self._log.close()
        self._shut_input()

    def finish(self) -> None:
        """Let every client go, with what is pending for it."""
        self._finished = True
        for attachment in list(self._attachments):
            attachment.finish()
        self._tell_if_empty()

    def close(self) -> None:
        """Give everything back at once."""
        for attachment in list(self._attachments):
            attachment.close(shut=False)
        self.born()
        for fd in list(self._outputs):
            self._end_output(fd)
        self._shut_input()
        self._log.close()

    def take_input(self, data: bytes) -> bool:
        """See attachment.Process. What the program does not take now is kept, and no client is read meanwhile."""
        if self._input < 0 or self._close_input:
            return True
        if self._unsent:
            self._unsent = bytes(self._unsent) + data
        else:
            self._write(data)
        return not self._unsent

    def input_ended(self, attachment: Attachment) -> None:
        """As Docker: the program's input ends with its one client's; otherwise the client is let go."""
        if self._stdio.stdin_once and not self._stdio.terminal:
            self._close_input = True
            if not self._unsent:
                self._shut_input()
        else:
            attachment.finish()

    def drained(self) -> None:
        """A client has caught up: read on when all have."""
        if self._halted and not self._held_up:
            self._halted = False
            self._watch()

    def left(self, attachment: Attachment) -> None:
        """A client is gone."""
        if attachment in self._attachments:
            self._attachments.remove(attachment)
        self.drained()
        self._tell_if_empty()

    def _tell_if_empty(self) -> None:
        if self._finished and not self._attachments and self.on_empty is not None:
            tell, self.on_empty = self.on_empty, None
            tell()

    def _watch(self) -> None:
        for fd in self._outputs:
            events = 0 if self._halted else IN
            if fd == self._input and self._unsent:
                events |= OUT
            if events:
                self._loop.watch(fd, events, lambda got, fd=fd: self._ready(fd, got))  # type: ignore[misc]
            else:
                self._loop.forget(fd)  # epoll would report a hang-up without end
        if self._input >= 0 and self._input not in self._outputs:
            if self._unsent:
                self._loop.watch(self._input, OUT, self._input_ready)
            else:
                self._loop.forget(self._input)

    def _ready(self, fd: int, events: int) -> None:
        if events & OUT and fd == self._input and self._unsent:
            self._input_ready(events)
        if events & (IN | GONE) and fd in self._outputs and not self._halted:
            self._read(fd)

    def _read(self, fd: int) -> bool:
        """Move one piece on; False when there is none."""
        try:
            data = os.read(fd, PIECE)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # of a terminal: nobody holds the other end
                raise
            data = b""
        if not data:
            self._end_output(fd)
            return False
        stream = self._outputs[fd]
        self._log.write(stream, data)
        for attachment in list(self._attachments):
            if attachment.wants(stream):
                attachment.put(stream, data)
        if not self._halted and self._held_up:
            self._halted = True
            self._watch()
        return True

    @property
    def _held_up(self) -> bool:
        """Whether somebody has not taken his share: a client, or a log that must not lose a line."""
        return self._log.held_up or any(attachment.pending for attachment in self._attachments)

    def _end_output(self, fd: int) -> None:
        stream = self._outputs.pop(fd)
        self._loop.forget(fd)
        self._log.end(stream)
        if fd == self._master:
            self._master = self._input = -1
        os.close(fd)

    def _input_ready(self, _events: int) -> None:
        data, self._unsent = self._unsent, b""
        self._write(data)
        if self._unsent:
            return
        if self._close_input:
            self._shut_input()
        self._watch()
        for attachment in list(self._attachments):
            attachment.resume_input()

    def _write(self, data: bytes | memoryview) -> None:
        try:
            written = os.write(self._input, data)
        except BlockingIOError:
            written = 0
        except OSError:
            self._shut_input()  # the program has closed its input; what comes is dropped
            return
        if written < len(data):
            self._unsent = memoryview(data)[written:]
            self._watch()

    def _shut_input(self) -> None:
        self._unsent = b""
        if self._input >= 0 and self._input != self._master:
            self._loop.forget(self._input)
            os.close(self._input)
        self._input = -1
