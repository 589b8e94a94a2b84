"""Functions nobody calls: a call is made up, and what was made up is listed."""

from __future__ import annotations

from .build import Claim, Story


def test_training_step_of_a_module(check) -> None:
    story = Story(
        """
        import torch
        from torch import nn
        import torch.nn.functional as F

        class Net(nn.Module):
            def __init__(self, hidden):
                super().__init__()
                self.encoder = nn.Linear(784, hidden)
                self.head = nn.Linear(hidden, 10)

            def training_step(self, batch, batch_idx):
                x, y = batch
                z = self.encoder(x).relu().detach()
                loss = F.cross_entropy(self.head(z), y)
                return loss
        """,
        Claim(
            "detached-value",
            "self.encoder(x).relu().detach()",
            [
                ("source", "self.encoder = nn.Linear(784, hidden)", "`self.encoder` is trainable"),
                ("cut", "self.encoder(x).relu().detach()", "cut"),
                ("sink", "return loss", "the loss"),
            ],
            (".detach()", ""),
        ),
    )
    report = check(story, fix=True)
    (result,) = report.results
    assert result.verdict == "confirmed", result.reason
    assert {leaf.name for leaf in result.leaves} == {"self.encoder.weight", "self.encoder.bias"}
    assert result.fix is not None and result.fix.verdict == "verified", result.fix
    assert "`Net(hidden=8)`" in report.invented
    assert any("float32 [4, 784]" in line for line in report.invented)


def test_a_convolution_finds_its_image_size_and_a_loss_function_its_target(check) -> None:
    story = Story(
        """
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 4, 3, padding=1)
                self.fc = nn.Linear(4 * 16 * 16, 1)

            def forward(self, x):
                x = torch.relu(self.conv(x))
                return self.fc(nn.functional.max_pool2d(x, 2).flatten(1))

        def train(model, loader, optimizer):
            for x, y in loader:
                optimizer.zero_grad()
                with torch.no_grad():
                    out = model(x)
                loss = nn.functional.mse_loss(out, y)
                loss.backward()
                optimizer.step()
        """,
        Claim(
            "no-grad-block", "out = model(x)", [("cut", "out = model(x)", "cut"), ("sink", "loss.backward()", "raises")]
        ),
    )
    report = check(story)
    (result,) = report.results
    assert result.verdict == "confirmed", result.reason
    assert result.raised is not None and result.raised.line == 20
    assert any("[4, 3, 32, 32]" in line for line in report.invented), report.invented


def test_what_cannot_be_made_up_is_not_reached_with_a_reason(check) -> None:
    story = Story(
        """
        import torch

        def step(reader):
            x = torch.zeros(3, requires_grad=True)
            loss = reader.next_batch_of_something().sum()
            loss.backward()
        """,
        Claim("no-grad-block", "loss.backward()", [("sink", "loss.backward()", "raises")]),
    )
    (result,) = check(story).results
    assert result.verdict == "not-reached"
    assert "next_batch_of_something" in result.reason


def test_a_loss_function_of_tensors(check) -> None:
    story = Story(
        """
        import torch

        def loss_of(prediction, target):
            error = (prediction - target).detach()
            loss = (error ** 2).mean()
            loss.backward()
            return loss
        """,
        Claim(
            "detached-value",
            "(prediction - target).detach()",
            [("cut", "(prediction - target).detach()", "cut"), ("sink", "loss.backward()", "raises")],
        ),
    )
    report = check(story)
    assert report.results[0].verdict == "confirmed", report.results[0].reason
    assert report.invented
