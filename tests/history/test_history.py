"""The history file, written by real processes: at once, killed in the middle, on a full disk."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jstackmagic.history.append import HistoryWarning
from jstackmagic.history.file import History
from jstackmagic.history.who import context
from jstackmagic.model.credentials import mask
from jstackmagic.model.errors import HistoryError
from jstackmagic.model.ledger import fold
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.record import Context, Record
from jstackmagic.model.request import Request
from jstackmagic.model.written import written
from jstackmagic.session import Session
from strategies import BASE, SECOND, outcomes, requests, texts
from support.records import append_only

SIX = Request("install", "pip", ("six",))
DONE = Outcome("ok", 0, 1.5, change=Change(added=(Package("pip", "six", "1.17.0"),)))
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.fixture
def history(history_file: Path) -> History:
    return History(history_file)


def begin(history: History, request: Request = SIX, **more: object) -> Record:
    options: dict[str, object] = {
        "transaction": history.new_transaction(),
        "step": 1,
        "engine": "pip",
        "commands": ("python -m pip install six",),
        "context": context(),
        **more,
    }
    return history.note("running", request, BASE, **options)  # type: ignore[arg-type]


def python(code: str, *args: object, **options: object) -> subprocess.Popen[str]:
    """Another process, with what a session of ours imports."""
    head = (
        "import sys\nfrom pathlib import Path\n"
        "from jstackmagic.history.file import History\n"
        "from jstackmagic.history.who import context\n"
        "from jstackmagic.model.request import Request\n"
        "from jstackmagic.model.plan import Outcome\n"
        "from support.records import BASE\nhistory = History(Path(sys.argv[1]))\n"
        "def begin(transaction, name='six'):\n"
        "    request = Request('install', 'pip', (name,))\n"
        "    return history.note('running', request, BASE, transaction=transaction, step=1,"
        " engine='pip', commands=(), context=context())\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + code, *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRON,
        **options,  # type: ignore[call-overload]
    )


class TestRecords:
    def test_begin_and_end(self, history: History) -> None:
        record = begin(history)
        assert record.status == "running"
        assert record.outcome is None
        assert history.records() == [record]
        ended = history.end(record, DONE)
        assert ended == replace(record, status="ok", outcome=DONE)
        assert history.records() == [ended]
        assert re.fullmatch(r"[0-9a-f]{8}\.1", ended.id)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ended.time)
        assert ended.transaction == ended.id[:8]

    def test_planned_is_one_line(self, history: History) -> None:
        planned = history.note(
            "planned", SIX, BASE, transaction="0a0a0a0a", step=2, context=Context()
        )
        assert (planned.status, planned.outcome) == ("planned", None)
        assert history.records() == [planned]
        assert len(history.path.read_text().splitlines()) == 1

    def test_found_stands_alone(self, history: History) -> None:
        record = history.note(
            "planned", SIX, BASE, transaction="0a0a0a0a", step=1, context=Context()
        )
        found = history.note(
            "found",
            SIX,
            BASE,
            transaction="0b0b0b0b",
            step=1,
            time="2026-11-02T09:14:03.512Z",
            commands=("sh setup.sh --token https://me:s3cret@example.org/",),
            context=Context(),
            outcome=DONE,
        )
        assert (found.status, found.outcome) == ("found", DONE)
        assert found.time == "2026-11-02T09:14:03.512Z"
        assert found.commands == ("sh setup.sh --token https://****@example.org/",)
        assert history.records() == [record, found]
        assert len(history.path.read_text().splitlines()) == 2

    def test_begun_again_it_is_where_it_was_begun_last(self, history: History) -> None:
        record = begin(history)
        options = {"transaction": record.transaction, "step": 1, "engine": "pip"}
        again = history.note(
            "running", SIX, SECOND, commands=("pip",), context=context(), **options
        )
        ended = history.end(again, DONE)
        assert again.id == record.id
        assert history.records() == [ended]
        assert ended.environment == SECOND

    def test_in_the_order_in_which_they_began(self, history: History) -> None:
        first, second = begin(history), begin(history)
        history.end(second, DONE)
        history.end(first, DONE)
        assert [record.id for record in history.records()] == [first.id, second.id]

    def test_no_file_is_no_records(self, history: History) -> None:
        assert history.records() == []
        assert not history.path.exists()

    def test_lines_are_short(self, history: History) -> None:
        history.note("planned", SIX, BASE, transaction="0a0a0a0a", step=1, context=Context())
        line = json.loads(history.path.read_text())
        assert line == {
            "v": 1,
            "event": "planned",
            "id": "0a0a0a0a.1",
            "time": line["time"],
            "request": {"action": "install", "manager": "pip", "specs": ["six"]},
            "environment": {
                "kind": "conda-base",
                "name": "base",
                "prefix": "/opt/conda",
                "python": "3.13.1",
            },
            "context": {},
        }

    @given(requests(), outcomes(), st.lists(texts, max_size=2), texts)
    def test_what_is_written_is_what_is_read(
        self, request_: Request, outcome: Outcome, commands: list[str], text: str
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            history = History(Path(folder) / "new/history.jsonl")
            record = begin(
                history,
                request_,
                commands=commands,
                context=Context(user=text, notebook=text),
                engine=text,
                undoes=text,
            )
            ended = history.end(record, outcome)
            assert history.records() == [ended]
        assert ended.request == request_
        assert ended.outcome == outcome
        assert ended.commands == tuple(commands)
        assert ended.undoes == ended.engine == ended.context.notebook == text

    def test_a_path_that_is_no_text_is_written_all_the_same(self, history: History) -> None:
        begin(history, replace(SIX, specs=("-r /w/\udcff.txt",)))
        assert history.records()[0].request.texts == ("-r /w/\\udcff.txt",)


class TestGet:
    def test_a_transaction_or_a_record_by_the_beginning_of_its_id(self, history: History) -> None:
        one = begin(history, transaction="ab12cd34")
        two = begin(history, transaction="ab12cd34", step=2)
        other = begin(history, transaction="ab99ffff")
        assert history.get("ab12cd34") == history.get("ab1") == [one, two]
        assert history.get("ab1.2") == history.get("ab12cd34.2") == [two]
        assert history.get(" ab9 ") == [other]

    def test_more_than_one(self, history: History) -> None:
        begin(history, transaction="ab12cd34")
        begin(history, transaction="ab99ffff")
        with pytest.raises(HistoryError, match="any of 2") as raised:
            history.get("ab")
        shown = "\n".join(raised.value.advice)
        assert "ab12cd34" in shown
        assert "ab99ffff" in shown
        assert "install six" in shown

    @pytest.mark.parametrize("prefix", ["ff", "", ".1", "ab12cd34.9", "ab12cd34.", "b12"])
    def test_none(self, history: History, prefix: str) -> None:
        begin(history, transaction="ab12cd34")
        with pytest.raises(HistoryError, match="No entry"):
            history.get(prefix)

    def test_a_new_id_is_new(self, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
        begin(history, transaction="ab12cd34")
        ids = iter(("ab12cd34", "ab12cd34", "11111111"))
        monkeypatch.setattr("secrets.token_hex", lambda size: next(ids))
        assert history.new_transaction() == "11111111"


class TestTheFile:
    def test_is_its_owner_s_alone_in_a_folder_that_is_made(self, tmp_path: Path) -> None:
        history = History(tmp_path / "a b/c/history.jsonl")
        begin(history)
        assert stat.S_IMODE(history.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(history.path.parent.stat().st_mode) == 0o700

    def test_where_it_is(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JSTACKMAGIC_HISTORY", "~/elsewhere.jsonl")
        assert Session().history.path == home / "elsewhere.jsonl"
        monkeypatch.delenv("JSTACKMAGIC_HISTORY")
        assert Session().history.path == home / ".local/share/jstackmagic/history.jsonl"

    def test_each_line_is_one_write_and_then_flushed(
        self, history: History, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[str] = []
        write, fsync = os.write, os.fsync

        def recorded_write(file: int, data: bytes) -> int:
            if os.path.samestat(os.fstat(file), history.path.stat()):
                calls.append(f"write {data.count(chr(10).encode())}")
            return write(file, data)

        def recorded_fsync(file: int) -> None:
            if os.path.samestat(os.fstat(file), history.path.stat()):
                calls.append("fsync")
            fsync(file)

        monkeypatch.setattr(os, "write", recorded_write)
        monkeypatch.setattr(os, "fsync", recorded_fsync)
        history.end(begin(history), DONE)
        assert calls == ["write 1", "fsync", "write 1", "fsync"]

    def test_many_processes_at_once_lose_nothing(self, history: History) -> None:
        code = (
            "for n in range(60):\n"
            "    record = begin(f'{sys.argv[2]}{n:07x}', name='x' * (n * 97 % 5000))\n"
            "    history.end(record, Outcome('ok', 0, 1.0))\n"
        )
        writers = [python(code, history.path, number) for number in range(4)]
        assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            records = history.records()
        assert {record.id for record in records} == {
            f"{number}{n:07x}.1" for number in range(4) for n in range(60)
        }
        assert {record.status for record in records} == {"ok"}
        for writer in range(4):  # and each in its own order
            own = [record.id for record in records if record.id.startswith(str(writer))]
            assert own == sorted(own)

    def test_killed_at_any_moment_it_keeps_what_was_said_to_be_written(
        self, history: History
    ) -> None:
        code = (
            "for n in range(100000):\n"
            "    begin(f'{sys.argv[2]}{n:07x}', name='x' * 3000)\n"
            "    print(n, flush=True)\n"
        )
        chance = random.Random(7)
        for number in range(4):
            writer = python(code, history.path, number)
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(chance.random() * 0.05)
            writer.kill()
            said = int(["0", *writer.stdout.read().split()][-1])
            writer.wait()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", HistoryWarning)  # a torn line is set aside
                own = [r for r in history.records() if r.id.startswith(str(number))]
            assert len(own) in (said + 1, said + 2)
            assert {record.status for record in own} == {"interrupted"}

    def test_a_killed_install_is_interrupted(self, history: History) -> None:
        code = "begin('ab12cd34')\nprint('begun', flush=True)\nsys.stdin.read()\n"
        process = python(code, history.path, stdin=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert history.records()[0].status == "running"
        process.send_signal(signal.SIGKILL)
        process.wait()
        (record,) = history.records()
        assert record.status == "interrupted"
        assert record.outcome is None
        assert fold([record]).steps == ()

    def test_a_zombie_is_dead(self, history: History) -> None:
        process = python("begin('ab12cd34')", history.path)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert history.records()[0].status == "interrupted"
        process.wait()

    @pytest.mark.parametrize(
        "other", [{"process": "another/1/2"}, {"host": "elsewhere"}, {"process": ""}]
    )
    def test_another_process_with_that_number_is_not_it(
        self, history: History, other: dict[str, str]
    ) -> None:
        begin(history, context=context())
        begin(history, context=replace(context(), **other))
        assert [record.status for record in history.records()] == ["running", "interrupted"]


class TestDamage:
    def test_a_torn_last_line_is_set_aside(self, history: History) -> None:
        record = history.end(begin(history), DONE)
        whole = history.path.read_bytes()
        history.path.write_bytes(whole + whole[:40])
        with pytest.warns(HistoryWarning, match="torn"):
            assert history.records() == [record]
        assert history.path.read_bytes() == whole
        torn = Path(f"{history.path}.torn")
        assert torn.read_bytes() == whole[:40] + b"\n"
        assert stat.S_IMODE(torn.stat().st_mode) == 0o600

    def test_also_when_the_next_thing_is_a_record(self, history: History) -> None:
        first = begin(history)
        with history.path.open("ab") as file:
            file.write(b'{"v":1,"ev')
        with pytest.warns(HistoryWarning, match="torn"):
            second = begin(history, transaction="ab12cd34")
        with history.path.open("ab") as file:
            file.write(b"\0\0\0")
        with pytest.warns(HistoryWarning, match="torn"):
            assert history.records() == [first, second]
        assert Path(f"{history.path}.torn").read_bytes() == b'{"v":1,"ev\n\0\0\0\n'

    @pytest.mark.parametrize(
        ("put", "said"),
        [
            (os.mkfifo, "No such device"),
            (lambda path: path.symlink_to("victim"), "symbolic links"),
            (Path.mkdir, "Is a directory"),
        ],
        ids=["pipe", "link", "folder"],
    )
    def test_what_stands_in_its_place_is_neither_waited_for_nor_followed(
        self, history: History, put: Callable[[Path], object], said: str
    ) -> None:
        first = begin(history)
        with history.path.open("ab") as file:
            file.write(b'{"v":1,"ev')
        put(Path(f"{history.path}.torn"))
        with pytest.warns(HistoryWarning, match=said):
            second = begin(history, transaction="ab12cd34")
        with pytest.warns(HistoryWarning, match="not a record"):
            assert history.records() == [first, second]
        assert not history.path.with_name("victim").exists()

    def test_a_last_line_that_only_lacks_its_end_gets_it(self, history: History) -> None:
        first = begin(history)
        history.path.write_bytes(history.path.read_bytes().rstrip(b"\n"))
        second = begin(history)
        assert history.records() == [first, second]

    def test_a_file_that_cannot_be_written_is_read_up_to_the_tear(
        self, history: History, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = begin(history)
        with history.path.open("ab") as file:
            file.write(b"{")

        def refuse(*args: object, **more: object) -> int:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        with pytest.warns(HistoryWarning, match="left aside"):
            assert history.records() == [first]

    @pytest.mark.parametrize(
        "line",
        [
            b"no JSON",
            b"\xff\xfe",
            b"[]",
            b"{}",
            b'{"v":1,"event":"begin","id":"a.1","time":""}',
            b'{"v":1,"event":"begin","id":"a.1","time":"","request":{"action":"install",'
            b'"manager":"pip","specs":[]}}',
            b'{"v":1,"event":"end","id":"a.1","time":""}',
            b'{"v":1,"event":"later","id":"a.1","time":""}',
        ],
    )
    def test_a_line_that_is_none_is_skipped_by_its_number(
        self, history: History, line: bytes
    ) -> None:
        first = begin(history)
        with history.path.open("ab") as file:
            file.write(b"\n" + line + b"\n")
        second = begin(history)
        with pytest.warns(HistoryWarning, match=r"Line 3 of .* was skipped") as caught:
            assert history.records() == [first, second]
        assert len(caught) == 1

    def test_an_end_without_a_beginning(self, history: History) -> None:
        lost = begin(history)
        history.path.write_bytes(b"")
        history.end(lost, DONE)
        with pytest.warns(HistoryWarning, match=lost.id):
            assert history.records() == []

    def test_lines_of_a_newer_schema_are_kept_and_not_interpreted(self, history: History) -> None:
        first = begin(history)
        newer = b'{"v":2,"event":"dreamt","id":7}\n{"v":2,"event":"end","id":"a.1","time":""}\n'
        newer += history.path.read_bytes().replace(b'"v":1', b'"v":2')
        with history.path.open("ab") as file:
            file.write(newer)
        with pytest.warns(HistoryWarning, match="3 lines .* newer"):
            assert history.records() == [first]
        second = begin(history)
        assert newer in history.path.read_bytes()
        with pytest.warns(HistoryWarning):
            assert history.records() == [first, second]

    def test_unknown_fields_are_ignored(self, history: History) -> None:
        record = history.end(begin(history), DONE)
        lines = [json.loads(line) for line in history.path.read_text().splitlines()]
        for line in lines:
            line["mood"] = "good"
            for part in ("request", "environment", "context", "outcome"):
                if part in line:
                    line[part]["mood"] = ["good"]
        history.path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert history.records() == [record]


class TestTrouble:
    def test_a_path_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        history = History(tmp_path / "file/history.jsonl")
        with pytest.raises(HistoryError, match="cannot be written") as raised:
            append_only(history, Context())
        assert raised.value.kept == "Nothing was started."
        assert "JSTACKMAGIC_HISTORY" in raised.value.advice[0]
        with pytest.raises(HistoryError, match="cannot be read"):
            history.records()

    def test_a_folder_in_its_place(self, tmp_path: Path) -> None:
        with pytest.raises(HistoryError, match="cannot be read: Is a directory"):
            History(tmp_path).records()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
    def test_a_read_only_folder(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(HistoryError, match="Permission denied"):
            append_only(History(tmp_path / "history.jsonl"), Context())

    def test_a_full_disk(self, history: History) -> None:
        history.path.symlink_to("/dev/full")
        with pytest.raises(HistoryError, match="No space left") as raised:
            append_only(history, Context())
        assert "Free some space" in raised.value.advice[0]

    def test_a_disk_that_takes_half_a_line_is_left_as_it_was(self, history: History) -> None:
        record = begin(history)
        whole = history.path.read_bytes()

        def limit() -> None:  # the one way to have a real short write of a file
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 100, resource.RLIM_INFINITY))

        code = (
            "from jstackmagic.model.errors import HistoryError\n"
            "try:\n    begin('ab12cd34')\nexcept HistoryError as error:\n    print(error)\n"
        )
        writer = python(code, history.path, preexec_fn=limit)
        said, _ = writer.communicate()
        assert "cannot be written: No space left" in said
        assert history.path.read_bytes() == whole
        assert history.records() == [record]

    def test_an_end_that_cannot_be_written_says_that_the_change_stays(
        self, history: History
    ) -> None:
        record = begin(history)
        history.path.unlink()
        history.path.symlink_to("/dev/full")
        with pytest.raises(HistoryError) as raised:
            history.end(record, DONE)
        assert "The change itself stays" in raised.value.kept


def with_every_string(noun: object, text: str) -> object:
    """The noun with ``text`` in every field that may hold any text."""
    free = {"str", "tuple[str, ...]", "str | None"}
    changed = {
        f.name: (text,) if f.type == "tuple[str, ...]" else text
        for f in fields(noun)  # type: ignore[arg-type]
        if f.type in free
    }
    deeper = {
        f.name: with_every_string(value, text)
        for f in fields(noun)  # type: ignore[arg-type]
        if is_dataclass(value := getattr(noun, f.name))
    }
    return replace(noun, **changed, **deeper)  # type: ignore[type-var]


@pytest.mark.parametrize(
    "secret",
    [
        "https://me:s3cr3t@pypi.example.com/simple",
        "git+https://s3cr3t@git.example.com/r.git",
        "https://conda.example.com/t/s3cr3t/channel",
        "https://pypi.example.com/simple?token=s3cr3t",
    ],
)
def test_no_credential_reaches_the_file(history: History, secret: str) -> None:
    package = with_every_string(Package("pip", "a", "1"), secret)
    outcome = replace(
        DONE,
        change=Change(added=(package,), changed=((package, package),), removed=(package,)),  # type: ignore[arg-type]
        resolved=(package,),  # type: ignore[arg-type]
        message=f"failed to read {secret}\n",
    )
    record = history.note(
        "running",
        with_every_string(SIX, secret),  # type: ignore[arg-type]
        with_every_string(SECOND, secret),  # type: ignore[arg-type]
        transaction="ab12cd34",
        step=1,
        engine=secret,
        commands=(f"pip install {secret}",),
        context=with_every_string(Context(), secret),  # type: ignore[arg-type]
        undoes=secret,
    )
    ended = history.end(record, outcome)
    history.note(
        "planned",
        with_every_string(SIX, secret),  # type: ignore[arg-type]
        BASE,
        transaction="ab12cd34",
        step=2,
        context=Context(),
    )
    text = history.path.read_text()
    assert "s3cr3t" not in text
    assert "s3cr3t" not in repr((record, ended, history.records()))
    assert text.count("****") > 40, "and they were all there"
    assert ended.request.sources.index_url == mask(secret)


class TestContext:
    def test_of_this_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JPY_SESSION_NAME", "/home/j/a.ipynb")
        found = context(container="0123", image="base:1")
        assert found.pid == os.getpid()
        assert found.host == os.uname().nodename
        assert found.user
        assert found.kernel == ""
        assert (found.notebook, found.container, found.image) == (
            "/home/j/a.ipynb",
            "0123",
            "base:1",
        )
        assert context(notebook="/b.ipynb").notebook == "/b.ipynb"
        assert found.process == context().process

    def test_a_user_without_a_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown() -> str:
            raise OSError("No username set in the environment")

        monkeypatch.setattr("getpass.getuser", unknown)
        assert context().user == str(os.getuid())


def test_importing_it_is_cheap() -> None:
    code = (
        "import sys, jstackmagic.history.who, jstackmagic.history.file, jstackmagic.model.recipe;"
        " jstackmagic.history.who.context();"
        " print(*{'msgspec', 'platformdirs', 'ipykernel'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRON, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_the_documentation_s_example_is_a_history(history: History) -> None:
    page = Path(__file__).parent.parent.parent / "docs/history.md"
    match = re.search(
        r"```{code-block} json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    )
    assert match is not None
    history.path.write_text(match[1], encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        installed, planned = history.records()
    assert (installed.status, planned.status) == ("ok", "planned")
    assert [(s.manager, s.install[0].version) for s in fold([installed, planned]).steps] == [
        ("apt", ""),
        ("conda", "4.13.2"),
    ]


@pytest.mark.parametrize("noun", [written(Request), Package, Outcome, Change, Context])
def test_the_documentation_names_every_field(noun: type) -> None:
    page = (Path(__file__).parent.parent.parent / "docs/history.md").read_text(encoding="utf-8")
    missing = [f.name for f in fields(noun) if f"`{f.name}`" not in page]
    assert missing == []


@pytest.mark.parametrize("what", ["pipe", "zero"])
def test_what_is_no_file_is_refused_and_not_waited_for(what: str, history_file: Path) -> None:
    if what == "pipe":
        os.mkfifo(history_file)
    else:
        history_file.symlink_to("/dev/zero")
    for do in (History(history_file).records, lambda: begin(History(history_file))):
        with pytest.raises(HistoryError, match="It is not a file"):
            do()


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 200_000,
        json.dumps({"v": 1, "event": "seen", "id": "a.1", "time": "not a time"}).encode(),
        b"\xff\xfe\x00",
    ],
)
def test_garbage_is_skipped_and_said_in_a_few_lines(line: bytes, history: History) -> None:
    kept = begin(history)
    with history.path.open("ab") as file:
        file.write((line + b"\n") * 50)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [record.id for record in history.records()] == [kept.id]
    assert len(caught) == 4
    assert "So were 47 more lines" in str(caught[-1].message)
