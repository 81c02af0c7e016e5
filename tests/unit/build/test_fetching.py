"""What ADD takes from elsewhere has its own name, whatever a pattern would make of that."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from havre.build.context import Contexts
from havre.build.dockerfile.origins import ContextOrigin
from havre.build.fetching import Fetching
from havre.build.graph import CopyOperation
from havre.build.model import NOTHING_LENT
from havre.build.steps.picking import pick


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Names) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Names(http.server.BaseHTTPRequestHandler):
    """Gives the name that it is asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.mark.parametrize(("written", "name"), [("data%5B1%5D.txt", "data[1].txt"), ("a%2Ab", "a*b"), ("c%5Cd", "c\\d")])
async def test_a_name_is_no_pattern(address: str, tmp_path: Path, written: str, name: str) -> None:
    contexts = Contexts(tmp_path)
    contexts.open()
    async with AsyncExitStack() as undo:
        wanted = CopyOperation(
            origin=ContextOrigin("none"), sources=(f"{address}/{written}",), destination="/x/", is_add=True
        )
        operation, (fetched,) = await Fetching(contexts, NOTHING_LENT, undo).fetch(wanted)
        assert operation.sources == ()
        (found,) = pick(fetched.context.root, fetched.sources)
        assert found.path == f"/{name}"
        assert (fetched.context.folder / name).read_text() == f"/{written}"
    contexts.close()
