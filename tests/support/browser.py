"""Debian's chromium without a screen, driven by the WebDriver protocol (W3C), in a test host."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.hosts import Host

PORT = 9515
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_PATIENCE_S = 60
_OPTIONS = {
    "browserName": "chrome",
    "goog:chromeOptions": {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=900,520"]},
}


class Browser:
    """One window; *ask* sends a command to the driver, which listens in the host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._session = str(self.ask("POST", "/session", {"capabilities": {"alwaysMatch": _OPTIONS}})["sessionId"])

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One command: curl in the host's network namespace, since the driver listens there only."""
        words = ["curl", "-s", "-X", method, f"http://127.0.0.1:{PORT}{path}"]
        if body is not None:
            words += ["-d", json.dumps(body)]
        answer = json.loads(self._host.run(*words).stdout)["value"]
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def open(self, address: str) -> None:
        self.ask("POST", f"/session/{self._session}/url", {"url": address})

    def tab(self, address: str) -> str:
        """Open *address* in a further tab and return the tab's handle."""
        handle = str(self.ask("POST", f"/session/{self._session}/window/new", {"type": "tab"})["handle"])
        self.switch(handle)
        self.open(address)
        return handle

    def here(self) -> str:
        return str(self.ask("GET", f"/session/{self._session}/window"))

    def switch(self, handle: str) -> None:
        self.ask("POST", f"/session/{self._session}/window", {"handle": handle})

    def click(self, selector: str) -> None:
        self.ask("POST", f"/session/{self._session}/element/{self._find(selector)}/click", {})

    def text(self, selector: str) -> str:
        return str(self.ask("GET", f"/session/{self._session}/element/{self._find(selector)}/text"))

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.ask("GET", f"/session/{self._session}/screenshot")))

    def close(self) -> None:
        self.ask("DELETE", f"/session/{self._session}")

    def _find(self, selector: str) -> str:
        wanted = {"using": "css selector", "value": selector}
        return str(self.ask("POST", f"/session/{self._session}/element", wanted)[_ELEMENT])


@contextmanager
def chromium(host: Host) -> Iterator[Browser]:
    driver = subprocess.Popen(
        host.enter("chromedriver", f"--port={PORT}"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: host.run("curl", "-sf", f"http://127.0.0.1:{PORT}/status", check=False).returncode == 0)
        browser = Browser(host)
        try:
            yield browser
        finally:
            browser.close()
    finally:
        driver.terminate()
        driver.wait(30)


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)
