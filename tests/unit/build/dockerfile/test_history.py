from __future__ import annotations

import pytest

from havre.build.dockerfile.history import created_by
from havre.build.dockerfile.program import read_text

SHELL = ("/bin/sh", "-c")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("run a  b", "RUN /bin/sh -c a  b"),
        ('RUN ["a", "b"]', "RUN a b"),
        ("RUN <<E\na\nE", "RUN /bin/sh -c a\n"),
        ("CMD a", 'CMD ["/bin/sh" "-c" "a"]'),
        ('ENTRYPOINT ["a"]', 'ENTRYPOINT ["a"]'),
        ("ENV a=1 b=2", "ENV a=1 b=2"),
        ("LABEL a 1", "LABEL a=1"),
        (
            "COPY --from=a --parents --chown=1 --chmod=2 b <<E c\nE",
            "COPY --from=a --parents --chown=1 --chmod=2 b <<E c",
        ),
        ("ADD a b", "ADD a b"),
        ("EXPOSE 80 90", "EXPOSE [80 90]"),
        ("VOLUME /a /b", "VOLUME [/a /b]"),
        ('SHELL ["a", "b"]', "SHELL [a b]"),
        ("USER a", "USER a"),
        ("WORKDIR /a", "WORKDIR /a"),
        ("STOPSIGNAL 9", "STOPSIGNAL 9"),
        ("MAINTAINER a b", "MAINTAINER a b"),
        ("onbuild RUN a", "ONBUILD RUN a"),
        ("healthcheck --retries=1 CMD a", "HEALTHCHECK --retries=1 CMD a"),
    ],
)
def test_lines(text: str, line: str) -> None:
    (instruction,) = read_text(f"FROM x\n{text}").stages[0].instructions
    assert created_by(instruction, SHELL) == line


def test_args() -> None:
    run, arg = read_text("FROM x\nRUN a\nARG b c d=1").stages[0].instructions
    assert created_by(run, SHELL, {"b": "1", "c": ""}) == "RUN |2 b=1 c= /bin/sh -c a"
    assert created_by(arg, SHELL, {"b": "2", "c": None, "d": "1"}) == "ARG b=2 c d=1"
