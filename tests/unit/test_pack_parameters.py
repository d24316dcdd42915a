"""A parameter of a notebook that is not text is answered in one line that says how to hand it over."""

import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from cbs_analysis.chapters import open_pack
from cbs_analysis.errors import UserError
from cbs_analysis.pack import check_are_text

NOT_TEXT = [50.0, 50, float("nan"), 10**400, None, True, ["5LE"], {"code": "5LE"}, b"5LE", ("5LE",), "x".join]


@pytest.mark.parametrize("value", NOT_TEXT, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("name", ["area_code", "edition"])
def test_a_parameter_that_is_not_text_is_named_with_its_type_and_what_to_write(name, value):
    with pytest.raises(UserError) as caught:
        open_pack(**{"area_code": "5LE", "edition": "2011-12", name: value})
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert f"({type(value).__name__}), expected text" in message
    assert f"-r {name} " in message
    assert len(message.splitlines()) == 1
    assert len(message) < 250


def test_a_number_is_said_to_be_one():
    with pytest.raises(UserError, match=r"^area_code: 50.0 arrived as a number \(float\)"):
        check_are_text(area_code=50.0, edition="2011-12")


def test_text_passes():
    check_are_text(area_code="5E1", edition="2011-12")


def test_papermill_is_answered_in_one_line(tmp_path, write_template):
    cells = ("from cbs_analysis.chapters import open_pack", "pack = open_pack(area_code, edition, tables)")
    template = write_template(tmp_path / "in.ipynb", *cells)
    with pytest.raises(PapermillExecutionError) as caught:
        papermill.execute_notebook(
            template, tmp_path / "out.ipynb", {"area_code": 5e1, "edition": "2011-12"}, language="python",
            progress_bar=False,
        )  # fmt: skip
    assert caught.value.ename == "UserError"
    assert caught.value.evalue.startswith("area_code: 50.0 arrived as a number")
    assert "-r area_code 5E1" in caught.value.evalue
