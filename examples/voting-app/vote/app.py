"""The vote page: two buttons; each vote goes to the queue in Redis."""

import json
import os
import secrets
import signal
import socket
import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import redis

OPTIONS = {"a": os.environ.get("OPTION_A", "Cats"), "b": os.environ.get("OPTION_B", "Dogs")}
QUEUE = redis.Redis(host="redis", socket_timeout=5)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{a} or {b}?</title><style>
body {{ font-family: sans-serif; text-align: center; margin: 4em; background: #f4f4f2 }}
button {{ font-size: 2em; margin: .5em; padding: 1em 2em; border: 0; border-radius: .3em; color: #fff; cursor: pointer }}
#a {{ background: #2b7a78 }} #b {{ background: #b5533c }} .chosen {{ outline: .2em solid #222 }} footer {{ color: #777 }}
</style></head><body><h1>{a} or {b}?</h1><form method="post">
<button id="a" name="vote" value="a" class="{class_a}">{a}</button>
<button id="b" name="vote" value="b" class="{class_b}">{b}</button></form>
<p id="said">{said}</p><footer>answered by {host}</footer></body></html>
"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            QUEUE.ping()
            self.answer("ok", self.voter())
            return
        self.answer(self.page(""), self.voter())

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        vote = parse_qs(self.rfile.read(min(length, 4096)).decode()).get("vote", [""])[0]
        voter = self.voter()
        if vote in OPTIONS:
            QUEUE.rpush("votes", json.dumps({"voter": voter, "vote": vote}))
        self.answer(self.page(vote), voter)

    def voter(self) -> str:
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("voter")
        return cookie.value if cookie and cookie.value.isalnum() else secrets.token_hex(8)

    def page(self, vote: str) -> str:
        chosen = {f"class_{key}": "chosen" if key == vote else "" for key in OPTIONS}
        said = f"You voted for {OPTIONS[vote]}." if vote in OPTIONS else "Your vote can be changed at any time."
        return PAGE.format(**OPTIONS, **chosen, said=said, host=socket.gethostname())

    def answer(self, text: str, voter: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", f"voter={voter}; Path=/; HttpOnly; SameSite=Lax")
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # the first process of a container has no default action
ThreadingHTTPServer(("", 80), Handler).serve_forever()
