"""The same bytes written by our writer and by Docker's: the files are equal but for the times."""

import re
from pathlib import Path

import pytest

from havre.logs.json_file import JSONFileWriter
from tests.support.engines import Reference

pytestmark = [pytest.mark.root, pytest.mark.reference]

TIMES = re.compile(rb'"time":"[^"]*"')
SAID = {
    "plain": b"one\ntwo\n\nthree\n",
    "no newline at the end": b"one\ntwo",
    "every byte": bytes(range(256)) * 2 + b"\n",
    "every byte alone": b"\n".join(bytes([byte]) for byte in range(256)),
    "quotes and markup": b'say "hi" \\ <b>&amp;</b> {"log":"fake\\n","stream":"stderr"}\n',
    "text": "ü€😀 a\u2028b\u2029c\ufeff\ufffe\U0010ffff\n".encode(),
    "cut text": b"\xe2\x82 \xf0\x9f\x98 \xed\xa0\x80 \xc0\x80 \xf4\x90\x80\x80 \xe2\x82\xac\xff\n",
    "a line of 16 KiB": b"x" * 16384 + b"\nnext\n",
    "a line of 16 KiB less one": b"x" * 16383 + b"\nnext\n",
    "a long line without end": b"y" * 50_000,
    "a character over the cut": b"z" * 16383 + "ü".encode() + b"\n",
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())
def test_files_are_equal(reference: Reference, tmp_path: Path, said: bytes) -> None:
    engine = reference
    engine.docker("run", "-i", "--name", "speaker", "--net=none", "busybox", "cat", stdin=said, check=True)
    try:
        theirs = Path(engine.out("inspect", "-f", "{{.LogPath}}", "speaker")).read_bytes()
    finally:
        engine.docker("rm", "-f", "speaker", check=True)
    path = tmp_path / "ours-json.log"
    writer = JSONFileWriter(path)
    writer.write(1, said)
    writer.close()
    assert TIMES.sub(b"", path.read_bytes()) == TIMES.sub(b"", theirs)
