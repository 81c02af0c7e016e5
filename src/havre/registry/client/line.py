"""One endpoint and one user: conversations carried out, failures of the moment tried again."""

import asyncio
from collections.abc import Callable
from typing import Final

from havre.registry.client.endpoints import Endpoint, is_insecure
from havre.registry.client.errors import Refused, Unreachable
from havre.registry.client.exchange import Answer, Conversation, Reply, Request, Transport, origin
from havre.registry.client.following import followed
from havre.registry.client.keyring import Keyring
from havre.registry.client.pauses import Attempts, retry_after_s
from havre.registry.client.refusals import refusal
from havre.registry.client.settings import Settings

Told = Callable[[float], None]
"""Called with the seconds of a pause before another attempt."""
_OK: Final = range(200, 300)


def silent(_pause_s: float) -> None:
    """Nobody wants to know of pauses."""


class Line:
    """Asks one registry as one user."""

    def __init__(self, endpoint: Endpoint, keyring: Keyring, transport: Transport, settings: Settings) -> None:
        self.endpoint = endpoint
        self.keyring = keyring
        self.settings = settings
        self._transport = transport

    def url(self, rest: str) -> str:
        """The URL of *rest* in this repository."""
        return f"{self.endpoint.base}/v2/{self.endpoint.repository}/{rest}"

    def attempts(self) -> Attempts:
        """A fresh count of failures."""
        return Attempts(self.settings.attempts, self.settings.pause_s)

    async def once(self, request: Request, *scopes: str) -> Answer:
        """The answer to *request*, redirects followed and rights asked for.

        Raises Unreachable, BadAnswer, LoginNeeded.
        """
        return await self._carry_out(followed(request, lambda one: self.keyring.talk(one, scopes)))

    async def ask(self, request: Request, *scopes: str, told: Told = silent) -> Answer:
        """The same; what fails for the moment is tried again."""
        attempts = self.attempts()
        while True:
            asked_s: float | None = None
            try:
                answer = await self.once(request, *scopes)
                if not (said := refusal(answer.reply)).transient:
                    return answer
                answer.close()
                failure = said.error(f"{request.method} {self.endpoint.base}")
                asked_s = retry_after_s(answer.reply.headers)
            except Refused:
                raise
            except Unreachable as error:
                failure = error
            pause_s = attempts.failed(asked_s)
            if pause_s is None:
                raise failure
            told(pause_s)
            await asyncio.sleep(pause_s)

    async def fetch(self, request: Request, *scopes: str) -> Reply:
        """The reply to a *whole* request, its connection given back."""
        answer = await self.ask(request, *scopes)
        answer.close()
        return answer.reply

    async def _carry_out(self, conversation: Conversation) -> Answer:
        """Send what *conversation* yields until it has what it wants; the answer that counts stays open."""
        request = next(conversation)
        while True:
            answer = await self._transport.send(request, verify=self._verifies(request))
            try:
                answer.reply = await _with_body(request, answer)
                request = conversation.send(answer.reply)
            except StopIteration:
                return answer
            except BaseException:
                answer.close()
                raise
            answer.close()

    def _verifies(self, request: Request) -> bool:
        if origin(request.url) == origin(self.endpoint.base):
            return self.endpoint.verify
        return not is_insecure(self.settings, request.url.partition("://")[2].partition("/")[0])


async def _with_body(request: Request, answer: Answer) -> Reply:
    reply = answer.reply
    if reply.status in _OK:
        body = await answer.read() if request.whole else b""
    else:
        body = await answer.read_error()
    return Reply(reply.status, reply.headers, body)
