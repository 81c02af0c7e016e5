"""The HTTP server under the dispatcher: how much it reads at once, how many connections it holds, what it logs."""

import logging
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from havre.registry.server.http.dispatch import Dispatcher

MAX_CONNECTIONS: Final = 4000
_READ_BUFFER: Final = 512 << 10
_IDLE_S: Final = 3630.0
"""An hour: Go's clients do not repeat a POST on a connection that was closed under them."""


class Listener(web.Server):
    """At most *most* connections: when they are used up, the one that has been silent longest gives way.

    Silent is a connection without a request, or with one whose headers have not all come.
    """

    def __init__(self, dispatcher: Dispatcher, most: int = MAX_CONNECTIONS) -> None:
        super().__init__(
            dispatcher,
            access_log=None,
            logger=_framing_log(),
            auto_decompress=False,  # a body is what its digest says: nobody unpacks it here
            read_bufsize=_READ_BUFFER,
            keepalive_timeout=_IDLE_S,
        )
        self._dispatcher = dispatcher
        self._most = most

    def __call__(self) -> RequestHandler:
        """The protocol of a connection that is just being accepted."""
        known = self.connections
        if len(known) >= self._most:
            silent = next((each for each in known if each not in self._dispatcher.busy), None)
            if silent is not None:
                silent.force_close()
        return super().__call__()


def _framing_log() -> logging.Logger:
    """The HTTP library's own log, without the tracebacks of requests that are none: those are answered with 400."""
    log = logging.getLogger(__name__)
    log.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
    return log
