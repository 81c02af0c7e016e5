"""A netlink socket: batches of requests in one system call, errors with the kernel's own explanation."""

import errno
import os
import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from havre.kernel.libc import KernelError
from havre.kernel.netlink.codec import (
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    MalformedMessage,
    Message,
    Request,
    parse_attributes,
    parse_messages,
    to_number,
    to_text,
)

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_CAP_ACK = 10
_EXT_ACK = 11
_GET_STRICT_CHK = 12
_NLM_F_CAPPED = 0x100
_NLM_F_ACK_TLVS = 0x200
_NLMSGERR_ATTR_MSG = 1
_ERROR = struct.Struct("=i")
_HEADER_SIZE = 16
_RECEIVE = 1 << 18
_BATCH = 1 << 16
_BATCH_REQUESTS = 64  # the acknowledgements of all must fit the socket's receive buffer
_DUMP_TRIES = 10


class Netlink:
    """One socket in the network namespace of the thread that makes it, wherever it is used later.

    For one thread at a time.
    """

    def __init__(self, protocol: int = NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0
        try:
            # Without CAP_ACK each acknowledgement would carry the request again; EXT_ACK adds the reason.
            self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)
            self._socket.bind((0, 0))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back; closing twice is no error."""
        self._socket.close()

    def fileno(self) -> int:
        """The descriptor, for poll."""
        return self._socket.fileno()

    def send(self, requests: Sequence[Request]) -> None:
        """Have the kernel do *requests* in order, in as few system calls as they fit.

        The kernel goes on after one that fails; when all are answered, the first failure is raised as
        KernelError. What the others did stays done: the caller undoes.
        """
        for error in self.outcomes(requests):
            if error is not None:
                raise error

    def outcomes(self, requests: Sequence[Request]) -> list[KernelError | None]:
        """As `send`, but tells what became of each request."""
        results: list[KernelError | None] = []
        batch: list[Request] = []
        size = 0
        for request in requests:
            length = len(request.body) + _HEADER_SIZE + 3
            if len(batch) == _BATCH_REQUESTS or (batch and size + length > _BATCH):
                results += self._exchange(batch)
                batch, size = [], 0
            batch.append(request)
            size += length
        if batch:
            results += self._exchange(batch)
        return results

    def transact(self, begin: Request, requests: Sequence[Request], end: Request) -> None:
        """Have the kernel do all of *requests* or nothing, between the marks of a batch of nfnetlink.

        Raises KernelError for the first that was refused.
        """
        first = self._sequence + 1
        self._sequence += len(requests) + 2
        parts = [begin.encode(first, answered=False)]
        parts += [request.encode(first + 1 + at) for at, request in enumerate(requests)]
        parts.append(end.encode(self._sequence, answered=False))
        self._socket.send(b"".join(parts))
        answers: dict[int, KernelError | None] = {}
        while len(answers) < len(requests):
            for message in parse_messages(self._receive()):
                at = message.sequence - first - 1
                if message.kind != NLMSG_ERROR:
                    continue
                failure = _failure(message, requests[at] if 0 <= at < len(requests) else begin)
                if failure is not None:  # nothing of the batch was done, and what follows is not told
                    raise failure
                answers[at] = None

    def ask(self, request: Request) -> Message | None:
        """The one message that answers *request*; None where it failed in a harmless way. Raises KernelError."""
        answers: list[Message] = []
        for error in self._exchange([request], answers):
            if error is not None:
                raise error
        return answers[0] if answers else None

    def dump(self, request: Request) -> list[Message]:
        """Everything that the kernel lists for *request*; asked again when the list changed under way."""
        for _ in range(_DUMP_TRIES):
            messages, interrupted = self._dump_once(request)
            if not interrupted:
                return messages
        raise KernelError(errno.EINTR, f"{request.what}: the list changes faster than it is read")

    def join(self, group: int) -> None:
        """Hear what is told to multicast *group* from now on."""
        self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)

    def heard(self) -> list[Message]:
        """What arrived from the groups, without waiting. Raises OSError ENOBUFS when some of it was lost."""
        messages: list[Message] = []
        while True:
            try:
                messages += parse_messages(self._receive(socket.MSG_DONTWAIT))
            except BlockingIOError:
                return messages

    def _exchange(self, batch: Sequence[Request], others: list[Message] | None = None) -> list[KernelError | None]:
        """Send *batch* and wait for all acknowledgements; what else answers it is added to *others*."""
        first = self._sequence + 1
        self._sequence += len(batch)
        self._socket.send(b"".join(request.encode(first + at) for at, request in enumerate(batch)))
        answers: dict[int, KernelError | None] = {}
        while len(answers) < len(batch):
            for message in parse_messages(self._receive()):
                at = message.sequence - first
                if not 0 <= at < len(batch):
                    continue
                if message.kind == NLMSG_ERROR:
                    answers[at] = _failure(message, batch[at])
                elif others is not None:
                    others.append(message)
        return [answers[at] for at in range(len(batch))]

    def _dump_once(self, request: Request) -> tuple[list[Message], bool]:
        self._sequence += 1
        wanted = Request(request.kind, request.body, request.what, request.flags | NLM_F_DUMP)
        self._socket.send(wanted.encode(self._sequence))
        found: list[Message] = []
        interrupted = False
        while True:
            for message in parse_messages(self._receive()):
                if message.sequence != self._sequence:
                    continue
                interrupted = interrupted or bool(message.flags & NLM_F_DUMP_INTR)
                if message.kind in (NLMSG_DONE, NLMSG_ERROR):
                    if (error := _failure(message, wanted)) is not None:
                        raise error
                    return found, interrupted
                found.append(message)

    def _receive(self, how: int = 0) -> bytes:
        data, _, flags, sender = self._socket.recvmsg(_RECEIVE, 0, how)
        if flags & socket.MSG_TRUNC:
            raise MalformedMessage(f"netlink answer longer than {_RECEIVE} bytes")
        # Any process may send to our port; only port 0 is the kernel.
        return data if sender[0] == 0 else b""


def _failure(message: Message, request: Request) -> KernelError | None:
    """The error that an acknowledgement or the end of a list tells, in a whole sentence."""
    if len(message.body) < _ERROR.size:
        return None
    number = -_ERROR.unpack_from(message.body)[0]
    if number <= 0 or number in request.harmless:
        return None
    reason = _explanation(message)
    said = os.strerror(number)
    return KernelError(number, f"{request.what}: {said}" + (f" ({reason})" if reason else ""))


def _explanation(message: Message) -> str:
    """The kernel's extended acknowledgement text, or nothing."""
    if not message.flags & _NLM_F_ACK_TLVS:
        return ""
    behind = _ERROR.size
    if message.kind == NLMSG_ERROR:
        behind += _HEADER_SIZE
        if not message.flags & _NLM_F_CAPPED:
            behind = _ERROR.size + ((to_number(message.body[4:8]) + 3) & ~3)
    try:
        return to_text(parse_attributes(message.body[behind:]).get(_NLMSGERR_ATTR_MSG, b""))
    except MalformedMessage:
        return ""
