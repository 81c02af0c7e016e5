"""A volume driver as other people write them: a program of its own that speaks Docker's plugin protocol."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

PLACE = Path("/run/docker/plugins")


class VolumePlugin:
    """Keeps each volume in a folder below *root*; *calls* is what it was asked, in order."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self.calls: list[tuple[str, str]] = []
        self.options: dict[str, dict[str, str]] = {}
        self.mounted: dict[str, set[str]] = {}

    def answer(self, call: str, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked.get("Name", "")
        self.calls.append((call, name))
        if call == "Plugin.Activate":
            return {"Implements": ["VolumeDriver"]}
        if call == "VolumeDriver.Capabilities":
            return {"Capabilities": {"Scope": "local"}}
        if call == "VolumeDriver.List":
            return {"Volumes": [{"Name": each, "Mountpoint": str(self.root / each)} for each in self.options]}
        if call == "VolumeDriver.Create":
            return self._create(name, asked.get("Opts") or {})
        if name not in self.options:
            return {"Err": f"no such volume: {name}"}
        return self._about(call, name, asked)

    def _create(self, name: str, options: dict[str, str]) -> dict[str, Any]:
        if "bad" in options:
            return {"Err": f"cannot do {options['bad']}"}
        self.options[name] = options
        (self.root / name).mkdir(exist_ok=True)
        return {"Err": ""}

    def _about(self, call: str, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        users = self.mounted.setdefault(name, set())
        if call == "VolumeDriver.Mount":
            if self.options[name].get("mount") == "fails":
                return {"Err": "the disk is on fire"}
            users.add(asked["ID"])
        elif call == "VolumeDriver.Unmount":
            users.discard(asked["ID"])
        elif call == "VolumeDriver.Remove":
            del self.options[name]
        elif call == "VolumeDriver.Get":
            mountpoint = str(self.root / name) if users else ""
            return {"Volume": {"Name": name, "Mountpoint": mountpoint, "Status": {"mood": "fine"}}}
        return {"Mountpoint": str(self.root / name)}


@contextmanager
def volume_plugin(root: Path) -> Iterator[VolumePlugin]:
    """A plugin that runs, where every engine of this machine looks for one."""
    root.chmod(0o755)
    plugin = VolumePlugin(f"hv-{os.urandom(4).hex()}", root)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = json.dumps(plugin.answer(self.path.strip("/"), json.loads(body or b"{}") or {})).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def address_string(self) -> str:
            return "engine"

        def log_message(self, *_: object) -> None:
            pass

    made = not PLACE.exists()
    PLACE.mkdir(parents=True, exist_ok=True)
    path = PLACE / f"{plugin.name}.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield plugin
        finally:
            server.shutdown()
            thread.join()
            path.unlink()
            if made:
                PLACE.rmdir()
