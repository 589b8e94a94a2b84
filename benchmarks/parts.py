"""The files of a workspace as a team would have grown it: `files(count)` gives names and texts, always the same.

Each package holds layers, a model, losses, data, helpers without torch, and training scripts; a package uses the one
before it. It is real code: every training script runs under torch.
"""

from __future__ import annotations

from collections.abc import Iterator

from program import BLOCK

LAYERS = (
    '''"""Layers of experiment {n}."""

import torch
import torch.nn.functional as F
from torch import nn

'''
    + BLOCK.replace("{n}", "{m}")
    + """
    def forward(self, x):
        hidden = F.gelu(self.first(self.norm(x)))
        return x + self.scale * self.dropout(self.second(hidden))


class Gate{m}(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, x):
        weights = torch.softmax(self.query(x) * self.key(x) / x.shape[-1] ** 0.5, dim=-1)
        return weights * self.value(x)


class Stack{m}(nn.Module):
    def __init__(self, width, depth=3):
        super().__init__()
        self.blocks = nn.ModuleList([Block{m}(width) for _ in range(depth)])
        self.gate = Gate{m}(width)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.gate(x)
"""
)

MODEL = '''"""Model {m} of experiment {n}."""

import torch
from torch import nn

from {package}.layers_{m} import Stack{m}
from {before}.layers_{m} import Block{m} as Earlier


class Model{m}(nn.Module):
    def __init__(self, width=16, code=4, classes=3):
        super().__init__()
        self.encoder = Stack{m}(width)
        self.earlier = Earlier(width)
        self.mean = nn.Linear(width, code)
        self.decoder = nn.Sequential(nn.Linear(code, width), nn.ReLU(), nn.Linear(width, width))
        self.head = nn.Linear(code, classes)

    def encode(self, x):
        return self.mean(self.earlier(self.encoder(x)))

    def forward(self, x):
        code = self.encode(x)
        return self.decoder(code), self.head(code)

    @torch.no_grad()
    def predict(self, x):
        self.eval()
        return self.head(self.encode(x)).argmax(dim=-1)


def build(width=16, frozen=False):
    model = Model{m}(width)
    if frozen:
        for parameter in model.encoder.parameters():
            parameter.requires_grad_(False)
    return model
'''

LOSSES = '''"""Losses of experiment {n}."""

import torch
import torch.nn.functional as F


def reconstruction(outputs, inputs, scale=1.0):
    return scale * F.mse_loss(outputs, inputs)


def contrastive(left, right, temperature=0.1):
    left, right = F.normalize(left, dim=-1), F.normalize(right, dim=-1)
    scores = left @ right.t() / temperature
    targets = torch.arange(scores.shape[0])
    return (F.cross_entropy(scores, targets) + F.cross_entropy(scores.t(), targets)) / 2


def smooth(scores, targets, epsilon=0.1):
    with torch.no_grad():
        soft = torch.full_like(scores, epsilon / (scores.shape[-1] - 1))
        soft.scatter_(1, targets.unsqueeze(1), 1 - epsilon)
    return -(soft * torch.log_softmax(scores, dim=-1)).sum(dim=-1).mean()


class Running{m}:
    """The mean of a loss over an epoch."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def add(self, loss, size):
        self.total += loss.item() * size
        self.count += size

    @property
    def mean(self):
        return self.total / max(1, self.count)
'''

DATA = '''"""Data of experiment {n}."""

import torch
from torch.utils.data import DataLoader, Dataset

from {package}.options_{m} import Options{m}


class Points{m}(Dataset):
    def __init__(self, count=32, width=16, classes=3):
        generator = torch.Generator().manual_seed({n})
        self.inputs = torch.randn(count, width, generator=generator)
        self.targets = torch.randint(0, classes, (count,), generator=generator)

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return self.inputs[index], self.targets[index]


def loaders(options=None):
    options = options or Options{m}()
    training = DataLoader(Points{m}(), batch_size=options.batch, shuffle=True)
    validation = DataLoader(Points{m}(16), batch_size=options.batch)
    return training, validation
'''

OPTIONS = '''"""Options of experiment {n}: nothing here computes."""

import argparse
import json
from dataclasses import asdict, dataclass, field


@dataclass
class Options{m}:
    batch: int = 8
    epochs: int = 2
    rate: float = 1e-3
    names: list = field(default_factory=list)

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description="experiment {n}")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-3)
    chosen = parser.parse_args(arguments)
    return Options{m}(chosen.batch, chosen.epochs, chosen.rate)


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    return "\\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) for row in rows)
'''

TRAIN = '''"""Training of experiment {n}."""

import torch
from torch import optim

from {package}.data_{m} import loaders
from {package}.losses_{m} import Running{m}, reconstruction, smooth
from {package}.model_{m} import build
from {package}.options_{m} import Options{m}


def evaluate(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for inputs, targets in loader:
            _, scores = model(inputs)
            right += (scores.argmax(dim=-1) == targets).sum().item()
            total += len(targets)
    return right / total


def train(options):
    training, validation = loaders(options)
    model = build()
    optimizer = optim.Adam(model.parameters(), lr=options.rate)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1)
    best = 0.0
    for epoch in range(options.epochs):
        model.train()
        running = Running{m}()
        for inputs, targets in training:
            optimizer.zero_grad()
            outputs, scores = model(inputs)
            loss = reconstruction(outputs, inputs) + smooth(scores, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            running.add(loss, len(targets))
        schedule.step()
        best = max(best, evaluate(model, validation))
        print(f"epoch {{epoch}}: loss {{running.mean:.3f}}, best {{best:.3f}}")
    return model


if __name__ == "__main__":
    train(Options{m}())
'''

KINDS = {"layers": LAYERS, "model": MODEL, "losses": LOSSES, "data": DATA, "options": OPTIONS, "train": TRAIN}
PER_PACKAGE = 4
"""Experiments in one package."""


def files(count: int) -> Iterator[tuple[str, str]]:
    """Names below the workspace's folder and texts of `count` files."""
    made = 0
    experiment = 0
    while made < count:
        number, m = divmod(experiment, PER_PACKAGE)
        package, before = f"part{number:03}", f"part{max(0, number - 1):03}"
        wanted = {f"{package}/{kind}_{m}.py": text for kind, text in KINDS.items()}
        if m == 0:
            wanted = {f"{package}/__init__.py": "", **wanted}
        for name, text in wanted.items():
            if made == count:
                return
            made += 1
            yield name, text.format(n=experiment, m=m, package=package, before=before) if text else text
        experiment += 1
