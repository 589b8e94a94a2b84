"""Classes and factories of an installed package are told apart from what is no module, without importing anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.names import JediClient, Resolver, site_directories

PACKAGE = {
    "tinynets/__init__.py": "from .nets import *\nfrom .make import build, build_any, typed, count\n",
    "tinynets/nets.py": """\
import torch.nn as nn
from ._base import Base

__all__ = ["Backbone", "Plain", "Deep"]


class Backbone(Base):
    def forward(self, x):
        return x


class Deep(Backbone):
    @classmethod
    def from_pretrained(cls, name):
        return cls()


class Plain:
    pass
""",
    "tinynets/_base.py": """\
open(__file__ + ".ran", "w").close()
import torch

if torch.cuda.is_available():
    print("cuda")


class Base(torch.nn.Module):
    pass
""",
    "tinynets/make.py": """\
import torch
from torch import nn

from .nets import Backbone, Plain


def build(width=3):
    net = Backbone()
    return net


def build_any(kind):
    if kind == "plain":
        return Plain()
    return Backbone()


def typed(name) -> nn.Module:
    return REGISTRY[name]()


def count():
    return 3
""",
    "plainlib/__init__.py": "class Backbone: ...\n",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("env") / "lib" / "python3.11" / "site-packages"
    for name, text in PACKAGE.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return site


@pytest.fixture(scope="module")
def resolver(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resolver]:
    work = str(tmp_path_factory.mktemp("work"))
    resolver = Resolver([work], [str(site)], JediClient([work], [str(site)], limit=30, first_limit=60))
    yield resolver
    resolver.close()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("tinynets.Backbone", "module"),
        ("tinynets.nets.Deep", "module"),
        ("tinynets.Deep.from_pretrained", "module"),
        ("tinynets.Plain", "other"),
        ("tinynets.build", "module"),
        ("tinynets.build_any", "unknown"),
        ("tinynets.typed", "module"),
        ("tinynets.count", "other"),
        ("tinynets.not_there", "unknown"),
        ("plainlib.Backbone", "other"),
        ("not_installed_anywhere.Net", "unknown"),
    ],
)
def test_what_calling_a_name_gives(resolver: Resolver, name: str, answer: str) -> None:
    assert resolver.answer([name], seconds=60) == {name: answer}


def test_nothing_of_the_package_ran(resolver: Resolver, site: Path) -> None:
    resolver.answer(["tinynets.Backbone", "tinynets.build"], seconds=60)
    assert not list(site.rglob("*.ran"))
    assert "torch" not in (resolver._client.loaded_modules(["torch", "tinynets"]) or ())


def test_no_time_gives_no_answer(site: Path) -> None:
    resolver = Resolver([], [str(site)])
    assert resolver.answer(["tinynets.Backbone"], seconds=-1) == {}
    assert resolver.pid is None


def test_a_class_needs_no_process(site: Path) -> None:
    resolver = Resolver([], [str(site)])
    assert resolver.answer(["tinynets.Backbone", "plainlib.Backbone"], seconds=60)["tinynets.Backbone"] == "module"
    assert resolver.pid is None


def test_site_directories_follow_from_the_layout(site: Path) -> None:
    python = site.parents[2] / "bin" / "python"
    assert site_directories(str(python)) == [str(site)]
    assert any("site-packages" in place for place in site_directories(sys.executable))


PROGRAM = """\
import torch
from tinynets import build
net = build()
head = torch.nn.Linear(3, 1)
opt = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.1)
with torch.no_grad():
    hidden = net(torch.randn(2, 3))
loss = head(hidden).sum()
loss.backward()
opt.step()
"""


def test_the_report_asks_and_gets_more_precise() -> None:
    before = check(Snapshot("a.py", PROGRAM))
    assert before.unresolved == ("tinynets.build",)
    after = check(Snapshot("a.py", PROGRAM), Project(known={"tinynets.build": "module"}))
    assert [(f.rule, f.span.start.line) for f in after.findings] == [("no-grad-block", 7)]
    assert after.unresolved == ()
    unknown = check(Snapshot("a.py", PROGRAM), Project(known={"tinynets.build": "unknown"}))
    assert unknown.findings == before.findings
    assert unknown.unresolved == ()


CLEAN = """\
import torch
from tinynets import Backbone


class Net(Backbone):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(3, 1)

    def forward(self, x):
        return self.head(super().forward(x))


frozen = Backbone()
frozen.requires_grad_(False)
frozen.fc = torch.nn.Linear(3, 3)
net = Net()
opt = torch.optim.SGD([*net.parameters(), *frozen.fc.parameters()], lr=0.1)
loss = net(frozen(torch.randn(2, 3))).sum()
loss.backward()
opt.step()
print(net.head.weight.grad, frozen.fc.weight.grad)
"""


@pytest.mark.parametrize("known", [{}, {"tinynets.Backbone": "module"}])
def test_frozen_and_derived_modules_are_silent(known: dict[str, str]) -> None:
    report = check(Snapshot("a.py", CLEAN), Project(known=known))
    assert report.findings == ()


def test_a_derived_module_registers_its_layers() -> None:
    cut = CLEAN.replace("return self.head(super().forward(x))", "return self.head(x).detach() * 1")
    report = check(Snapshot("a.py", cut), Project(known={"tinynets.Backbone": "module"}))
    assert [f.rule for f in report.findings] == ["detached-value"]
