"""What is published beside the site: made once, made again where it must be, whole or absent."""

import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest
from packs_made_up import edited, finding, pack

from cbs_analysis.cli.publishing import chosen_formats
from cbs_analysis.files import write_atomically
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing import downloads
from cbs_analysis.publishing.archive import read_me
from cbs_analysis.publishing.downloads import make_pack, offered, publish
from cbs_analysis.publishing.formats import FORMATS, Format, published_folder, wanted_formats
from cbs_analysis.publishing.pack_page import pack_page


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("CBS_BUILD", str(tmp_path / "build"))
    return tmp_path / "build"


@pytest.fixture
def packs(build):
    folder = build / "editions" / "2011-12"
    return {code: pack(finding(code, name), code=code, path=folder / code / "planned_care.ipynb")
            for code, name in (("5LE", "Southwark"), ("5LD", "Lambeth"))}  # fmt: skip


def times(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def change(made, words):
    made.chapters[0].path.write_text(f'{{"cells": ["{words}"]}}', encoding="utf-8")


def test_every_file_is_made_offered_and_checked_by_its_sum(build, packs):
    done = publish(edited(), packs)
    assert (done.made, done.kept, done.failed) == (2 * len(FORMATS) + 1, 0, {})
    found = offered(edited(), packs)
    assert [item.path.name for item in found["5LE"]] == [
        "5LE-2011-12.xlsx", "5LE-2011-12.pdf", "5LE-2011-12-tables.zip", "5LE-2011-12.zip",
    ]  # fmt: skip
    assert [item.path.name for item in found[""]] == ["2011-12.zip"]
    assert all(item.size == item.path.stat().st_size for items in found.values() for item in items)
    for folder in (published_folder("2011-12", "5LE"), published_folder("2011-12")):
        command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
        assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def test_an_archive_holds_all_that_its_checksums_list_and_the_executed_notebooks(build, packs, tmp_path):
    publish(edited(), packs)
    for archive in (
        published_folder("2011-12", "5LE") / "5LE-2011-12.zip",
        published_folder("2011-12") / "2011-12.zip",
    ):
        out = tmp_path / archive.stem
        with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as opened:
            opened.extractall(out)
            names = set(opened.namelist())
        listed = (out / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
        assert {line.split("  ", 1)[1] for line in listed} == names - {"SHA256SUMS"}
        command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
        assert subprocess.run(command, cwd=out, capture_output=True, check=False).returncode == 0
        notebook = packs["5LE"].chapters[0].path.read_bytes()
        assert notebook in [path.read_bytes() for path in out.rglob("*.ipynb")]


def test_the_second_time_nothing_is_made(build, packs):
    publish(edited(), packs)
    before = times(build / "published")
    done = publish(edited(), packs)
    assert (done.made, done.kept) == (0, 2 * len(FORMATS) + 1)
    assert times(build / "published") == before


def test_a_changed_notebook_makes_only_its_packs_files_again_and_the_editions_archive(build, packs):
    publish(edited(), packs)
    before = times(build / "published")
    change(packs["5LD"], "other")
    assert offered(edited(), packs)["5LD"] == []
    assert offered(edited(), packs)[""] == []
    publish(edited(), packs)
    after = times(build / "published")
    changed = {path for path in after if after[path] != before[path]}
    assert not any("/5LE/" in path for path in changed)
    assert {path.rpartition("/")[2] for path in changed if "/5LD/" in path} >= {"5LD-2011-12.zip", "made.json"}
    assert any(path.endswith("/2011-12/2011-12.zip") for path in changed)


def test_only_what_is_asked_for_is_made(build, packs):
    publish(edited(), packs, ["pdf"], only=["5LE"])
    assert [item.format for item in offered(edited(), packs)["5LE"]] == ["pdf"]
    assert offered(edited(), packs)["5LD"] == []


def test_a_pack_that_fails_keeps_what_it_had_and_stops_no_other(build, packs):
    publish(edited(), packs)
    kept = (published_folder("2011-12", "5LE") / "5LE-2011-12.xlsx").read_bytes()
    change(packs["5LE"], "broken")
    change(packs["5LD"], "other")
    packs["5LE"].chapters[0].findings[0]["key_figures"] = {"title": "no schema"}
    done = publish(edited(), packs)
    assert list(done.failed) == ["5LE"]
    assert "KeyError" in done.failed["5LE"]
    assert (published_folder("2011-12", "5LE") / "5LE-2011-12.xlsx").read_bytes() == kept
    assert [item.format for item in offered(edited(), packs)["5LD"]] == list(FORMATS)


def write_findings(path, pack, context, local):
    """The writer of a made-up format: all findings of a pack as one JSON file."""
    path.write_text(json.dumps(pack.findings), encoding="utf-8")


def test_one_entry_and_one_function_add_a_format(build, packs, monkeypatch):
    entry = Format(
        "findings", "Findings (JSON)", ".json", f"{__name__}:write_findings", about="The JSON holds findings."
    )
    monkeypatch.setitem(FORMATS, entry.name, entry)
    assert chosen_formats(["findings"]) == (["findings"], False)
    assert publish(edited(), packs, ["findings"], only=["5LE"]).failed == {}
    (made,) = offered(edited(), packs)["5LE"]
    assert (made.path.name, made.label) == ("5LE-2011-12.json", "Findings (JSON)")
    assert json.loads(made.path.read_text(encoding="utf-8")) == packs["5LE"].findings
    assert "findings" in json.loads((made.path.parent / "made.json").read_text(encoding="utf-8"))
    assert 'href="5LE-2011-12.json" download>Findings (JSON)</a>' in pack_page(
        packs["5LE"], edited(), LocalCommentary(), files=[made]
    )
    assert "The JSON holds findings." in read_me(packs["5LE"], edited())


def test_the_module_of_a_format_is_imported_only_when_a_file_is_written():
    code = (
        "import sys, cbs_analysis.publishing.downloads; print([n for n in ('xlsxwriter', 'typst') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("moment", range(1, 13))
def test_a_run_that_is_cut_off_is_carried_on_to_whole_files_and_their_checksums(build, packs, monkeypatch, moment):
    class CutOffError(BaseException):
        pass

    folder, written = published_folder("2011-12", "5LE"), []

    def cut_off(path, content):
        written.append(path.name)
        if len(written) == moment:
            raise CutOffError
        write_atomically(path, content)

    key = downloads.made_from(edited(), packs["5LE"])
    with monkeypatch.context() as patch:
        patch.setattr(downloads, "write_atomically", cut_off)
        with pytest.raises(CutOffError):
            make_pack(folder, edited(), packs["5LE"], LocalCommentary(), wanted_formats(), key)
    assert len(offered(edited(), packs)["5LE"]) == (moment - 1) // 3
    draft = folder / ".5LE-2011-12.xlsx.abc.tmp"
    folder.mkdir(parents=True, exist_ok=True)
    draft.write_text("half")
    os.utime(draft, (0, 0))
    publish(edited(), packs, only=["5LE"])
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    assert {path.name for path in folder.iterdir()} == {
        *(item.path.name for item in offered(edited(), packs)["5LE"]), "made.json", "SHA256SUMS",
    }  # fmt: skip
    assert len(offered(edited(), packs)["5LE"]) == len(FORMATS)


def test_which_chapter_makes_an_indicator_is_part_of_what_files_are_made_from(build, packs):
    moved = replace(edited(), made_by={**edited().made_by, "daycase_rate_pct": "another"})
    assert downloads.made_from(moved, packs["5LE"]) != downloads.made_from(edited(), packs["5LE"])


def test_files_of_an_area_that_is_gone_are_removed(build, packs):
    publish(edited(), packs, ["tables"])
    publish(edited(), {"5LE": packs["5LE"]}, ["tables"])
    assert not published_folder("2011-12", "5LD").exists()


def test_changed_choices_and_commentary_make_files_out_of_date(build, packs, make_home):
    home = make_home(planned_care=["1"])
    before = downloads.made_from(edited(), packs["5LE"])
    (home / "params" / "areas").mkdir()
    (home / "params" / "areas" / "5LE.yml").write_text("commentary: Ours.\n", encoding="utf-8")
    assert downloads.made_from(edited(), packs["5LE"]) != before
