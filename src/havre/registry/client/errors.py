"""What a registry may answer, by meaning; the words are those that docker prints."""

from havre.base.errors import Forbidden, InternalError, NotFound, Unauthenticated, Unavailable


class NotThere(NotFound):
    """The registry has no such repository, manifest or blob, or does not say so to strangers."""


class Denied(Forbidden):
    """The registry knows who asks, and does not allow it."""


class LoginNeeded(Unauthenticated):
    """The registry wants to know who asks, or does not believe the answer."""


class Unreachable(Unavailable):
    """The registry does not answer, or breaks off; the same request may work later."""


class Refused(Unreachable):
    """Nobody listens there, or nobody knows where: asking again at once does not help."""


class BadAnswer(InternalError):
    """The registry answers what the protocol does not allow; asking again would not help."""
