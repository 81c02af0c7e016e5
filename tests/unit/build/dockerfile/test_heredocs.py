from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.heredocs import heredocs_of, read_heredoc
from havre.build.dockerfile.nodes import Heredoc


@pytest.mark.parametrize(
    ("word", "heredoc"),
    [
        ("<<EOF", Heredoc("EOF")),
        ("<<-EOF", Heredoc("EOF", chomp=True)),
        ("3<<EOF", Heredoc("EOF", descriptor=3)),
        ("<<'EOF'", Heredoc("EOF", expand=False)),
        ('<<E"O"F', Heredoc("EOF", expand=False)),
        ("<< EOF", Heredoc("EOF")),
        ("<<\\EOF", Heredoc("EOF")),
        ("<<$X", Heredoc("$X")),
        (f"{'9' * 30}<<E", Heredoc("E", descriptor=999999999)),
        ("<<", None),
        ("<<-", None),
        ("<<<EOF", None),
        ("<EOF", None),
        ("x<<EOF", None),
        ("<<A B", None),
        ("EOF", None),
    ],
)
def test_words(word: str, heredoc: Heredoc | None) -> None:
    assert read_heredoc(word) == heredoc


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("RUN cat <<A", ["A"]),
        ("RUN cat <<A <<B 3<<-C", ["A", "B", "C"]),
        ("RUN cat << A", ["A"]),
        ("RUN cat <<- A", ["A"]),
        ("RUN cat << -A", ["-A"]),
        ("RUN echo '<<A'", []),
        ("RUN echo \\<<A", []),
        ("RUN cat <<<A", []),
        ("RUN it's <<A", []),
        ("RUN echo $x <<A", ["A"]),
        ("RUN a", []),
    ],
)
def test_lines(line: str, names: list[str]) -> None:
    assert [heredoc.name for heredoc in heredocs_of(line)] == names


@given(st.text("<-'\"ab \\$3", max_size=10))
def test_any_word_is_read_or_refused(word: str) -> None:
    try:
        heredoc = read_heredoc(word)
    except DockerfileError:
        return
    assert heredoc is None or heredoc.name
