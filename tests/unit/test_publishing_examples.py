"""Method pages as the book shows them."""

import json

from nbformat import v4

from cbs_analysis.publishing.handbook_pages import method_page, title_of, written_pages


def _page(path, *cells):
    path.write_text(json.dumps(v4.new_notebook(cells=list(cells))), encoding="utf-8")
    return path


def _result(**data):
    return v4.new_output("execute_result", data={key.replace("_", "/"): value for key, value in data.items()})


def test_the_code_and_its_result_are_shown_and_the_checks_are_not(tmp_path):
    shown = v4.new_code_cell("1 + 1", outputs=[_result(text_plain="2")])
    check = v4.new_code_cell("assert True", metadata={"tags": ["check"]})
    staged = json.loads(method_page(_page(tmp_path / "sum.ipynb", v4.new_markdown_cell("# Sums"), shown, check)))
    assert [cell["source"] for cell in staged["cells"]] == ["# Sums", "1 + 1"]
    assert staged["cells"][1]["outputs"][0]["data"] == {"text/plain": "2"}


def test_a_frame_is_shown_in_the_book_s_own_style(tmp_path):
    html = '<div><style scoped>p { color: red }</style><table border="1" class="dataframe"><td style="x">1</td></table>'
    cell = v4.new_code_cell("frame", outputs=[_result(text_html=html, text_plain="1")])
    data = json.loads(method_page(_page(tmp_path / "frame.ipynb", cell)))["cells"][0]["outputs"][0]["data"]
    assert set(data) == {"text/html"}
    assert "style" not in data["text/html"] and "border" not in data["text/html"]
    assert 'class="cbs-table cbs-result"><td>1</td>' in data["text/html"]


def test_what_a_cell_prints_or_warns_of_is_left_out(tmp_path):
    cell = v4.new_code_cell("x", outputs=[v4.new_output("stream", text="warning"), _result(text_plain="1")])
    outputs = json.loads(method_page(_page(tmp_path / "noisy.ipynb", cell)))["cells"][0]["outputs"]
    assert [output["output_type"] for output in outputs] == ["display_data"]


def test_a_page_is_called_by_its_first_heading_whether_prose_or_notebook(tmp_path):
    notebook = _page(
        tmp_path / "b.ipynb", v4.new_code_cell("# not this"), v4.new_markdown_cell("# Limits\n\nof a count")
    )
    prose = tmp_path / "a.md"
    prose.write_text("# Adding up\n", encoding="utf-8")
    assert [title_of(page) for page in written_pages(tmp_path)] == ["Adding up", "Limits"]
    assert title_of(notebook) == "Limits" and title_of(prose) == "Adding up"
