"""How fast is the site built, beside stock Jupyter Book, and how does that grow? For whoever changes publishing.

    make bench-site

The pages of the edition that has been made are staged once. Stock `jupyter-book build`, with no setting but that
notebooks are executed already, and ours build the same staged pages in one run. Then packs are doubled, under other
codes, up to some 1,200 pages. Only ratios mean anything on another machine. Printed, and kept in build/bench for the
book's page on speed.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from bench_batch import Row, keep

from cbs_analysis.home import build_dir
from cbs_analysis.publishing.site import build_pages, build_site
from cbs_analysis.publishing.theme import ENTRIES, NAVIGATION

STOCK_SETTINGS = {"title": "Stock", "only_build_toc_files": True, "execute": {"execute_notebooks": "off"}}
MOST_PAGES = 1_200
MOST_HTML, MOST_SHARED = 300_000, 1_600_000


def stock_seconds(staged: Path, work: Path) -> float:
    """Seconds of `jupyter-book build` over the staged pages with its own theme."""
    copy = work / "stock"
    shutil.copytree(staged, copy)
    (copy / "_config.yml").write_text(yaml.safe_dump(STOCK_SETTINGS), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("jupyter-book")),
        "build",
        str(copy),
        "--path-output",
        str(work / "o"),
    ]
    started = time.perf_counter()
    done = subprocess.run([*command, "--quiet", "--all"], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if not (work / "o" / "_build" / "html" / "index.html").exists():
        sys.exit(f"stock jupyter-book made no site: {done.stderr[-2000:]}")
    return seconds


def our_seconds(staged: Path, work: Path) -> float:
    """Seconds of our build of the staged pages, from nothing."""
    copy = work / "ours"
    shutil.copytree(staged, copy)
    started = time.perf_counter()
    build_pages(copy, work / "site", work / "site.log")
    return time.perf_counter() - started


def in_a_folder(measure: Callable[[Path, Path], float], staged: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="cbs-bench-site-") as folder:
        return measure(staged, Path(folder))


def multiplied(staged: Path, to: Path, times: int) -> int:
    """The staged pages with every pack so many times, under codes of its own; how many pages of packs there are."""
    shutil.copytree(staged, to)
    codes = sorted(path.name for path in (staged / "packs").iterdir())
    table = yaml.safe_load((to / "_toc.yml").read_text(encoding="utf-8"))
    navigation = json.loads((to / NAVIGATION).read_text(encoding="utf-8"))
    packs = next(part for part in table["parts"] if part.get("caption") == "Packs")
    shown = next(group for group in navigation if group["caption"] == "Packs")
    first, top = json.dumps(packs["chapters"][0]), json.dumps(shown["entries"][0])
    for copy in range(1, times):
        as_copy = renamed(codes, copy)
        for code in codes:
            shutil.copytree(staged / "packs" / code, to / as_copy(f"packs/{code}/"))
        packs["chapters"].append(json.loads(as_copy(first)))
        shown["entries"].append(json.loads(as_copy(top)))
    pages = [str(path.relative_to(to).with_suffix("")) for path in sorted((to / "packs").rglob("*")) if path.is_file()]
    (to / "_toc.yml").write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    (to / NAVIGATION).write_text(json.dumps(navigation), encoding="utf-8")
    brought = json.loads((to / ENTRIES).read_text(encoding="utf-8"))
    (to / ENTRIES).write_text(json.dumps({**brought, "pages": pages}), encoding="utf-8")
    return len(pages)


def renamed(codes: Sequence[str], copy: int) -> Callable[[str], str]:
    """What turns the addresses of packs in a text into those of a copy of them."""

    def as_copy(text: str) -> str:
        for code in codes:
            text = text.replace(f"packs/{code}/", f"packs/{code}x{copy}/")
        return text

    return as_copy


def bench(edition: str, runs: int) -> list[Row]:
    site = build_site(edition).parent
    staged = build_dir() / "book"
    print("Stock Jupyter Book, then ours, over the same staged pages", file=sys.stderr)
    stock, ours = [], []
    for _ in range(runs):
        stock.append(in_a_folder(stock_seconds, staged))
        ours.append(in_a_folder(our_seconds, staged))
    ratio = statistics.median(one / other for one, other in zip(ours, stock, strict=True))
    rows = [
        Row("site of the edition, against stock jupyter-book build over the same staged pages", "a third of the time",
            f"{ratio:.2f} of it: {statistics.median(ours):.1f} s against {statistics.median(stock):.1f} s for "
            f"{len(list(site.rglob('*.html')))} pages", ratio <= 1 / 3),
    ]  # fmt: skip
    rows += growth(staged, runs)
    heaviest = max(path.stat().st_size for path in site.rglob("*.html"))
    shared = sum(path.stat().st_size for path in (site / "_static").rglob("*"))
    return [
        *rows,
        Row("the heaviest page's HTML", "under 300 kB", f"{heaviest / 1e3:.0f} kB", heaviest < MOST_HTML),
        Row("what pages share, in all", "under 1.6 MB", f"{shared / 1e6:.2f} MB", shared < MOST_SHARED),
    ]


def growth(staged: Path, runs: int) -> list[Row]:
    """Twice the packs, and twice again, up to some 1,200 pages: how much longer each doubling takes."""
    rows, times, before = [], 1, 0.0
    while True:
        with tempfile.TemporaryDirectory(prefix="cbs-bench-site-") as folder:
            pages = multiplied(staged, Path(folder) / "staged", times)
            if before and pages > MOST_PAGES * 1.3:
                return rows
            print(f"{pages} pages of packs", file=sys.stderr)
            seconds = statistics.median(in_a_folder(our_seconds, Path(folder) / "staged") for _ in range(runs))
        if before:
            rows.append(Row(f"twice the packs: {pages} pages", "at most 2.1 times the time",
                            f"{seconds / before:.2f} times: {seconds:.1f} s", seconds / before <= 2.1))  # fmt: skip
        before, times = seconds, 2 * times


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--edition", default="2011-12")
    parser.add_argument("--runs", type=int, default=1, help="how often each is timed; the median counts")
    given = parser.parse_args()
    keep("site", bench(given.edition, given.runs))


if __name__ == "__main__":
    main()
