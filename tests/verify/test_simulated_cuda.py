"""Simulated CUDA placement: the programs of `cuda_programs` run without a GPU, and what they must say."""

from __future__ import annotations

import json

import pytest

from .build import Claim, Story, cut_before_backward
from .cuda_programs import PROGRAMS, script


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def facts_of(output: str) -> dict:
    lines = [line for line in output.splitlines() if line.startswith("FACTS ")]
    return json.loads(lines[0][6:])


def test_the_programs_run_and_say_what_a_gpu_says(check) -> None:
    report = check(Story(script(*PROGRAMS), cut_before_backward("end.backward()")))
    assert report.results[0].verdict == "confirmed", report.results[0].reason
    assert report.device == "cpu (simulated cuda)"
    every = facts_of(report.stdout)
    assert set(every) == set(PROGRAMS)

    facts = every["moving a leaf"]
    for name in ("cuda()", "to", "to device", "to int"):
        assert facts[name] == [False, "ToCopyBackward0", "cuda:0", True, False]
    assert facts["cpu is self"] is True
    assert facts["again is self"] == [True, True, True, False]
    assert facts["back"] == [False, "cpu", "ToCopyBackward0"]
    assert facts["grad"] == [[2.0, 2.0, 2.0], "cpu", False]

    facts = every["mixing devices"]
    refused = [True, "Expected all tensors to be on the same device,"]
    names = {"add", "0-dim cuda to cpu", "matmul", "linear", "embedding", "cat", "cross entropy"}
    assert {name for name, value in facts.items() if value == refused} == names
    assert facts["number"] == facts["0-dim"] == facts["index by cpu"] == facts["copy_"] == "cuda:0"
    assert facts["numpy"] == [True, "can't convert cuda:0 device type tensor to num"]

    facts = every["modules stay leaves"]
    assert facts["same"] == [True, True, True]
    assert facts["devices"] == facts["state"] == ["cuda:0"]
    assert facts["parameter moved by hand"] == [False, True]
    assert facts["back"] == ["cpu", True]
    assert every["an optimizer refuses a moved leaf"]["error"] == "can't optimize a non-leaf Tensor"
    assert every["loader, pinning, generators"]["batches"] == [["cuda:0", "cpu"]] * 2
    assert every["custom functions, hooks, checkpoint"]["function"] == ["cuda:0", [2.0, 2.0], "cuda:0"]


MOVED = """
import torch
x = torch.randn(10, requires_grad=True).cuda()
y = x * 2
loss = y.sum()
loss.backward()
print(x.grad)
"""


def moved(made: str = "torch.randn(10, requires_grad=True).cuda()") -> Story:
    text = MOVED.replace("torch.randn(10, requires_grad=True).cuda()", made)
    return Story(
        text,
        Claim(
            "device-move-leaf",
            f"x = {made}",
            [
                ("source", f"x = {made}", "a copy on the GPU"),
                ("sink", "loss.backward()", ""),
                ("note", "x.grad", "None"),
            ],
            (made, 'torch.randn(10, device="cuda", requires_grad=True)'),
        ),
    )


def test_a_moved_leaf_is_confirmed_by_simulation_and_its_fix_verified(check) -> None:
    report = check(moved(), fix=True)
    (result,) = report.results
    assert report.device == "cpu (simulated cuda)"
    assert result.summary == "confirmed on cpu (simulated cuda): `x.grad` is None: it is not a leaf"
    assert result.fix is not None and result.fix.verdict == "verified", result.fix


def test_a_device_chosen_at_run_time(check) -> None:
    report = check(moved('torch.randn(10, requires_grad=True).to("cuda" if torch.cuda.is_available() else "cpu")'))
    assert (report.results[0].verdict, report.device) == ("confirmed", "cpu (simulated cuda)")


def test_device_cpu_takes_the_code_at_its_word(check) -> None:
    made = 'torch.randn(10, requires_grad=True).to("cuda" if torch.cuda.is_available() else "cpu")'
    report = check(moved(made), device="cpu")
    assert (report.results[0].verdict, report.device) == ("refuted", "cpu")


def test_code_without_cuda_runs_plainly(check) -> None:
    report = check(Story("import torch\nloss = torch.randn(3).sum()\nloss.backward()\n", cut_before_backward()))
    assert report.device == "cpu"


def test_device_cuda_simulates_a_default_device(check) -> None:
    text = "import torch\nx = torch.randn(3)\nprint('ON', x.device)\nloss = x.sum()\nloss.backward()\n"
    report = check(Story(text, cut_before_backward()), device="cuda")
    assert (report.results[0].verdict, report.device) == ("confirmed", "cpu (simulated cuda)")
    assert "ON cuda:0" in report.stdout


def test_a_default_device_in_the_way_is_taken_back(check) -> None:
    text = "import torch\nx = torch.randn(3)\nn = x.numpy()\nloss = x.sum()\nloss.backward()\n"
    report = check(Story(text, cut_before_backward()), device="cuda")
    assert report.results[0].verdict == "confirmed", report.results[0].reason


def test_cuda_in_a_module_beside_it(check, tmp_path) -> None:
    (tmp_path / "helpers.py").write_text("DEVICE = 'cuda'\n")
    text = MOVED.replace(".cuda()", ".to(helpers.DEVICE)").replace("import torch", "import torch, helpers")
    made = "torch.randn(10, requires_grad=True).to(helpers.DEVICE)"
    story = Story(
        text, Claim("device-move-leaf", f"x = {made}", [("note", "x.grad", ""), ("sink", "loss.backward()", "")])
    )
    report = check(story)
    assert (report.results[0].verdict, report.device) == ("confirmed", "cpu (simulated cuda)"), report.results[0].reason
