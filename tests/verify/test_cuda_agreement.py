"""The same programs on a real GPU and in simulation: what both say must be equal. Needs a CUDA device."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .build import Story, cut_before_backward
from .cuda_programs import PROGRAMS, script
from .test_simulated_cuda import facts_of, moved
from .test_three_programs import ex1, ex2, ex3


def _gpu() -> bool:
    code = "import torch; raise SystemExit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not _gpu(), reason="NO CUDA DEVICE: the simulation is not compared with the real thing here"),
]


def both(check, monkeypatch: pytest.MonkeyPatch, story: Story, **options):
    real = check(story, **options)
    with monkeypatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        simulated = check(story, **options)
    return real, simulated


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_facts_agree(check, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real, simulated = both(check, monkeypatch, Story(script(name), cut_before_backward("end.backward()")))
    assert real.device.startswith("cuda:") and simulated.device == "cpu (simulated cuda)"
    assert real.results[0].verdict == simulated.results[0].verdict == "confirmed", real.results[0].reason
    assert facts_of(simulated.stdout)[name] == facts_of(real.stdout)[name]


STORIES = {
    "ex1": ex1,
    "ex2": ex2,
    "ex3": ex3,
    "moved leaf": moved,
    "moved by to": lambda: moved('torch.randn(10, requires_grad=True).to("cuda")'),
    "moved and back": lambda: moved("torch.randn(10, requires_grad=True).cuda().cpu()"),
    "made there": lambda: moved('torch.randn(10, requires_grad=True, device="cuda")'),
    "moved first": lambda: moved("torch.randn(10).cuda().requires_grad_()"),
}


@pytest.mark.parametrize("name", STORIES)
def test_verdicts_agree(check, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real, simulated = both(check, monkeypatch, STORIES[name](), device="cuda", fix=True)
    assert real.device.startswith("cuda:") and "(" in real.device
    (one,), (other,) = real.results, simulated.results
    assert one.verdict == other.verdict, (one.reason, other.reason)
    assert [(leaf.name, leaf.grad) for leaf in one.leaves] == [(leaf.name, leaf.grad) for leaf in other.leaves]
    assert one.fix is not None and other.fix is not None
    assert one.fix.verdict == other.fix.verdict, (one.fix.reason, other.fix.reason)


def test_auto_takes_the_gpu_for_code_that_never_mentions_it(check) -> None:
    report = check(ex2())
    assert report.device.startswith("cuda:")
    assert report.results[0].summary.startswith("confirmed on cuda:")


def test_auto_falls_back_to_the_programs_own_devices(check) -> None:
    text = "import torch\nx = torch.randn(3)\nn = x.numpy()\nloss = x.sum()\nloss.backward()\n"
    report = check(Story(text, cut_before_backward()))
    assert (report.results[0].verdict, report.device) == ("confirmed", "cpu")
