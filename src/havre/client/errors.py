"""What can go wrong between a client and the daemon."""

from __future__ import annotations


class ClientError(Exception):
    """The request could not be made; the message is for the user."""


class ConnectionFailed(ClientError):
    """No daemon answers at *address*."""

    def __init__(self, address: str) -> None:
        super().__init__(f"Cannot connect to the Docker daemon at {address}. Is the docker daemon running?")
        self.address = address


class ApiError(ClientError):
    """The daemon refused: the HTTP status and its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
