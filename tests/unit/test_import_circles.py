"""A file of a package that its own package takes in by a star, before it has run to its end."""

from __future__ import annotations

from pathlib import Path

from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.recheck import Analyzer

LAYERS = """
import pkg
from torch import nn


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.device = pkg.Device()

    def forward(self, x):
        return (x * self.device.state).sum()
"""
DEVICES = """
import torch
from torch import nn

import pkg


class Device(nn.Module):
    def __init__(self):
        super().__init__()
        self.state = nn.Parameter(torch.ones(3))


def train():
    layer = pkg.Layer()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    loss = layer(torch.randn(3))
    loss.backward()
    optimizer.step()


train()
"""


def package(root: Path) -> tuple[str, Project]:
    """The file that is checked, in a package of three."""
    (root / "pkg").mkdir()
    (root / "pkg" / "__init__.py").write_text("from .devices import *\nfrom .layers import *\n", "utf-8")
    (root / "pkg" / "layers.py").write_text(LAYERS, "utf-8")
    (root / "pkg" / "devices.py").write_text(DEVICES, "utf-8")
    return str(root / "pkg" / "devices.py"), Project(roots=(str(root),))


def test_a_name_of_the_checked_file_is_found_through_its_package(tmp_path: Path) -> None:
    path, project = package(tmp_path)
    assert not check(Snapshot(path, DEVICES), project).findings
    lost = DEVICES.replace("nn.Parameter(torch.ones(3))", "torch.ones(3)")
    findings = check(Snapshot(path, lost), project).findings
    assert findings and all(finding.severity == "error" for finding in findings), findings


def test_an_edit_of_it_is_seen_through_its_package(tmp_path: Path) -> None:
    path, project = package(tmp_path)
    lost = DEVICES.replace("nn.Parameter(torch.ones(3))", "torch.ones(3)")
    analyzer = Analyzer()
    for text in (DEVICES, lost, DEVICES, lost):
        again, fresh = analyzer.check(Snapshot(path, text), project), check(Snapshot(path, text), project)
        assert [(f.rule, f.span) for f in again.findings] == [(f.rule, f.span) for f in fresh.findings]
