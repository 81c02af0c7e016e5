"""Webhooks: Docker's envelope for every push, however often the endpoint fails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tests.root.registry.conftest import Serve
from tests.support.oci_images import digest, image
from tests.support.pushing import push
from tests.support.registries import HavreRegistry


class Hook(BaseHTTPRequestHandler):
    refusals: ClassVar[int] = 0
    taken: ClassVar[list[tuple[dict[str, str], dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = type(self)
        if kind.refusals:
            kind.refusals -= 1
            self.send_response(503)
        else:
            kind.taken.append((dict(self.headers.items()), json.loads(body)))
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hook(refusals: int = 0) -> Iterator[tuple[str, type[Hook]]]:
    class Handler(Hook):
        taken: ClassVar[list[tuple[dict[str, str], dict[str, Any]]]] = []

    Handler.refusals = refusals
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", Handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def events(handler: type[Hook], count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while len(handler.taken) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return [event for _, body in handler.taken for event in body["events"]]


def wait_delivered(registry: HavreRegistry, count: int) -> None:
    """Wait until the registry knows that *count* notices were taken."""
    deadline = time.monotonic() + 60
    line = f"havre_registry_webhook_delivered_total {count}\n"
    while line not in registry.request("GET", "/metrics").body.decode():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_push_is_told_in_dockers_envelope(serve: Serve) -> None:
    with hook() as (url, handler):
        endpoint = {"name": "one", "url": url, "headers": {"Authorization": ["Bearer x"]}}
        registry = serve(config={"notifications": {"endpoints": [endpoint]}})
        made = push(registry, "a/b", image(1), "v1", User_Agent="tester/1")
        found = events(handler, 3)
        assert [event["action"] for event in found] == ["push"] * 3
        last = found[-1]
        assert last["target"] == {
            "mediaType": made.media_type, "size": len(made.manifest), "length": len(made.manifest),
            "digest": made.digest, "repository": "a/b", "tag": "v1",
            "url": f"http://{registry.domain}/v2/a/b/manifests/{made.digest}",
        }  # fmt: skip
        assert last["request"]["method"] == "PUT"
        assert last["request"]["useragent"] == "tester/1"
        headers = handler.taken[0][0]
        assert headers["Content-Type"] == "application/vnd.docker.distribution.events.v2+json"
        assert headers["Authorization"] == "Bearer x"
        registry.request("GET", "/v2/a/b/manifests/v1")
        registry.request("POST", f"/v2/a/c/blobs/uploads/?mount={digest(made.blobs[0])}&from=a/b")
        registry.request("DELETE", f"/v2/a/b/manifests/{made.digest}")
        assert [event["action"] for event in events(handler, 6)[3:]] == ["pull", "mount", "delete"]


def test_an_endpoint_that_fails_is_tried_again_in_order(serve: Serve) -> None:
    with hook(refusals=4) as (url, handler):
        endpoint = {"url": url, "backoff": "50ms", "ignoredmediatypes": ["application/octet-stream"]}
        registry = serve(config={"notifications": {"endpoints": [endpoint]}})
        for tag in ("one", "two", "three"):
            push(registry, "a/b", image(1), tag)
        assert [event["target"]["tag"] for event in events(handler, 3)] == ["one", "two", "three"]
        assert "havre_registry_webhook_failed_total 4" in registry.request("GET", "/metrics").body.decode()


def test_what_waits_outlives_a_crash(serve: Serve) -> None:
    with hook(refusals=1_000_000) as (url, handler):
        endpoint = {"url": url, "backoff": "50ms", "ignoredmediatypes": ["application/octet-stream"]}
        registry = serve(config={"notifications": {"endpoints": [endpoint]}})
        for number in range(4):
            push(registry, "a/b", image(1), f"v{number}")
        registry.kill()
        registry.start()
        push(registry, "a/b", image(1), "v4")
        handler.refusals = 0
        assert [event["target"]["tag"] for event in events(handler, 5)] == ["v0", "v1", "v2", "v3", "v4"]
        wait_delivered(registry, 5)
        registry.stop()
        registry.start()
        push(registry, "a/b", image(1), "v5")
        assert events(handler, 6)[-1]["target"]["tag"] == "v5", "what was taken does not come again"


def test_what_waits_for_an_endpoint_that_is_no_more_is_forgotten(serve: Serve) -> None:
    with hook() as (url, handler):
        registry = serve(config={"notifications": {"endpoints": [{"url": "http://127.0.0.1:1/", "name": "old"}]}})
        push(registry, "a/b", image(1), "v1")
        registry.kill()
        registry.config = {"notifications": {"endpoints": [{"url": url, "name": "new"}]}}
        registry.start()
        registry.request("GET", "/v2/a/b/manifests/v1")
        assert [event["action"] for event in events(handler, 1)] == ["pull"]
        assert "havre_registry_webhook_waiting 0" in registry.request("GET", "/metrics").body.decode()


def test_an_endpoint_that_is_away_holds_nothing_up(serve: Serve) -> None:
    endpoint = {"url": "http://127.0.0.1:1/", "queue": 5, "backoff": "1h"}
    registry = serve(config={"notifications": {"endpoints": [endpoint]}})
    for _ in range(5):
        push(registry, "a/b", image(1), "v1")
    lines = registry.request("GET", "/metrics").body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("havre_registry_webhook"))
    assert values["havre_registry_webhook_waiting"] == "5"
    assert int(values["havre_registry_webhook_dropped_total"]) == 15 - 1 - 5
