"""`from module import *` of a module nobody can read: any name may come from it, and what is known stays known."""

from __future__ import annotations

import textwrap

from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.interpreter.run import run_file
from gradsight.analysis.source.parse import parse
from gradsight.analysis.values import TorchName, Unknown

CUT = """
x = torch.randn(3, requires_grad=True)
with torch.no_grad():
    y = x * 2
y.sum().backward()
"""


def namespace(text: str) -> dict[str, object]:
    return run_file(parse("program.py", textwrap.dedent(text))).main.namespace


def test_a_name_that_nobody_defines_may_come_from_it() -> None:
    value = namespace("from absent import *\nvalue = helper\n")["value"]
    assert isinstance(value, Unknown) and value.reason == "`helper` may come from `absent`"


def test_torch_is_torch_wherever_it_comes_from() -> None:
    assert namespace("from absent import *\nother = torch\n")["other"] == TorchName("torch")
    (found,) = check(Snapshot("program.py", "from absent import *\n" + CUT), Project()).findings
    assert found.rule == "no-grad-block"


def test_what_is_imported_by_name_stays_what_it_is() -> None:
    for text in ("import torch\nfrom absent import *\n", "from absent import *\nimport torch\n"):
        assert namespace(text)["torch"] == TorchName("torch")
        (found,) = check(Snapshot("program.py", text + CUT), Project()).findings
        assert found.rule == "no-grad-block"


def test_without_one_it_is_not_defined() -> None:
    value = namespace("value = helper\n")["value"]
    assert isinstance(value, Unknown) and value.reason == "`helper` is not defined here"
