"""How a run is told while it is at work: a bar at a terminal, a line a notebook elsewhere, or events for a machine."""

import json
import sys
from typing import Any, Self

from rich import progress as bars
from rich.console import Console
from rich.text import Text

from cbs_analysis.runner import Event, NotebookRecord

AREAS_SHOWN = 6
WAITING = "another run is at work on this edition; waiting for it to end"


class Progress:
    """A bar with notebooks done, failed, cached, in flight by area, and the time left; a line each where there is no
    terminal.
    """

    def __init__(self, total: int, console: Console) -> None:
        self.total, self.made, self.failed, self.cached = total, 0, 0, 0
        self._console = console
        self._out: dict[tuple[str, str], None] = {}
        self._bar = bars.Progress(
            bars.BarColumn(bar_width=24),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.description}", markup=False),
            bars.TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(self._described(), total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *trace: object) -> None:
        self._bar.stop()

    @property
    def ended(self) -> int:
        return self.made + self.failed + self.cached

    def tell(self, event: Event) -> None:
        if event.kind == "waiting":
            self._say(WAITING)
        elif event.kind == "planned":
            self.total = event.notebooks
        elif event.kind == "started" and event.job:
            self._out[event.job.area_code, event.job.chapter] = None
        elif event.kind == "cached":
            self.cached += 1
        elif event.kind == "ended" and event.record:
            self._end(event.record)
        self._bar.update(self._task, total=self.total, completed=self.ended, description=self._described())

    def _end(self, record: NotebookRecord) -> None:
        self._out.pop(record.key, None)
        is_failed = record.status == "failed"
        self.failed += is_failed
        self.made += not is_failed
        outcome = f"failed, {record.reason}" if is_failed else f"done, {record.seconds:.1f} s"
        line = f"[{self.ended:>{len(str(self.total))}}/{self.total}] {record.area_code} {record.chapter}: {outcome}"
        if is_failed or not self._console.is_terminal:
            self._say(line, "red" if is_failed else "")

    def _described(self) -> str:
        known = ((self.failed, "failed"), (self.cached, "as before"))
        counts = [f"{number} {said}" for number, said in known if number]
        areas = list(dict.fromkeys(area for area, _ in self._out))
        more = f" and {len(areas) - AREAS_SHOWN} more" if len(areas) > AREAS_SHOWN else ""
        running = [f"now {', '.join(areas[:AREAS_SHOWN])}{more}"] if areas else []
        return " · ".join(["notebooks", *counts, *running])

    def _say(self, line: str, style: str = "") -> None:
        self._console.print(Text(line), style=style, soft_wrap=True)
        sys.stdout.flush()


class Events:
    """A line of JSON for each event, on standard output, for whatever watches the run."""

    def __init__(self, total: int) -> None:
        self.cached = self.ended = 0
        self.total = total

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trace: object) -> None:
        return

    def tell(self, event: Event) -> None:
        about: dict[str, Any] = {"event": event.kind}
        if event.kind == "planned":
            about |= {"notebooks": event.notebooks}
            self.total = event.notebooks
        if event.job:
            about |= {"area": event.job.area_code, "chapter": event.job.chapter}
        if event.kind == "ended" and event.record:
            kept = ("status", "seconds", "cell", "error", "message", "traceback")
            about |= {key: getattr(event.record, key) for key in kept}
        self.ended += event.kind in ("ended", "cached")
        self.cached += event.kind == "cached"
        _write(about)


def finished(counts: dict[str, int], seconds: float) -> None:
    """The last event of a run."""
    _write({"event": "finished", **counts, "seconds": round(seconds, 2)})


def _write(about: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(about, ensure_ascii=False) + "\n")
    sys.stdout.flush()
