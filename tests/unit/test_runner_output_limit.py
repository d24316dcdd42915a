"""No notebook keeps more characters than it may show, in whatever way and order the kernel's messages arrive."""

import asyncio
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError, DeadKernelError
from traitlets import Any as AnyTrait

from cbs_analysis.runner import Limits
from cbs_analysis.runner import papermill_engine as engine

MOST = 1000
ASKED = "asked"
LONG, SHORT = "x" * (MOST + 1), "x" * 10
IDLE = ("status", {"execution_state": "idle"})
Published = tuple[str, dict[str, Any]]


def shown(text: str, display_id: str | None = None) -> dict[str, Any]:
    return {"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": display_id}}


def error(text: str) -> dict[str, Any]:
    return {"ename": "ValueError", "evalue": text, "traceback": []}


PRINTED = ("stream", {"name": "stdout", "text": SHORT})
CLEARED = ("clear_output", {"wait": True})
WIDGET = {"comm_id": "1", "target_name": "none", "data": {"state": {"value": LONG}}}
# How an output gets into a notebook: the messages that a kernel publishes, and the error in its reply.
WAYS: dict[str, tuple[list[Published], dict[str, Any] | None]] = {
    "printed": ([("stream", {"name": "stdout", "text": LONG})], None),
    "printed in parts": ([PRINTED] * (MOST // len(SHORT) + 1), None),
    "displayed": ([("display_data", shown(LONG))], None),
    "returned": ([("execute_result", shown(LONG) | {"execution_count": 1})], None),
    "updated": ([("display_data", shown("", "a")), ("update_display_data", shown(LONG, "a"))], None),
    "updated in many places": (
        [*[("display_data", shown("", "a"))] * 40, ("update_display_data", shown(SHORT * 3, "a"))], None
    ),
    "displayed again in many places": ([("display_data", shown(SHORT, "a"))] * 40, None),
    "cleared and printed again": ([PRINTED, CLEARED] * (MOST // len(SHORT) + 1), None),
    "state of a widget": ([("comm_open", WIDGET)], None),
    "error published and in the reply": ([("error", error(LONG))], error(LONG)),
    "error in the reply alone": ([], error(LONG)),
    "error in the reply after a clear": ([("error", error(SHORT)), CLEARED, PRINTED], error(LONG)),
}  # fmt: skip


class Kernel:
    """A kernel and its client in one: publishes messages, and gives its reply before or after they are read."""

    def __init__(self, published: list[Published], error: dict[str, Any] | None, order: str) -> None:
        self._published = [_message(*each) for each in (*published, IDLE)]
        self._reply = _message("execute_reply", {"status": "error", **error} if error else {"status": "ok"})
        self._order = order
        self._replied, self.is_read = asyncio.Event(), asyncio.Event()
        self.is_alive_still = order != "no reply"
        self.iopub_channel = SimpleNamespace(get_msg=self._next_published)
        self.shell_channel = SimpleNamespace(get_msg=self._next_reply)

    def execute(self, *code: str, **how: Any) -> str:
        return ASKED

    async def is_alive(self) -> bool:
        return self.is_alive_still

    async def _next_published(self, timeout: float | None) -> Any:
        if self._order == "reply first":
            await self._replied.wait()
        return self._published.pop(0)

    async def _next_reply(self, timeout: float | None) -> Any:
        if self._order == "reply last":
            await self.is_read.wait()
        elif self._order == "no reply":
            await asyncio.Event().wait()
        self._replied.set()
        return self._reply


class Client(engine.WatchedClient):
    """The batch's client, on such a kernel."""

    kc = AnyTrait()

    def process_message(self, msg: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().process_message(msg, *args, **kwargs)
        except BaseException:
            self.kc.is_read.set()
            raise


def _message(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    header = {"msg_id": kind, "msg_type": kind}
    return {"header": header, "msg_type": kind, "parent_header": {"msg_id": ASKED}, "content": content}


def executed(published: list[Published], error: dict[str, Any] | None, order: str) -> tuple[Client, Exception | None]:
    """The client after it has executed one cell, and what stopped it."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a cell")])
    client = Client(SimpleNamespace(nb=notebook, autosave_cell=lambda: None))
    client.watch = engine.Watch(Limits(60))
    client.on_cell_error = client.watch.cell_failed
    client.reset_execution_trackers()

    async def execute() -> None:
        client.kc = Kernel(published, error, order)
        await client.async_execute_cell(notebook.cells[0], 0)

    try:
        asyncio.run(execute())
    except Exception as stopped:
        return client, stopped
    return client, None


@pytest.fixture(autouse=True)
def few_characters(monkeypatch):
    monkeypatch.setattr(engine, "MOST_SHOWN", MOST)


@pytest.mark.parametrize("order", ["reply first", "reply last"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_too_long_is_counted_and_not_kept(way, order):
    client, stopped = executed(*WAYS[way], order)
    assert client.watch.is_flooded
    assert stopped is None or isinstance(stopped, engine.TooMuchOutputError)
    assert f"{client.nb.cells[0].outputs}{client.widget_state}".count("x") <= MOST


def test_what_is_too_long_is_not_kept_where_the_kernel_dies_before_it_replies():
    client, stopped = executed(*WAYS["error published and in the reply"], "no reply")
    assert isinstance(stopped, DeadKernelError)
    assert client.watch.is_flooded
    assert client.nb.cells[0].outputs == []


@pytest.mark.parametrize("order", ["reply first", "reply last"])
@pytest.mark.parametrize("published", [[("error", error(SHORT))], []], ids=["published", "in the reply alone"])
def test_an_error_is_kept_once_whether_it_is_published_or_not(published, order):
    client, stopped = executed(published, error(SHORT), order)
    assert isinstance(stopped, CellExecutionError)
    assert [output.evalue for output in client.nb.cells[0].outputs] == [SHORT]
    assert not client.watch.is_flooded


def test_an_error_that_is_published_and_replied_counts_once():
    client, _ = executed([("error", error("x" * (MOST - 100)))], error("x" * (MOST - 100)), "reply last")
    assert not client.watch.is_flooded
