"""A notebook's cells as one program: every line and column stays where a cell has it."""

from __future__ import annotations

from gradsight.session.documents import opened


def test_cells_are_one_program() -> None:
    notebook = opened("n", "/w/n.ipynb", "", 1).rearranged([("a", "x = 1\n"), ("b", ""), ("c", "y = x\nz")], 2)
    assert notebook.text == "x = 1\n\n\ny = x\nz"
    assert [(cell.uri, cell.first_line, cell.last_line) for cell in notebook.cells] == [
        ("a", 1, 2),
        ("b", 3, 3),
        ("c", 4, 5),
    ]
    assert notebook.version == 2 and notebook.generation == 1


def test_magics_are_comments_of_the_same_length() -> None:
    cells = [
        ("a", "%matplotlib inline\n  !pip install x\ny = 5 % 2"),
        ("b", "%%bash\necho 'x'\n\nls"),
        ("c", "%%time\nx = 1"),
    ]
    notebook = opened("n", "/w/n.ipynb", "", 1).rearranged(cells, 2)
    assert notebook.text == ("#matplotlib inline\n  #pip install x\ny = 5 % 2\n#%bash\n#cho 'x'\n\n#s\n#%time\nx = 1")
    assert notebook.cells[0].source.text.startswith("%matplotlib"), "the client's own text is kept for positions"
