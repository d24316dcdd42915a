"""Examples in README, CONTRIBUTING and the book do what they say: Python blocks run, `cbs` lines fit the command.

Blocks are collected from whatever the pages hold. A Python block that defines a chapter (`CHAPTER = Chapter(`) becomes
a chapter of a throw-away home: it is linted and each of its findings is made for one area. Every other block runs as it
stands, with the small frame below as `frame`.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import typer
import yaml
from typer.main import get_command

from cbs_analysis import cli

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted((CHECKOUT / "book").rglob("*.md"))]
AREA, EDITION = "5LE", "2011-12"
NOT_RUN = {
    "dask": "needs the scheduler of a cluster",
}
"""Words of a Python block that cannot be run here, each with why. Lines of `cbs` are parsed and not run."""
LINE_LENGTH = "120"
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>[a-z]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```\s*$", re.MULTILINE | re.DOTALL
)
FRAME = pd.DataFrame(
    {
        "area": ["A", "A", "B", "B"],
        "events": [20, 45, 31, 60],
        "population": [10_000, 9_000, 14_000, 11_000],
        "standard_population": [60_000, 40_000, 60_000, 40_000],
    }
)


class Block(NamedTuple):
    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(text: str, page: str) -> list[Block]:
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match["kind"], textwrap.dedent(match["text"]))
        for match in FENCE.finditer(text)
    ]


def commands(block: Block) -> list[str]:
    """The `cbs` lines of a block, without prompt, and with the lines that a backslash continues."""
    if block.kind not in ("console", "bash", "sh", "shell", ""):
        return []
    lines = block.text.replace("\\\n", " ").splitlines()
    found = (re.match(r"(?:\$ )?\s*(?:\S*/bin/)?(cbs(?: .*)?)$", line.strip()) for line in lines)
    return [match[1] for match in found if match]


BLOCKS = [
    block for page in PAGES for block in blocks(page.read_text(encoding="utf-8"), page.relative_to(CHECKOUT).as_posix())
]
PYTHON = [block for block in BLOCKS if block.kind == "python"]
CHAPTERS = [block for block in PYTHON if "CHAPTER = Chapter(" in block.text]
SNIPPETS = [block for block in PYTHON if block not in CHAPTERS]
COMMANDS = [(block, line) for block in BLOCKS for line in commands(block)]


def parse(line: str) -> None:
    """Parse a `cbs` line with the command's own parser, running nothing. Raises a usage error."""
    words = shlex.split(line, comments=True)[1:]
    words = words[: next((at for at, word in enumerate(words) if word in ("|", ">", ">>", "&&", ";", "||")), None)]
    command, name = get_command(cli.app), "cbs"
    parent = None
    while words or not hasattr(command, "resolve_command"):  # a group alone lists its commands
        try:
            context = command.make_context(name, list(words), parent=parent)
        except typer.Exit:  # --help and --version end here
            return
        if not hasattr(command, "resolve_command") or not (rest := [*context._protected_args, *context.args]):
            return
        name, command, words = command.resolve_command(context, rest)
        parent = context


def test_blocks_and_their_commands_are_found_with_their_lines():
    python = "   ```python\n   x = 1\n     \n   ```\n"
    console = "```console\n$ .venv/bin/cbs packs \\\n    --area 5LE  # two\n$ make\n```\n"
    page = f"a\n\n{python}\n{console}"
    first, second = blocks(page, "page.md")
    assert (str(first), first.kind, first.text.strip()) == ("page.md:3", "python", "x = 1")
    assert commands(second) == ["cbs packs      --area 5LE  # two"]


@pytest.mark.parametrize("line", ["cbs pakcs", "cbs packs --aera 5LE", "cbs records import", "cbs tables describe",
                                  "cbs packs --jobs many", "cbs check extra"])  # fmt: skip
def test_a_line_that_does_not_fit_the_command_is_an_error(line):
    with pytest.raises(Exception, match=r"No such|Missing|a valid integer|[Uu]nexpected"):
        parse(line)


def test_there_are_examples_of_each_sort():
    assert SNIPPETS
    assert CHAPTERS
    assert COMMANDS


@pytest.mark.parametrize(
    ("block", "line"), COMMANDS, ids=[f"{block}-{number}" for number, (block, _) in enumerate(COMMANDS)]
)
def test_a_command_in_a_page_is_one_that_cbs_takes(block, line):
    parse(line)


@pytest.mark.parametrize("block", SNIPPETS, ids=str)
def test_a_python_example_runs(block):
    if reasons := [why for word, why in NOT_RUN.items() if word in block.text]:
        pytest.skip(reasons[0])
    exec(compile(block.text, str(block), "exec"), {"frame": FRAME.copy()})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with the project's own figures and parameters, and no notebooks."""
    folder = tmp_path_factory.mktemp("documented") / "home"
    shutil.copytree(CHECKOUT / "data", folder / "data", ignore=shutil.ignore_patterns("prepared"))
    shutil.copytree(CHECKOUT / "params", folder / "params")
    (folder / "notebooks").mkdir()
    return folder


@pytest.mark.parametrize("block", CHAPTERS, ids=str)
def test_a_whole_chapter_is_linted_and_run_for_an_area_as_printed(home, block):
    name = re.search(r'Chapter\(\s*"([a-z_]+)"', block.text)[1]
    module = home / "notebooks" / f"{name}.py"
    module.write_text(block.text, encoding="utf-8")
    settings = ["--config", str(CHECKOUT / "pyproject.toml"), "--line-length", LINE_LENGTH, "--no-cache"]
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, *settings, str(module)], capture_output=True, text=True, check=False,
            cwd=CHECKOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    edition = home / "params" / "editions" / f"{EDITION}.yml"
    choices = yaml.safe_load(edition.read_text(encoding="utf-8"))
    edition.write_text(yaml.safe_dump(choices | {"chapters": [name]}, allow_unicode=True), encoding="utf-8")
    script = f"""
        import importlib, inspect, json
        from cbs_analysis.evidence.finding import Finding
        from cbs_analysis.pack import open_pack
        chapter = importlib.import_module("cbs_analysis.chapters.{name}")
        functions = [each for _, each in inspect.getmembers(chapter, inspect.isfunction)]
        own = [each for each in functions if each.__module__ == chapter.__name__]
        findings = [each(open_pack({AREA!r}, {EDITION!r})) for each in own if not each.__name__.startswith("_")]
        assert all(isinstance(finding, Finding) for finding in findings)
        print(json.dumps([finding.statement for finding in findings]))
    """
    environment = os.environ | {"CBS_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    statements = json.loads(done.stdout)
    assert statements
    assert all("nan" not in statement and "$" not in statement for statement in statements)
