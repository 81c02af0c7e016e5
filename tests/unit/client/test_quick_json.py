from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.client.errors import ClientError
from havre.client.quick_json import loads

_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(_documents, st.booleans(), st.sampled_from(["", " ", "\n", "\r\n\t"]))
def test_it_reads_what_json_reads(document: object, ascii_only: bool, space: str) -> None:  # noqa: FBT001  hypothesis gives it
    data = f"{space}{json.dumps(document, ensure_ascii=ascii_only)}{space}".encode()
    if b"\\ud" in data or ascii_only:
        assert loads(data) == json.loads(data)
    else:
        assert loads(data) == document


def test_numbers_keep_their_kind() -> None:
    assert loads(b"[9223372036854775808, 1.5, 1e3, -0]") == [2**63, 1.5, 1000.0, 0]
    assert math.isclose(0.1, float(str(loads(b"0.1"))))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"[1,",
        b'{"a" 1}',
        b"{'a': 1}",
        b"nul",
        b"NaN",
        b"-Infinity",
        b"[Infinity]",
        b'"\n"',
        b"\xef\xbb\xbf{}",
        b"<html>502 Bad Gateway</html>",
        b"404 page not found",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b"\x00",
    ],
)
def test_what_is_no_json(data: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        loads(data)
    assert len(str(caught.value)) < 1000


def test_bytes_that_are_no_text_do_not_end_the_client() -> None:
    assert loads(b'"\xff"') == "\ufffd"


@pytest.mark.parametrize("document", [b"{}", b'["' + b"x" * 500 + b'"]'])
def test_what_follows_the_document_is_told(document: bytes) -> None:
    with pytest.raises(ClientError, match="goes on after its JSON: 'rest of it'"):
        loads(document + b"rest of it")


def test_without_the_scanner_of_cpython_the_json_package_serves() -> None:
    code = (
        "import sys; sys.modules['_json'] = None\n"
        "from havre.client.quick_json import loads\n"
        "assert 'json' in sys.modules and loads(b' {\"a\": [1, 2.5, null]} ') == {'a': [1, 2.5, None]}\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_the_json_package_is_not_loaded() -> None:
    code = "import sys; from havre.client.quick_json import loads; loads(b'{}'); assert 'json' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-S", "-c", code], env=environment, check=True)
