"""Errors named by what they mean; `api.status` alone turns a meaning into an HTTP status."""


class HavreError(Exception):
    """Something that a caller asked for did not happen; the message says what was tried, on what."""

    @property
    def message(self) -> str:
        """The sentence for the user."""
        return str(self)


class InvalidInput(HavreError):
    """The request itself is wrong, whatever the state of the engine."""


class NotFound(HavreError):
    """What the request names does not exist."""


class Conflict(HavreError):
    """The request is right, but not in the present state."""


class NotModified(HavreError):
    """What was asked for is already so (304 in the Engine API)."""


class Forbidden(HavreError):
    """The caller may not do this."""


class Unauthenticated(HavreError):
    """Who asks must be told first, or is not believed."""


class NotSupported(HavreError):
    """Havre, this host or this build does not offer what was asked for."""


class Unavailable(HavreError):
    """A part that is needed does not answer now; the same request may work later."""


class ResourceExhausted(HavreError):
    """No space, memory, descriptors or addresses are left."""


class InternalError(HavreError):
    """The engine failed at something that should have worked."""
