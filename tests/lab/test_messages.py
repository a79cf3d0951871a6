"""The kernel's side of the panel: a comm that is found in a list, asked on the control channel."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from support.kernels import PATIENCE, Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jupyter_client.blocking.client import BlockingKernelClient

LOAD = "%load_ext jstackmagic"


class Asker:
    """What a panel does: it asks on the control channel, and reads what all frontends are sent."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.comm = ""

    def run(self, code: str) -> str:
        """Start a cell; return the id of its message."""
        return str(self.client.execute(code, store_history=False))

    def control(self, kind: str, content: dict[str, Any]) -> str:
        message = self.client.session.msg(kind, content)
        self.client.control_channel.send(message)
        return str(message["header"]["msg_id"])

    def comms(self) -> list[str]:
        self.control("comm_info_request", {"target_name": "jstackmagic"})
        while True:
            reply = self.client.get_control_msg(timeout=PATIENCE)
            if reply["msg_type"] == "comm_info_reply":
                return list(reply["content"]["comms"])

    def until(self, wanted: str, parent: str = "") -> dict[str, Any]:
        """Return the content of the next message of a kind."""
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            asked_by = message["parent_header"].get("msg_id")
            if message["msg_type"] == wanted and parent in ("", asked_by):
                return dict(message["content"])

    def wait_end(self, cell: str) -> None:
        while self.until("status", cell)["execution_state"] != "idle":
            pass

    def ask(self, verb: str, *words: str, schema: int = 1, **more: Any) -> dict[str, Any]:
        """Return the last answer to a request."""
        asked = uuid.uuid4().hex
        data = {"schema": schema, "id": asked, "verb": verb, "words": words, **more}
        self.control("comm_msg", {"comm_id": self.comm, "data": data})
        while True:
            answer = self.until("comm_msg")["data"]
            if answer.get("id") == asked and ("value" in answer or "error" in answer):
                return dict(answer)


@pytest.fixture(scope="module")
def asker(kernel_env: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    folder = tmp_path_factory.mktemp("messages")
    environ = {"HOME": str(folder), "JSTACKMAGIC_HISTORY": str(folder / "history.jsonl")}
    with Kernel(kernel_env, cwd=folder, environ=environ) as kernel:
        asker = Asker(kernel.client)
        assert asker.comms() == [], "nothing is found before it is loaded"
        asker.wait_end(asker.run(LOAD))
        (asker.comm,) = asker.comms()
        yield asker


def test_it_answers_with_the_verbs_own_json_while_a_cell_runs(
    asker: Asker, kernel_env: Path
) -> None:
    cell = asker.run("import threading; threading.Event().wait(600)")
    asker.until("execute_input", cell)
    answer = asker.ask("info")
    assert answer["schema"] == 1
    assert answer["value"]["environments"][0]["prefix"] == str(kernel_env)
    # the control channel's "idle" is not the last word: the cell still runs
    state = asker.until("status", cell)
    assert state["execution_state"] == "busy"
    asker.control("interrupt_request", {})
    asker.wait_end(cell)


def test_a_request_that_cannot_be_read_has_an_error_in_three_parts(asker: Asker) -> None:
    old = asker.ask("info", schema=0)["error"]
    assert "version 1" in old["problem"]
    assert old["kept"] == "Nothing was started."
    assert "jstackmagic-lab" in old["advice"][0]
    assert "is not a verb" in asker.ask("nonsense")["error"]["problem"]
    assert "Traceback" not in json.dumps(asker.ask("history", "--limit", "x")["error"])
    wheel = "https://me:secret@h.invalid/six-1.0-py3-none-any.whl"
    asker.ask("install", "--record-only", "--pip", wheel)
    listed = json.dumps(asker.ask("history", "--limit", "1"))
    assert "h.invalid" in listed
    assert "secret" not in listed


def test_a_word_is_completed_and_a_notebooks_cells_are_read(asker: Asker) -> None:
    assert "dockerfile" in asker.ask("export", token="")["value"]
    cells = ["import no_such_module_here", "import json"]
    plan = asker.ask("install", "--missing", "--dry-run", cells=cells)["value"]
    assert any("no_such_module_here" in note for note in plan["notes"])


def test_it_says_when_the_history_grew_and_when_nobody_answers_any_more(asker: Asker) -> None:
    cell = asker.run("%envinstall --record-only --pip six")
    assert asker.until("comm_msg", cell)["data"]["event"] == "changed"
    asker.wait_end(cell)
    record = asker.ask("history", "--limit", "1")["value"][0]
    assert record["request"]["specs"] == ["six"]
    assert record["taken_back_by"] == ""
    cell = asker.run("%unload_ext jstackmagic")
    assert asker.until("comm_msg")["data"]["event"] == "closed"
    asker.wait_end(cell)
    assert asker.comms() == []
