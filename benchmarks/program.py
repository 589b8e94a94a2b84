"""A training script of about 1,000 lines, as a person would have grown it: models, losses, loops, optimizers.

The parts are numbered variants of what training files hold; the text is the same on every machine. It is real code: it
runs under torch (`python benchmarks/program.py | python`, some seconds). One line, `EDITED`, is what the benchmark
changes: with the `.detach()` an encoder is cut off and a finding appears, without it there is none.
"""

from __future__ import annotations

HEAD = '''"""Experiments on sequence and image models, one file as it grew."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def make_batches(count, size=8, width=32, classes=4):
    batches = []
    for _ in range(count):
        inputs = torch.randn(size, width)
        targets = torch.randint(0, classes, (size,))
        batches.append((inputs, targets))
    return batches


def accuracy(scores, targets):
    return (scores.argmax(dim=-1) == targets).float().mean().item()

'''

BLOCK = '''
class Block{n}(nn.Module):
    """Residual block of experiment {n}."""

    def __init__(self, width, dropout=0.1):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, 2 * width)
        self.second = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.ones(width))
'''
"""A residual block, without what it computes."""

PART = (
    BLOCK
    + """
    def forward(self, x):
        hidden = self.norm(x)
        hidden = F.gelu(self.first(hidden))
        hidden = self.dropout(self.second(hidden))
        return x + self.scale * hidden


class Encoder{n}(nn.Module):
    def __init__(self, width, code, depth={depth}):
        super().__init__()
        self.blocks = nn.ModuleList([Block{n}(width) for _ in range(depth)])
        self.mean = nn.Linear(width, code)
        self.log_variance = nn.Linear(width, code)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.mean(x), self.log_variance(x).clamp(-8, 8)


class Model{n}(nn.Module):
    def __init__(self, width=32, code=8, classes=4):
        super().__init__()
        self.encoder = Encoder{n}(width, code)
        self.decoder = nn.Sequential(nn.Linear(code, width), nn.ReLU(inplace=True), nn.Linear(width, width))
        self.head = nn.Linear(code, classes)

    def encode(self, x):
        mean, log_variance = self.encoder(x)
        if self.training:
            noise = torch.randn_like(mean)
            return mean + noise * (0.5 * log_variance).exp(), mean, log_variance
        return mean, mean, log_variance

    def forward(self, x):
        code, mean, log_variance = self.encode(x)
        return self.decoder(code), self.head(code), mean, log_variance


def losses_{n}(model, inputs, targets, beta={beta}):
    restored, scores, mean, log_variance = model(inputs)
    reconstruction = F.mse_loss(restored, inputs)
    classification = F.cross_entropy(scores, targets)
    divergence = -0.5 * torch.mean(1 + log_variance - mean.pow(2) - log_variance.exp())
    total = reconstruction + classification + beta * divergence
    return total, {{"reconstruction": reconstruction.item(), "accuracy": accuracy(scores, targets)}}


def train_{n}(model, batches, epochs=2, lr=1e-3):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.9)
    average = copy.deepcopy(model)
    history = []
    for epoch in range(epochs):
        model.train()
        running = 0.0
        for inputs, targets in batches:
            inputs, targets = inputs.to(DEVICE), targets.to(DEVICE)
            optimizer.zero_grad()
            loss, parts = losses_{n}(model, inputs, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), model.parameters()):
                    slow.mul_(0.99).add_(fast, alpha=0.01)
            running += loss.item()
            history.append(parts["accuracy"])
        schedule.step()
        print(f"experiment {n} epoch {{epoch}}: {{running / len(batches):.3f}}")
    return average, history


@torch.no_grad()
def evaluate_{n}(model, batches):
    model.eval()
    right = 0.0
    for inputs, targets in batches:
        _, scores, _, _ = model(inputs.to(DEVICE))
        right += accuracy(scores, targets.to(DEVICE))
    return right / len(batches)


def distil_{n}(teacher, student, batches, temperature={temperature}):
    optimizer = torch.optim.SGD(student.parameters(), lr=1e-2, momentum=0.9)
    for inputs, _ in batches:
        inputs = inputs.to(DEVICE)
        with torch.no_grad():
            wanted = F.softmax(teacher(inputs)[1] / temperature, dim=-1)
        given = F.log_softmax(student(inputs)[1] / temperature, dim=-1)
        loss = F.kl_div(given, wanted, reduction="batchmean") * temperature**2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return student

"""
)

EDITED = "        code = encoder(inputs)"
CUT = "        code = encoder(inputs).detach()"

TAIL = f"""
def probe_training(batches, width=32, code_width=8):
    encoder = nn.Linear(width, code_width)
    head = nn.Linear(code_width, 4)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-3)
    for inputs, targets in batches:
{EDITED}
        loss = F.cross_entropy(head(code), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder


def main():
    torch.manual_seed(0)
    batches = make_batches(4)
    probe_training(batches)
"""

RUN = """    model = Model{n}().to(DEVICE)
    average, _ = train_{n}(model, batches)
    print(evaluate_{n}(average, batches), math.isfinite(sum(p.sum().item() for p in average.parameters())))
    distil_{n}(average, Model{n}().to(DEVICE), batches)
"""


def program(lines: int = 1000) -> str:
    """The script, grown to about that many lines."""
    frame = (HEAD + TAIL).count("\n") + 4
    count = max(1, round((lines - frame) / (PART.count("\n") + RUN.count("\n"))))
    parts = [
        PART.format(n=number, depth=2 + number % 2, beta=0.1 + number / 100, temperature=2 + number % 3)
        for number in range(count)
    ]
    runs = [RUN.format(n=number) for number in range(count)]
    return "".join([HEAD, *parts, TAIL, *runs, '\n\nif __name__ == "__main__":\n    main()\n'])


def edits_inside(text: str) -> list[tuple[str, str]]:
    """Edits of one line inside one function: what is edited, and the text afterwards.

    In the first, a middle and the last part: a line of a model's method, of a loss and of a training loop is changed,
    and one is added; and the function with `EDITED` is cut.
    """
    count = text.count("\ndef train_")
    found = [("probe_training: cut", text.replace(EDITED, CUT))]
    for part in (0, count // 2, count - 1):
        lines = {
            f"Block{part}.forward": (f"class Block{part}(", "        return x + self.scale * hidden"),
            f"losses_{part}": (
                f"def losses_{part}(",
                "    total = reconstruction + classification + beta * divergence",
            ),
            f"train_{part}": (f"def train_{part}(", "            running += loss.item()"),
        }
        for name, (function, line) in lines.items():
            place = text.index(line, text.index(function))
            before, after = text[:place], text[place + len(line) :]
            blanks = line[: len(line) - len(line.lstrip())]
            found.append((f"{name}: line changed", f"{before}{line} * 1.0{after}"))
            found.append((f"{name}: line added", f"{before}{blanks}extra = {part}\n{line}{after}"))
    return found


if __name__ == "__main__":
    print(program(), end="")
