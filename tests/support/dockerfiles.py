"""Dockerfiles that Docker's classic builder and Havre must build to the same: a name, the files of the context."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Mode:
    """A file with its mode."""

    content: str | bytes
    mode: int


File = str | bytes | Link | Mode | None
"""Content, or None for an empty folder."""


@dataclass(frozen=True)
class Case:
    name: str
    dockerfile: str
    files: dict[str, File] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def context(self) -> bytes:
        """The context as an archive, with times of long ago."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, content in {"Dockerfile": self.dockerfile, **self.files}.items():
                _add(archive, name, content)
        return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: File) -> None:
    member = tarfile.TarInfo(name)
    member.mtime, member.uid, member.gid = 1_600_000_000, 1234, 1234
    if content is None:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
    elif isinstance(content, Link):
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, content.target, 0o777
        archive.addfile(member)
    else:
        data = content.content if isinstance(content, Mode) else content
        raw = data.encode() if isinstance(data, str) else data
        member.mode = content.mode if isinstance(content, Mode) else 0o644
        member.size = len(raw)
        archive.addfile(member, io.BytesIO(raw))


def packed(files: dict[str, str], mode: str = "w", uid: int = 7, gid: int = 8) -> bytes:
    """An archive for ADD."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.mtime, member.uid, member.gid, member.mode = 1_500_000_000, uid, gid, 0o640
            raw = content.encode()
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return buffer.getvalue()


TREE: dict[str, File] = {
    "a.txt": "a",
    "b.txt": Mode("b", 0o600),
    "run.sh": Mode("#!/bin/sh\necho run\n", 0o755),
    "sub": None,
    "sub/c.txt": "c",
    "sub/deep": None,
    "sub/deep/d.txt": "d",
    "sub/link": Link("c.txt"),
    "sub/out": Link("../../etc/passwd"),
    "link.txt": Link("a.txt"),
    "dirlink": Link("sub"),
    "empty": None,
}

CASES = [
    Case("from alone with a label", "FROM busybox\nLABEL a=b\n"),
    Case("run shell", "FROM busybox\nRUN echo hi > /f\n"),
    Case("run exec", 'FROM busybox\nRUN ["touch", "/f"]\n'),
    Case("run changes nothing", "FROM busybox\nRUN true\n"),
    Case("run removes", "FROM busybox\nRUN mkdir /d && touch /d/a /d/b\nRUN rm /d/a && rm /etc/group\n"),
    Case("run replaces a folder", "FROM busybox\nRUN mkdir /d && touch /d/a\nRUN rm -r /d && mkdir /d && touch /d/b\n"),
    Case("run file becomes folder", "FROM busybox\nRUN touch /x\nRUN rm /x && mkdir -p /x/y\n"),
    Case(
        "run chmods chowns",
        "FROM busybox\nRUN touch /f && chmod 4755 /f && mkdir /d && chown 5:6 /d && chmod 1777 /d\n",
    ),
    Case("run links", "FROM busybox\nRUN touch /f && ln /f /g && ln -s f /h && mkfifo /p\n"),
    Case("run as user", "FROM busybox\nUSER alice\nRUN id > /tmp/who && pwd >> /tmp/who\n"),
    Case("run as number", "FROM busybox\nUSER 1000:50\nRUN id > /tmp/who\n"),
    Case("run in workdir", "FROM busybox\nWORKDIR /w/x\nRUN pwd > here\nWORKDIR y\nRUN pwd > here\n"),
    Case(
        "run environment", "FROM busybox\nENV A=1 B='two words'\nRUN env | grep -E '^(A|B|PATH|HOME)=' | sort > /env\n"
    ),
    Case("run shell instruction", 'FROM busybox\nSHELL ["/bin/sh", "-ec"]\nRUN echo $0 > /zero\nCMD echo hi\n'),
    Case("run etc files", "FROM busybox\nRUN ls /etc | grep -v mtab > /listing; echo x >> /etc/passwd\n"),
    Case("continuation and comments", "FROM busybox\nRUN echo a \\\n  # a comment\n  b \\\n\n  c > /f\n"),
    Case(
        "args", 'ARG BASE=busybox\nFROM ${BASE}\nARG A=1\nARG B\nRUN echo "$A-$B" > /f\n', flags=("--build-arg", "B=2")
    ),
    Case(
        "arg beats default", "FROM busybox\nARG A=1\nENV C=${A}x\nRUN echo $A $C > /f\n", flags=("--build-arg", "A=9")
    ),
    Case("env beats arg", "FROM busybox\nARG A=1\nENV A=env\nRUN echo $A > /f\n", flags=("--build-arg", "A=9")),
    Case("expansion operators", "FROM busybox\nENV A=x\nENV B=${A:-d} C=${Z:-d} D=${A:+s} E=${Z:+s} F=\\$A G='$A'\n"),
    Case("env legacy", "FROM busybox\nENV A one two  three\n"),
    Case("env overrides", "FROM busybox\nENV A=1\nENV A=2 B=$A\n"),
    Case("labels", 'FROM busybox\nLABEL a=1 "b c"="d e"\nLABEL old style here\nLABEL a=2\n'),
    Case("label flag", "FROM busybox\nLABEL a=1\n", flags=("--label", "a=2", "--label", "z=3")),
    Case("expose", "FROM busybox\nEXPOSE 80 53/udp 8000-8002\nENV P=90\nEXPOSE $P\n"),
    Case("volume", 'FROM busybox\nVOLUME /v /w\nVOLUME ["/x y"]\n'),
    Case("volume keeps what was there", "FROM busybox\nRUN mkdir /v && echo a > /v/f\nVOLUME /v\n"),
    Case("user and stopsignal", "FROM busybox\nUSER alice:staff\nSTOPSIGNAL SIGQUIT\n"),
    Case("cmd shell", "FROM busybox\nCMD echo $HOME\n"),
    Case("cmd exec", 'FROM busybox\nCMD ["echo", "a b"]\n'),
    Case("entrypoint resets cmd", 'FROM busybox\nCMD ["x"]\nENTRYPOINT ["y"]\n'),
    Case("entrypoint then cmd", 'FROM busybox\nENTRYPOINT ["y"]\nCMD ["x"]\n'),
    Case("entrypoint shell", "FROM busybox\nENTRYPOINT exec top -b\n"),
    Case(
        "healthcheck",
        "FROM busybox\nHEALTHCHECK --interval=5s --timeout=3s --retries=2 --start-period=1m CMD wget -q x || exit 1\n",
    ),
    Case("healthcheck exec", 'FROM busybox\nHEALTHCHECK CMD ["true"]\n'),
    Case("healthcheck none", "FROM busybox\nHEALTHCHECK NONE\n"),
    Case("onbuild kept", "FROM busybox\nONBUILD RUN echo triggered > /t\nONBUILD COPY a.txt /o/\n", {"a.txt": "a"}),
    Case("maintainer", "FROM busybox\nMAINTAINER somebody <s@example.com>\n"),
    Case("copy file to name", "FROM busybox\nCOPY a.txt /x\n", TREE),
    Case("copy file to folder", "FROM busybox\nCOPY a.txt /x/\n", TREE),
    Case("copy file to existing folder", "FROM busybox\nCOPY a.txt /tmp\n", TREE),
    Case("copy several", "FROM busybox\nCOPY a.txt b.txt run.sh /x/y/\n", TREE),
    Case("copy folder", "FROM busybox\nCOPY sub /x\n", TREE),
    Case("copy folder slash", "FROM busybox\nCOPY sub/ /x/\n", TREE),
    Case("copy all", "FROM busybox\nCOPY . /x\n", TREE),
    Case("copy all to root", "FROM busybox\nCOPY sub /\n", TREE),
    Case(
        "copy folder over folder",
        "FROM busybox\nRUN mkdir -p /x/deep && chmod 700 /x /x/deep && touch /x/keep /x/deep/keep\nCOPY sub /x\n",
        TREE,
    ),
    Case("copy relative", "FROM busybox\nWORKDIR /w\nCOPY a.txt .\nCOPY a.txt b\nCOPY a.txt c/\n", TREE),
    Case("copy glob", "FROM busybox\nCOPY *.txt /x/\n", TREE),
    Case("copy glob question", "FROM busybox\nCOPY ?.txt /x/\n", TREE),
    Case("copy glob class", "FROM busybox\nCOPY [ab].txt /x/\n", TREE),
    Case("copy glob in folder", "FROM busybox\nCOPY sub/*.txt /x/\n", TREE),
    Case("copy glob folder", "FROM busybox\nCOPY su* /x/\n", TREE),
    Case("copy json form", 'FROM busybox\nCOPY ["a b.txt", "/x y/"]\n', {"a b.txt": "ab"}),
    Case("copy link", "FROM busybox\nCOPY link.txt /x\n", TREE),
    Case("copy dir link", "FROM busybox\nCOPY dirlink /x\n", TREE),
    Case("copy empty folder", "FROM busybox\nCOPY empty /x\n", TREE),
    Case("copy dotdot", "FROM busybox\nCOPY sub/../a.txt sub/../b.txt /x/\n", TREE),
    Case("copy absolute", "FROM busybox\nCOPY /a.txt /x/\n", TREE),
    Case(
        "copy through link in image",
        "FROM busybox\nRUN mkdir /real && ln -s /real /alias\nCOPY a.txt /alias/\nCOPY b.txt /alias/b\n",
        TREE,
    ),
    Case(
        "copy onto link in image", "FROM busybox\nRUN echo old > /real && ln -s /real /alias\nCOPY a.txt /alias\n", TREE
    ),
    Case("copy over file", "FROM busybox\nRUN echo old > /x && chmod 777 /x && chown 5 /x\nCOPY a.txt /x\n", TREE),
    Case("copy chown name", "FROM busybox\nCOPY --chown=alice:staff a.txt sub /x/\n", TREE),
    Case("copy chown user", "FROM busybox\nCOPY --chown=alice sub /x/y\n", TREE),
    Case("copy chown number", "FROM busybox\nCOPY --chown=55:66 sub /x\n", TREE),
    Case("copy chown one number", "FROM busybox\nCOPY --chown=55 sub /x\n", TREE),
    Case("copy expanded", "FROM busybox\nENV D=/x F=a.txt\nCOPY $F ${D}/\n", TREE),
    Case(
        "copy from stage",
        "FROM busybox AS one\nRUN mkdir /o && echo 1 > /o/f && chown 5:6 /o/f && chmod 640 /o/f && ln -s f /o/l\n"
        "FROM busybox\nCOPY --from=one /o /p\nCOPY --from=0 /o/f /q\n",
    ),
    Case("copy from image", "FROM busybox\nCOPY --from=busybox /etc/passwd /p\n"),
    Case(
        "copy from stage chown",
        "FROM busybox AS one\nRUN echo 1 > /f\nFROM busybox\nCOPY --from=one --chown=alice /f /q/\n",
    ),
    Case("scratch", 'FROM scratch\nCOPY a.txt /x/\nCMD ["/x/a.txt"]\n', TREE),
    Case(
        "scratch with busybox",
        "FROM busybox AS b\nFROM scratch\nCOPY --from=b /bin/busybox /bin/sh\nRUN echo hi > /f\n",
    ),
    Case(
        "stages",
        "FROM busybox AS a\nENV X=1\nRUN echo a > /a\nFROM a AS b\nRUN echo $X > /b\nFROM b\nRUN cat /a /b > /c\n",
    ),
    Case("target", "FROM busybox AS a\nRUN echo a > /a\nFROM a AS b\nRUN echo b > /b\n", flags=("--target", "a")),
    Case("add file", "FROM busybox\nADD a.txt /x/\n", TREE),
    Case("add folder", "FROM busybox\nADD sub /x\n", TREE),
    Case("add tar", "FROM busybox\nADD t.tar /x\n", {"t.tar": packed({"f": "f", "d/g": "g"})}),
    Case("add tar gz", "FROM busybox\nADD t.tgz /x/\n", {"t.tgz": packed({"f": "f"}, "w:gz")}),
    Case("add tar bz2", "FROM busybox\nADD t.tbz /x/\n", {"t.tbz": packed({"f": "f"}, "w:bz2")}),
    Case("add tar xz", "FROM busybox\nADD t.txz /x/\n", {"t.txz": packed({"f": "f"}, "w:xz")}),
    Case("add not a tar", "FROM busybox\nADD f.gz /x/\n", {"f.gz": b"\x1f\x8b\x08\0not really"}),
    Case("copy tar stays", "FROM busybox\nCOPY t.tar /x/\n", {"t.tar": packed({"f": "f"})}),
    Case("ignore", "FROM busybox\nCOPY . /x\n", {**TREE, ".dockerignore": "*.txt\n!b.txt\nsub/deep\nDockerfile\n"}),
    Case("ignore deep", "FROM busybox\nCOPY . /x\n", {**TREE, ".dockerignore": "**/*.txt\n# comment\n!sub/c.txt\n"}),
    Case(
        "dockerfile elsewhere",
        "FROM nothing",
        {"other/My.Dockerfile": "FROM busybox\nCOPY a.txt /x\n", "a.txt": "a"},
        flags=("-f", "other/My.Dockerfile"),
    ),
    Case("escape directive", "# escape=`\nFROM busybox\nRUN echo a `\n  b > /f\nENV P=C:\\x\n"),
    Case("lower case", 'from busybox\nrun echo hi > /f\ncmd ["a"]\n'),
    Case("unicode", "FROM busybox\nENV Ü=ä\nCOPY ü.txt /ö/\n", {"ü.txt": "ü"}),
    Case("workdir expanded", "FROM busybox\nENV D=/opt\nWORKDIR $D/app\nWORKDIR ../lib\n"),
    Case("big environment", "FROM busybox\n" + "".join(f"ENV V{n}=value{n}\n" for n in range(12))),
]

FAILING = [
    Case("command fails", "FROM busybox\nRUN echo out; echo err >&2; exit 3\n"),
    Case("unknown instruction", "FROM busybox\nRUNN echo\n"),
    Case("no such file", "FROM busybox\nCOPY nothing /x\n"),
    Case("no match", "FROM busybox\nCOPY *.none /x/\n", {"a": "a"}),
    Case("several to a file", "FROM busybox\nCOPY a b /x\n", {"a": "a", "b": "b"}),
    Case("no FROM", "RUN echo\n"),
    Case("empty", "\n# nothing\n"),
    Case("bad flag", "FROM busybox\nCOPY --bogus=1 a /x\n", {"a": "a"}),
    Case("unknown user", "FROM busybox\nCOPY --chown=nobodyhere a /x\n", {"a": "a"}),
    Case("no such target", "FROM busybox AS a\n", flags=("--target", "nope")),
    Case("no such program", 'FROM busybox\nRUN ["/no/such"]\n'),
    Case("bad env", "FROM busybox\nENV A\n"),
    Case("bad expose", "FROM busybox\nEXPOSE http\n"),
    Case("bad stopsignal", "FROM busybox\nSTOPSIGNAL NOPE\n"),
    Case("bad json of shell", "FROM busybox\nSHELL /bin/sh\n"),
    Case("from nothing", "FROM\n"),
    Case("from blank", "FROM ${NOTHING}\n"),
]
