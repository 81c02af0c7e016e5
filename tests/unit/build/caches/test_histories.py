"""Lines of a history, whoever wrote them."""

from __future__ import annotations

import pytest

from havre.build.caches.histories import plain


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("/bin/sh -c #(nop)  ENV A=b", "ENV A=b"),
        ("/bin/sh -c #(nop) WORKDIR /w", "WORKDIR /w"),
        ("ENV A=b", "ENV A=b"),
        ("/bin/sh -c make", "/bin/sh -c make"),
        ("RUN /bin/sh -c make", "/bin/sh -c make"),
        ("RUN /bin/sh -c make # buildkit", "/bin/sh -c make"),
        ("|1 A=b /bin/sh -c make", "|1 A=b /bin/sh -c make"),
    ],
)
def test_plain(line: str, meant: str) -> None:
    assert plain(line) == meant
