"""RUN, COPY and their mounts on real kernels: what they see, what they leave, and what must not be in the image."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre
from tests.support.hosts import wait_listening

pytestmark = pytest.mark.root

SECRET = "s3cr3t-never-to-be-seen"  # noqa: S105


def build(
    havre: Havre, dockerfile: str, *flags: str, context: Path | None = None, code: int = 0
) -> subprocess.CompletedProcess[bytes]:
    if context is None:
        done = havre.havre("build", *flags, "-", stdin=dockerfile.encode())
    else:
        (context / "Dockerfile").write_text(dockerfile)
        done = havre.havre("build", *flags, str(context))
    assert done.returncode == code, done.stderr.decode()
    return done


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode()


def inside(havre: Havre, image: str, *command: str) -> str:
    return havre.out("run", "--rm", "--network", "none", image, *command)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "sub" / "b.txt").write_text("b")
    return tmp_path


def test_a_secret_is_seen_and_nowhere_kept(havre: Havre, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    done = build(
        havre,
        "FROM busybox\n"
        "RUN --mount=type=secret,id=s wc -c < /run/secrets/s && stat -c %a /run/secrets/s\n"
        "RUN --mount=type=secret,id=s,target=/etc/token,uid=1000,mode=0440 stat -c '%u %a' /etc/token\n"
        "RUN --mount=type=secret,id=s,env=TOKEN test ${#TOKEN} = 23\n"
        'RUN test ! -e /run/secrets && test ! -e /etc/token && test -z "$TOKEN"\n',
        *("-t", "secretive", "--secret", f"id=s,src={tmp_path}/secret"),
    )
    assert f"{len(SECRET)}\n" in said(done)
    assert "1000 440" in said(done)
    assert SECRET.encode() not in havre.docker("save", "secretive", check=True).stdout
    assert SECRET not in havre.out("history", "--no-trunc", "secretive")
    for place in (havre.data_root, havre.exec_root):
        found = subprocess.run(["grep", "-rlF", SECRET, place], check=False, capture_output=True, text=True)
        assert found.stdout == ""
    assert SECRET not in havre.log.read_text()


def test_a_secret_is_no_part_of_the_key(havre: Havre, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s > /dev/null; date +%s%N > /made\n"
    (tmp_path / "s").write_text("one")
    build(havre, text, "-t", "k1", "--secret", f"id=s,src={tmp_path}/s")
    (tmp_path / "s").write_text("two")
    build(havre, text, "-t", "k2", "--secret", f"id=s,src={tmp_path}/s")
    assert havre.out("inspect", "-f", "{{.Id}}", "k1") == havre.out("inspect", "-f", "{{.Id}}", "k2")


def test_a_missing_secret(havre: Havre) -> None:
    build(havre, "FROM busybox\nRUN --mount=type=secret,id=none test ! -e /run/secrets/none\n")
    done = build(havre, "FROM busybox\nRUN --mount=type=secret,id=none,required true\n", code=1)
    assert "secret none: not found" in said(done)


def test_binds_of_the_context_and_of_stages(havre: Havre, context: Path) -> None:
    done = build(
        havre,
        "FROM busybox AS one\nRUN mkdir /d && echo from-one > /d/f\n"
        "FROM busybox\n"
        "RUN --mount=type=bind,target=/c cat /c/sub/b.txt; touch /c/new && exit 1 || true\n"
        "RUN --mount=type=bind,source=sub,target=/c,rw touch /c/new && ls /c\n"
        "RUN --mount=type=bind,source=sub,target=/c ls /c | wc -l\n"
        "RUN --mount=type=bind,from=one,source=/d,target=/c cat /c/f\n"
        "RUN --mount=type=bind,from=one,source=/d,target=/c,rw echo more >> /c/f && wc -l < /c/f\n"
        "RUN test ! -e /c\n",
        context=context,
    )
    text = said(done)
    assert "from-one" in text
    assert "Read-only file system" in text
    assert not (context / "sub" / "new").exists()


@pytest.mark.parametrize("source", ["..", "../..", "/etc", "out", "sub/../../.."])
def test_a_bind_does_not_leave_the_context(havre: Havre, context: Path, source: str) -> None:
    (context / "out").symlink_to("/")
    (context / "marker").touch()
    text = f"FROM busybox\nRUN --mount=type=bind,source={source},target=/c ls /c/marker\n"
    done = havre.havre("build", "-f", "-", str(context), stdin=text.encode())
    assert "root:" not in done.stderr.decode()
    assert done.returncode == (1 if source == "/etc" else 0), done.stderr.decode()


def test_the_source_of_a_bind_is_a_path_and_no_pattern(havre: Havre, context: Path) -> None:
    for name in ("v[1]", "v1"):
        (context / name).mkdir()
        (context / name / "f").write_text(f"first of {name}\n")
    text = "FROM busybox\nRUN --mount=type=bind,source=v[1],target=/c cat /c/f\n"
    assert "first of v[1]" in said(build(havre, text, context=context))
    (context / "v[1]" / "f").write_text("second\n")
    assert "second" in said(build(havre, text, context=context))


def test_cache_mounts_live_on_and_stay_out_of_the_image(havre: Havre) -> None:
    text = "FROM busybox\nARG N\nRUN --mount=type=cache,target=/cache,id=x echo $N >> /cache/log; cat /cache/log\n"
    build(havre, text, "--build-arg", "N=first")
    done = build(havre, text, "-t", "cached", "--build-arg", "N=second")
    assert "first" in said(done)
    assert inside(havre, "cached", "find", "/", "-maxdepth", "1", "-name", "cache") == ""


@pytest.mark.parametrize("identifier", ["../../../../etc", "/etc", "a/b", ".."])
def test_the_id_of_a_cache_is_a_name(havre: Havre, identifier: str) -> None:
    done = build(havre, f"FROM busybox\nRUN --mount=type=cache,target=/c,id={identifier} ls /c | wc -l\n")
    assert " 0\n" in said(done)


def test_a_cache_may_be_a_volume(havre: Havre) -> None:
    text = "FROM busybox\nARG N\nRUN --mount=type=cache,target=/c,id=volume:pips echo $N >> /c/log && wc -l < /c/log\n"
    build(havre, text, "--build-arg", "N=1")
    assert "pips" in havre.out("volume", "ls", "-q").split()
    havre.out("run", "--rm", "--network", "none", "-v", "pips:/v", "busybox", "sh", "-c", "echo more >> /v/log")
    assert " 3\n" in said(build(havre, text, "--build-arg", "N=2"))
    havre.docker("volume", "rm", "pips", check=True)
    refused = build(havre, "FROM busybox\nRUN --mount=type=cache,target=/c,id=volume:../x true\n", code=1)
    assert "volume name" in said(refused)


def test_include(havre: Havre, context: Path) -> None:
    (context / "common.inc").write_text("RUN echo included > /i\nENV FROM_INCLUDE=1\n")
    text = "# syntax=havre/dockerfile:1\nFROM busybox\nARG WHAT=common\nINCLUDE $WHAT.inc\nCOPY a.txt /\n"
    build(havre, text, "-t", "including", context=context)
    assert inside(havre, "including", "cat", "/i") == "included"
    assert "unknown instruction: INCLUDE" in said(build(havre, text.partition("\n")[2], context=context, code=1))


def test_private_and_locked_caches(havre: Havre) -> None:
    step = (
        "RUN --mount=type=cache,target=/c,id={id},sharing={how} "
        "test ! -e /c/busy && touch /c/busy && sleep 0.3 && rm /c/busy\n"
    )
    for how in ("locked", "private"):
        stages = "".join(
            f"FROM busybox AS s{number}\nENV N={number}\n" + step.format(id=f"{how}-test", how=how)
            for number in range(3)
        )
        copies = "".join(f"COPY --from=s{number} /bin/busybox /b{number}\n" for number in range(3))
        build(havre, f"{stages}FROM scratch\n{copies}")


def test_a_cache_may_begin_with_files_of_a_stage(havre: Havre) -> None:
    done = build(
        havre,
        "FROM busybox AS seed\nRUN mkdir /s && echo seeded > /s/f\nFROM busybox\n"
        "RUN --mount=type=cache,from=seed,source=/s,target=/c,id=seeded cat /c/f\n",
    )
    assert "seeded" in said(done)


def test_networks(havre: Havre) -> None:
    done = build(
        havre,
        "FROM busybox\nRUN --network=none ls /sys/class/net | tr '\\n' ' '\nRUN ls /sys/class/net | tr '\\n' ' '\n"
        "RUN cat /etc/hosts\n",
        *("--add-host", "friend:10.1.2.3"),
    )
    lines = said(done)
    assert "lo \n" in lines
    assert "eth0 lo" in lines
    assert "10.1.2.3\tfriend" in lines
    refused = build(havre, "FROM busybox\nRUN --network=host true\n", code=1)
    assert "network.host is not allowed" in said(refused)
    build(havre, "FROM busybox\nRUN --network=host true\n", "--allow", "network.host")


def test_privileges_need_a_grant(havre: Havre) -> None:
    text = "FROM busybox\nRUN --security=insecure mkdir /t && mount -t tmpfs t /t\n"
    assert "security.insecure is not allowed" in said(build(havre, text, code=1))
    build(havre, text, "--allow", "security.insecure")
    build(havre, "FROM busybox\nRUN ! mount -t tmpfs t /tmp\n")


def test_limits(havre: Havre) -> None:
    done = build(
        havre, "FROM busybox\nRUN ulimit -n; df -k /dev/shm | tail -1\n", "--ulimit", "nofile=99:99", "--shm-size", "3m"
    )
    assert " 99\n" in said(done)
    assert "3072" in said(done)


def test_nothing_is_left_but_what_was_made(havre: Havre) -> None:
    build(havre, "FROM busybox\nRUN --mount=type=tmpfs,target=/mnt/deep/er touch /made\n", "-t", "lean")
    container = havre.out("create", "lean", "x")
    raw = havre.docker("save", "lean", check=True).stdout
    havre.docker("rm", container, check=True)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        manifest = json.loads(archive.extractfile("manifest.json").read())  # type: ignore[union-attr]
        layer = archive.extractfile(manifest[0]["Layers"][-1])
        assert layer is not None
        with tarfile.open(fileobj=io.BytesIO(layer.read())) as files:
            assert files.getnames() == ["made"]


def test_the_store_checks_clean(havre: Havre) -> None:
    """Files that a step changes lie in its layer with more than their archive says."""
    build(
        havre,
        "FROM busybox\nRUN echo x >> /etc/passwd && chmod 600 /etc/group && ln -s a /link && mkdir /d\n"
        "RUN rm /link && mv /d /e && chown 5:6 /etc/passwd\n",
        *("-t", "checked"),
    )
    checked = havre.havre("system", "check")
    assert checked.returncode == 0, checked.stdout.decode()


def test_heredocs(havre: Havre) -> None:
    build(
        havre,
        "FROM busybox\nARG WHO=me\nRUN <<ONE\necho a > /a\necho b > /b\nONE\n"
        'RUN <<PROG\n#!/bin/awk -f\nBEGIN { print "awk" > "/c" }\nPROG\n'
        "RUN cat <<TEXT > /d\nplain $WHO\nTEXT\n"
        "COPY <<first <<'second' /files/\nfor $WHO\nfirst\nfor $WHO\nsecond\nCOPY <<x /named\ncontent\nx\n",
        *("-t", "here"),
    )
    paths = ("/a", "/b", "/c", "/d", "/files/first", "/files/second", "/named")
    assert inside(havre, "here", "cat", *paths).split("\n") == [
        "a", "b", "awk", "plain me", "for me", "for $WHO", "content",
    ]  # fmt: skip


def test_copies_of_all_kinds(havre: Havre, context: Path) -> None:
    (context / "x.sh").write_text("x")
    build(
        havre,
        "FROM busybox\nCOPY --chmod=u=rwx,go=rx x.sh /m\nCOPY --parents sub/b.txt a.txt /p/\n"
        "COPY --exclude=**/*.txt --exclude=Dockerfile . /e/\nCOPY --link a.txt /l/a\nCOPY --parents sub/./b.txt /q/\n",
        *("-t", "copies"),
        context=context,
    )
    assert inside(havre, "copies", "stat", "-c", "%a", "/m") == "755"
    listed = inside(havre, "copies", "find", "/p", "/e", "/l", "/q", "-type", "f").split()
    assert sorted(listed) == ["/e/x.sh", "/l/a", "/p/a.txt", "/p/sub/b.txt", "/q/b.txt"]


def test_large_files_are_whole_and_nobody_else_s(havre: Havre, context: Path) -> None:
    data = os.urandom(3 << 20)
    (context / "big").write_bytes(data)
    build(
        havre,
        "FROM busybox\nCOPY big /one\nCOPY big a.txt /two/\nRUN echo changed > /one\nCOPY --chown=5 big /three\n",
        *("-t", "large"),
        context=context,
    )
    sums = inside(havre, "large", "sha256sum", "/two/big", "/three").split()
    assert sums[0] == sums[2]
    assert inside(havre, "large", "cat", "/one") == "changed"
    assert inside(havre, "large", "stat", "-c", "%h %s %u", "/two/big") == f"1 {len(data)} 0"


def test_a_stage_that_nobody_needs_is_not_built(havre: Havre) -> None:
    build(havre, "FROM busybox AS broken\nRUN exit 1\nFROM busybox\nRUN true\n")


def test_stages_side_by_side(havre: Havre) -> None:
    """Each waits for a sign of the other: one after the other they would never end."""
    meet = (
        "RUN --mount=type=cache,target=/c,id=meeting touch /c/{me} && until test -e /c/{other}; do sleep 0.05; done\n"
    )
    build(
        havre,
        f"FROM busybox AS a\n{meet.format(me='a', other='b')}FROM busybox AS b\n{meet.format(me='b', other='a')}"
        "FROM scratch\nCOPY --from=a /bin/busybox /a\nCOPY --from=b /bin/busybox /b\n",
    )


def test_a_failure_ends_the_other_stages(havre: Havre) -> None:
    done = build(
        havre,
        "FROM busybox AS slow\nRUN sleep 600\nFROM busybox AS bad\nRUN sleep 0.5; exit 7\n"
        "FROM scratch\nCOPY --from=slow /bin /\nCOPY --from=bad /bin /\n",
        code=7,
    )
    assert "returned a non-zero code: 7" in said(done)
    assert ">>> RUN sleep 0.5; exit 7" in said(done)


def test_named_contexts(havre: Havre, context: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "o").write_text("from the other")
    build(
        havre,
        "FROM base\nCOPY --from=more o /o\nCOPY . /all\n",
        *("-t", "named", "--build-context", f"more={other}", "--build-context", "base=docker-image://busybox"),
        context=context,
    )
    assert inside(havre, "named", "cat", "/o") == "from the other"
    assert "context." not in inside(havre, "named", "ls", "-a", "/all")


def test_outputs(havre: Havre, tmp_path: Path) -> None:
    text = "FROM busybox AS b\nRUN echo made > /made\nFROM scratch\nCOPY --from=b /made /out/\n"
    build(havre, text, "-o", str(tmp_path / "folder"))
    assert (tmp_path / "folder" / "out" / "made").read_text() == "made\n"
    build(havre, text, "-o", f"type=tar,dest={tmp_path}/files.tar")
    with tarfile.open(tmp_path / "files.tar") as archive:
        assert archive.getnames() == ["out", "out/made"]
    build(havre, text, "-t", "whole", "-o", f"type=oci,dest={tmp_path}/image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        assert "oci-layout" in archive.getnames()


def test_files_for_others(havre: Havre, tmp_path: Path) -> None:
    done = build(
        havre, "FROM busybox\nRUN true\n",
        *("-q", "-t", "q", "--iidfile", str(tmp_path / "iid"), "--metadata-file", str(tmp_path / "meta")),
    )  # fmt: skip
    image = havre.out("inspect", "-f", "{{.Id}}", "q")
    assert done.stdout.decode().strip() == image == (tmp_path / "iid").read_text()
    assert json.loads((tmp_path / "meta").read_text())["containerimage.config.digest"] == image


def test_the_same_input_gives_the_same_image(havre: Havre) -> None:
    text = "FROM busybox\nRUN echo a > /a && mkdir /d\nENV X=1\n"
    ids = []
    for name in ("r1", "r2"):
        build(havre, text, "--no-cache", "-t", name, "--build-arg", "SOURCE_DATE_EPOCH=1000", "--rewrite-timestamp")
        ids.append(havre.out("inspect", "-f", "{{.Id}} {{.Created}}", name))
    assert ids[0] == ids[1]
    assert "1970-01-01T00:16:40Z" in ids[0]


def test_squash(havre: Havre) -> None:
    text = "FROM busybox\nRUN mkdir /d && touch /d/a /d/b && rm /etc/group\nRUN rm /d/a && rm -r /home && mkdir /home\n"
    build(havre, text, "-t", "flat", "--squash")
    build(havre, text, "-t", "layered")
    assert havre.out("inspect", "-f", "{{len .RootFS.Layers}}", "flat") == "2"
    find = ("find", "/d", "/etc", "/home", "-exec", "stat", "-c", "%n %a %u %F", "{}", ";")
    assert inside(havre, "flat", *find) == inside(havre, "layered", *find)


def test_checks_are_told_behind_the_build(havre: Havre) -> None:
    text = "FROM busybox\nMAINTAINER me\nCMD echo hi\n"
    assert "2 warnings found:" in said(build(havre, text))
    assert "MaintainerDeprecated" in build(havre, text, "--check", code=1).stdout.decode()
    refused = build(havre, f"# check=error=true\n{text}", code=1)
    assert "lint violation found for rules: JSONArgsRecommended, MaintainerDeprecated" in said(refused)


def test_looking(havre: Havre) -> None:
    text = "FROM busybox AS first\nFROM first AS second\nARG A=1\n"
    assert "second (default)" in build(havre, text, "--call=targets").stdout.decode()
    assert "A" in build(havre, text, "--call=outline").stdout.decode()


def test_platforms(havre: Havre) -> None:
    build(
        havre,
        "FROM busybox\nRUN true\n",
        "--platform",
        f"linux/{'amd64' if os.uname().machine == 'x86_64' else 'arm64'}",
    )


def test_other_platforms(havre: Havre, context: Path) -> None:
    """Files are for any machine, commands for those that run here."""
    text = (
        "FROM --platform=$BUILDPLATFORM busybox AS made\nARG TARGETARCH\nRUN echo for $TARGETARCH > /made\n"
        "FROM scratch\nCOPY --from=made /made /\n"
    )
    build(havre, text, "--platform", "linux/s390x", "-t", "other", context=context)
    assert havre.out("inspect", "-f", "{{.Os}}/{{.Architecture}}", "other") == "linux/s390x"
    done = build(havre, f'{text}RUN ["/made"]\n', "--platform", "linux/s390x", context=context, code=1)
    assert "commands for linux/s390x cannot run here" in said(done)
    assert "are not made here" in said(build(havre, text, "--platform", "windows/amd64", context=context, code=1))


@pytest.fixture
def web(havre: Havre, tmp_path: Path) -> Iterator[str]:
    import sys

    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "f.txt").write_text("hello\n")
    with tarfile.open(tmp_path / "www" / "t.tgz", "w:gz") as archive:
        archive.add(tmp_path / "www" / "f.txt", "f.txt")
    line = havre.host.enter(
        sys.executable, "-m", "http.server", "8311", "--bind", "127.0.0.1", "-d", str(tmp_path / "www")
    )
    server = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_listening(havre.host, 8311)
        yield "http://127.0.0.1:8311"
    finally:
        server.terminate()
        server.wait()


def test_files_from_the_web(havre: Havre, web: str) -> None:
    good = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    build(
        havre,
        f"FROM busybox\nADD {web}/f.txt /g\nADD {web}/f.txt {web}/t.tgz /d/\nADD --unpack=true {web}/t.tgz /u/\n"
        f"ADD --checksum={good} {web}/f.txt /h\n",
        *("-t", "web"),
    )
    assert inside(havre, "web", "stat", "-c", "%a %n", "/g", "/d/f.txt", "/d/t.tgz", "/u/f.txt", "/h").split("\n") == [
        "600 /g", "600 /d/f.txt", "600 /d/t.tgz", "644 /u/f.txt", "600 /h",
    ]  # fmt: skip
    bad = build(havre, f"FROM busybox\nADD --checksum={good[:-1]}4 {web}/f.txt /h\n", code=1)
    assert "digest mismatch" in said(bad)
    assert "404" in said(build(havre, f"FROM busybox\nADD {web}/none /h\n", code=1))


def test_an_agent(havre: Havre, tmp_path: Path) -> None:
    """A program that asks the agent for its keys, as ssh does."""
    source = tmp_path / "ask.c"
    source.write_text(
        "#include <sys/socket.h>\n#include <sys/un.h>\n#include <string.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
        "#include <unistd.h>\nint main(void){struct sockaddr_un a={.sun_family=AF_UNIX};"
        'strncpy(a.sun_path,getenv("SSH_AUTH_SOCK"),100);int s=socket(AF_UNIX,SOCK_STREAM,0);'
        'if(connect(s,(void*)&a,sizeof a))return 1;write(s,"\\0\\0\\0\\1\\13",5);char b[4096];'
        'int n=read(s,b,4096);printf("answer %d of %d\\n",b[4],n);return n<5;}\n'
    )
    context = tmp_path / "context"
    context.mkdir()
    if subprocess.run(["gcc", "-static", "-w", "-o", context / "ask", source], check=False).returncode:
        pytest.skip("no compiler on this machine")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", tmp_path / "agent"], stdout=subprocess.DEVNULL)
    try:
        while not (tmp_path / "agent").exists():
            assert agent.poll() is None
        text = 'FROM busybox\nCOPY ask /\nRUN --mount=type=ssh /ask && /ask\nRUN test -z "$SSH_AUTH_SOCK"; ! /ask\n'
        done = build(havre, text, "--ssh", f"default={tmp_path}/agent", context=context)
        assert said(done).count("answer 12 of 9") == 2
        refused = build(havre, "FROM busybox\nRUN --mount=type=ssh,required true\n", code=1)
        assert "unset ssh forward key default" in said(refused)
    finally:
        agent.terminate()
        agent.wait()
