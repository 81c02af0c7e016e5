"""The built-in token service over HTTP."""

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from havre.registry.server.auth.service import TokenService, asked_by_form, asked_by_query
from havre.registry.server.http.exchange import Exchange, as_json
from havre.registry.server.paths import Plain
from havre.registry.server.refusal import Code, Refusal

_MAX_FORM: Final = 64 << 10
_MAX_FIELDS: Final = 50


class TokenRoutes:
    """`/auth/token`: by GET as Docker asks, or by POST as OAuth 2 does."""

    def __init__(self, service: TokenService) -> None:
        self._service = service

    async def get(self, exchange: Exchange, at: Plain) -> web.StreamResponse:
        """GET, with the credentials in the Authorization header."""
        del at
        offline = exchange.query.get("offline_token", "") == "true"
        asked = asked_by_query(exchange.header("Authorization"), exchange.queries("scope"), offline=offline)
        return as_json(await self._service.answer(asked), headers={"Cache-Control": "no-store"})

    async def post(self, exchange: Exchange, at: Plain) -> web.StreamResponse:
        """POST of a form."""
        del at
        data = await exchange.read(_MAX_FORM, "a form")
        try:
            form = dict(parse_qsl(data.decode(), max_num_fields=_MAX_FIELDS))
        except ValueError as error:
            raise Refusal(Code.UNSUPPORTED, f"invalid form: {error}", status=400) from None
        return as_json(await self._service.answer(asked_by_form(form)), headers={"Cache-Control": "no-store"})
