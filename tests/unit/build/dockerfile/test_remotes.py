from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.instructions import Add, Copy
from havre.build.dockerfile.program import read_text
from havre.build.dockerfile.remotes import GitSource, WebSource, check_sources, remote_of

GIT = "https://host.test/org/repo.git"


def git(remote: str = GIT, **fields: object) -> GitSource:
    return GitSource(remote=remote, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["a", "./a", "/a/b.git", "C:/a", "ftp://a/b", "file:///a", "ext::sh", "a:b", ""])
def test_paths(source: str) -> None:
    assert remote_of(source) is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h.test/a/b.txt", "b.txt"),
        ("HTTPS://h.test/a/b.txt?x=y#z", "b.txt"),
        ("http://h.test/", "__unnamed__"),
        ("http://h.test", "__unnamed__"),
        ("http://h.test/a/", "a"),
        ("http://h.test/a%2Fb", "b"),
        ("http://h.test/%2e%2e", "__unnamed__"),
        ("http://h.test/a%00b", "__unnamed__"),
        ("http://h.test/r.git/x", "x"),
    ],
)
def test_web_addresses(url: str, name: str) -> None:
    assert remote_of(url) == WebSource(url, name)


@pytest.mark.parametrize(
    ("source", "remote"),
    [
        (GIT, git()),
        (f"{GIT}#v1", git(ref="v1")),
        (f"{GIT}#v1:a/b", git(ref="v1", subdir="a/b")),
        (f"{GIT}#:a/../../b/", git(subdir="b")),
        (f"{GIT}#v1%3Ax", git(ref="v1", subdir="x")),
        ("git@host.test:org/repo.git#main:x", git("git@host.test:org/repo.git", ref="main", subdir="x")),
        ("git@host.test:org/repo.git?ref=a", git("git@host.test:org/repo.git", ref="a")),
        ("ssh://git@host.test:22/org/repo", git("ssh://git@host.test:22/org/repo")),
        ("git://host.test/repo", git("git://host.test/repo")),
        (f"{GIT}?tag=v1", git(ref="refs/tags/v1")),
        (f"{GIT}?branch=refs/heads/b", git(ref="refs/heads/b")),
        (f"{GIT}?ref=a&subdir=s#a:s", git(ref="a", subdir="s")),
        (
            f"{GIT}?keep-git-dir&submodules=false&fetch-by-commit=1&mtime=commit&checksum=c0ffee",
            git(keep_git_dir=True, submodules=False, fetch_by_commit=True, mtime="commit", checksum="c0ffee"),
        ),
        (f"{GIT}?commit=c0ffee", git(checksum="c0ffee")),
    ],
)
def test_repositories(source: str, remote: GitSource) -> None:
    assert remote_of(source) == remote


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (f"{GIT}?x=y", 'unexpected query "x"'),
        (f"{GIT}?ref=a&ref=b", 'query "ref" has multiple values'),
        (f"{GIT}?ref=", 'query "ref" has no value'),
        (f"{GIT}?ref=a#b", 'ref conflicts: "b" vs "a"'),
        (f"{GIT}?tag=a#b", 'ref conflicts: "b" vs "refs/tags/a"'),
        (f"{GIT}?subdir=a#:b", 'subdir conflicts: "b" vs "a"'),
        (f"{GIT}?tag=a&branch=b", "branch conflicts with tag"),
        (f"{GIT}?submodules=x", 'invalid submodules value: "x"'),
        (f"{GIT}?mtime=x", 'invalid mtime value: "x" (must be "checkout" or "commit")'),
        (f"{GIT}#--upload-pack=x", 'invalid git reference "--upload-pack=x"'),
        ("-o@host.test:x", 'invalid git reference "-o@host.test:x"'),
        ("http://[x", 'invalid address "http://[x": Invalid IPv6 URL'),
        (f"{GIT}?{'&'.join('ref' for _ in range(40))}", "invalid query "),
    ],
)
def test_what_is_refused(source: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        remote_of(source)
    assert caught.value.reason.startswith(reason)


def transfer(text: str) -> Copy | Add:
    (found,) = read_text(f"FROM x\n{text}").stages[0].instructions
    assert isinstance(found, Copy | Add)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "COPY a b /c",
        f"ADD a http://h.test/b {GIT} /c/",
        "ADD --checksum=sha256:a http://h.test/b /c",
        f"ADD --checksum=c0ffee --keep-git-dir {GIT}?commit=c0ffee&keep-git-dir=true /c",
        f"ADD --keep-git-dir {GIT} /c",
    ],
)
def test_sources_that_may_be(text: str) -> None:
    check_sources(transfer(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("COPY http://h.test/a b", "source can't be a URL for COPY"),
        (f"COPY {GIT} b", "source can't be a git ref for COPY"),
        ("ADD --checksum=a b c d/", "checksum can't be specified for multiple sources"),
        ("ADD --checksum=a b d", "checksum requires HTTP(S) or Git sources"),
        (f"ADD --keep-git-dir=false {GIT}?keep-git-dir=1 d", "inconsistent keep-git-dir configuration"),
        (f"ADD --checksum=a {GIT}?checksum=b d", 'checksum mismatch "a" != "b"'),
        (f"ADD {GIT}?x=1 d", 'unexpected query "x"'),
    ],
)
def test_sources_that_may_not(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        check_sources(transfer(text))
    assert (caught.value.reason, caught.value.location) == (reason, Location(2, 2))


@given(st.text("htps:/git@.?#&=%-[a2e\0", max_size=24), st.sampled_from(["", "http://", "git@h:", GIT]))
def test_any_text_is_read_or_refused(text: str, begin: str) -> None:
    try:
        found = remote_of(begin + text)
    except DockerfileError:
        return
    if isinstance(found, WebSource):
        assert "/" not in found.file_name
        assert found.file_name not in {"", ".", ".."}
    if isinstance(found, GitSource):
        assert not found.ref.startswith("-")
        assert ".." not in found.subdir.split("/")
