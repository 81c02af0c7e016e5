from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.oci.reference import Reference, is_tag

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8
HEX64 = "deadbeef" * 8

GOOD = [
    # what is typed, the normalised form, the familiar form
    ("busybox", "docker.io/library/busybox", "busybox"),
    ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
    ("busybox:Latest_-.x", "docker.io/library/busybox:Latest_-.x", "busybox:Latest_-.x"),
    ("busybox:_", "docker.io/library/busybox:_", "busybox:_"),
    (f"busybox@{SHA256}", f"docker.io/library/busybox@{SHA256}", f"busybox@{SHA256}"),
    (f"busybox@{SHA512}", f"docker.io/library/busybox@{SHA512}", f"busybox@{SHA512}"),
    (f"busybox:1@{SHA256}", f"docker.io/library/busybox:1@{SHA256}", f"busybox:1@{SHA256}"),
    ("library/busybox", "docker.io/library/busybox", "busybox"),
    ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
    ("docker.io/library/busybox", "docker.io/library/busybox", "busybox"),
    ("index.docker.io/busybox", "docker.io/library/busybox", "busybox"),
    ("index.docker.io/someone/app", "docker.io/someone/app", "someone/app"),
    ("library/distros/ubuntu", "docker.io/library/distros/ubuntu", "library/distros/ubuntu"),
    ("someone/app", "docker.io/someone/app", "someone/app"),
    ("a/b/c/d", "docker.io/a/b/c/d", "a/b/c/d"),
    ("localhost", "docker.io/library/localhost", "localhost"),
    ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
    ("localhost/app", "localhost/app", "localhost/app"),
    ("localhost:5000/app:5000", "localhost:5000/app:5000", "localhost:5000/app:5000"),
    ("host:5000/app", "host:5000/app", "host:5000/app"),
    (f"host:5000/app:1@{SHA256}", f"host:5000/app:1@{SHA256}", f"host:5000/app:1@{SHA256}"),
    ("127.0.0.1:5000/app", "127.0.0.1:5000/app", "127.0.0.1:5000/app"),
    ("example.com/app", "example.com/app", "example.com/app"),
    ("EXAMPLE.com/app", "EXAMPLE.com/app", "EXAMPLE.com/app"),
    ("Host/app", "Host/app", "Host/app"),
    ("xn--n3h.com/app", "xn--n3h.com/app", "xn--n3h.com/app"),
    ("[::1]/app", "[::1]/app", "[::1]/app"),
    ("[::1]:5000/app:1", "[::1]:5000/app:1", "[::1]:5000/app:1"),
    ("[2001:DB8::1]:80/a/b", "[2001:DB8::1]:80/a/b", "[2001:DB8::1]:80/a/b"),
    (f"[fe80::1]/app@{SHA256}", f"[fe80::1]/app@{SHA256}", f"[fe80::1]/app@{SHA256}"),
    ("a.b_c__d-e---f", "docker.io/library/a.b_c__d-e---f", "a.b_c__d-e---f"),
    ("0", "docker.io/library/0", "0"),
    (HEX64[:63], f"docker.io/library/{HEX64[:63]}", HEX64[:63]),
    (HEX64 + "0", f"docker.io/library/{HEX64}0", HEX64 + "0"),
    (HEX64 + ":1", f"docker.io/library/{HEX64}:1", HEX64 + ":1"),
    ("docker.io/" + HEX64, f"docker.io/library/{HEX64}", HEX64),
    ("a:" + "t" * 128, "docker.io/library/a:" + "t" * 128, "a:" + "t" * 128),
    ("example.com/" + "a" * 255, "example.com/" + "a" * 255, "example.com/" + "a" * 255),
]

BAD = [
    "",
    " ",
    ":",
    "/",
    "@",
    "busybox:",
    "busybox@",
    "busybox: 1",
    "busybox:-1",
    "busybox:.1",
    "busybox:1:2",
    "busybox:1\n",
    "busybox\n",
    " busybox",
    "busy box",
    "busybox\x00",
    ":1",
    f"@{SHA256}",
    "/busybox",
    "busybox/",
    "a//b",
    "a/../b",
    "..",
    ".",
    "-a",
    "a-",
    "_a",
    "a_",
    "a___b",
    "a..b",
    "a._b",
    "a-_b",
    "http://example.com/app",
    "example.com:/app",
    "example.com:x/app",
    "example.com:-1/app",
    "-example.com/app",
    "example-.com/app",
    "exa_mple.com/app",
    "example..com/app",
    ".com/app",
    "::1/app",
    "[::1/app",
    "[::1]x/app",
    "[::g]:5000/app",
    "[fe80::1%25eth0]/app",
    "[]:5000/app",
    "[1]/app",
    "a:" + "t" * 129,
    "busybox@sha256",
    "busybox@sha256:",
    "busybox@" + SHA256[:-1],
    "busybox@" + SHA256 + "0",
    "busybox@" + SHA256.replace("a", "A"),
    "busybox@md5:" + "a" * 32,
    "busybox@" + SHA256 + ":1",
    f"busybox@{SHA256}@{SHA256}",
    "busyb\u043ex",  # a Cyrillic o
    "\uff42usybox",  # a full-width b
    "busybox:\u0661",
    "busybox:\uff11",  # a full-width one
    "busybox\u200b",
    "busybox\u2215app",  # a division slash
    "docker\u2024io/app",  # a one-dot leader
    "ex\u00e4mple.com/app",
    "127.0.0.\u0661/app",
    "host:\u0665\u0660\u0660\u0660/app",
    "\u00df/app",
]


@pytest.mark.parametrize(("text", "whole", "familiar"), GOOD)
def test_good_references(text: str, whole: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert str(reference) == whole
    assert reference.familiar == familiar
    assert Reference.parse(whole) == reference


@pytest.mark.parametrize("text", BAD)
def test_bad_references(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^invalid reference format"):
        Reference.parse(text)


def test_the_parts() -> None:
    assert Reference.parse(f"host:5000/a/b:1@{SHA256}") == Reference("host:5000", "a/b", "1", SHA256)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Busybox", "library/Busybox"),
        ("someone/App:1", "someone/App"),
        ("example.com/App", "App"),
        ("App!", "library/App!"),
        ("Busybox:1:2", "library/Busybox"),
        ("busyboX" + "@" + SHA256, "library/busyboX"),
        ("\u212aelvin", "library/\u212aelvin"),
        ("\u0130", "library/\u0130"),
    ],
)
def test_upper_case_is_told(text: str, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Reference.parse(text)
    assert caught.value.message == f"invalid reference format: repository name ({name}) must be lowercase"


def test_an_id_is_no_repository() -> None:
    with pytest.raises(InvalidInput) as caught:
        Reference.parse(HEX64)
    assert caught.value.message == (f"invalid repository name ({HEX64}), cannot specify 64-byte hexadecimal strings")


@pytest.mark.parametrize("text", ["example.com/" + "a" * 256, "a" * 248, "a/" * 127 + "aa"])
def test_a_long_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="repository name must not be more than 255 characters"):
        Reference.parse(text)


def test_the_default_tag() -> None:
    assert str(Reference.parse("busybox").with_default_tag()) == "docker.io/library/busybox:latest"
    for text in ("busybox:1", f"busybox@{SHA256}", f"busybox:1@{SHA256}"):
        assert Reference.parse(text).with_default_tag() == Reference.parse(text)


def test_the_repository_alone() -> None:
    reference = Reference.parse(f"host:5000/app:1@{SHA256}")
    assert reference.repository() == Reference("host:5000", "app")
    assert Reference.parse("a:1") < Reference.parse("b")


@pytest.mark.parametrize("text", ["latest", "1", "_", "A.b-c_d", "x" * 128])
def test_tags(text: str) -> None:
    assert is_tag(text)


@pytest.mark.parametrize("text", ["", ".", "-a", "a b", "a\n", "a/b", "a:b", "\u00e9", "x" * 129])
def test_what_is_no_tag(text: str) -> None:
    assert not is_tag(text)


@pytest.mark.parametrize("text", ["a" * 10**6 + "!", "a-" * 10**5, "A." * 10**5 + "/x", "a/" * 10**5, "a__" * 10**5])
def test_a_long_text_is_refused_at_once(text: str) -> None:
    began = time.process_time()
    with pytest.raises(InvalidInput):
        Reference.parse(text)
    assert time.process_time() - began < 5


_words = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
_components = st.builds(
    lambda first, rest: first + "".join(mark + word for mark, word in rest),
    _words,
    st.lists(st.tuples(st.sampled_from([".", "_", "__", "-", "---"]), _words), max_size=3),
)
_labels = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?", fullmatch=True)
_hosts = st.one_of(
    st.lists(_labels, min_size=2, max_size=4).map(".".join),
    st.just("localhost"),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.ip_addresses(v=4).map(str),
)
_domains = st.builds(lambda host, port: host + port, _hosts, st.sampled_from(["", ":80", ":5000", ":0"]))
_tags = st.just("") | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(_domains, st.lists(_components, min_size=1, max_size=4), _tags, st.sampled_from(["", SHA256, SHA512]))
def test_references_by_the_grammar_are_good(domain: str, parts: list[str], tag: str, digest: str) -> None:
    path = "/".join(parts)
    text = f"{domain}/{path}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    reference = Reference.parse(text)
    assert (reference.domain, reference.path, reference.tag, reference.digest) == (domain, path, tag, digest)
    assert str(reference) == reference.familiar == text


@given(st.text(alphabet=st.sampled_from("aZ0.:/@-_[] \n\u0416\uff11\u0660"), max_size=24) | st.text(max_size=24))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidInput:
        return
    assert str(reference).isascii()
    assert str(reference).isprintable()
    assert not {"", ".", ".."} & set(reference.path.split("/"))
    assert Reference.parse(str(reference)) == reference
