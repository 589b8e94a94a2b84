"""Train a small denoising autoencoder on made-up signals.

It runs without an error and the loss goes down, yet half of the model never learns: one statement in `train_epoch`
cuts the encoder off. The other `no_grad` blocks and `.item()` calls are right as they are.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    def __init__(self, width: int, code: int):
        super().__init__()
        self.hidden = nn.Linear(width, 32)
        self.code = nn.Linear(32, code)

    def forward(self, signal):
        return self.code(torch.tanh(self.hidden(signal)))


class Decoder(nn.Module):
    def __init__(self, code: int, width: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(code, 32), nn.ReLU(inplace=True), nn.Linear(32, width))

    def forward(self, code):
        return self.layers(code)


def make_batches(count: int, width: int = 64):
    """Sine waves of random pitch and phase."""
    time = torch.linspace(0, 6.28, width)
    batches = []
    for _ in range(count):
        pitch = 1 + 3 * torch.rand(16, 1)
        phase = 6.28 * torch.rand(16, 1)
        batches.append(torch.sin(pitch * time + phase))
    return batches


def train_epoch(encoder, decoder, average, optimizer, batches):
    total = 0.0
    for clean in batches:
        noisy = clean + 0.1 * torch.randn_like(clean)
        # The bug: copied from `validate`, where it is right.
        with torch.no_grad():
            code = encoder(noisy)
        restored = decoder(code)
        loss = F.mse_loss(restored, clean)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        update_average(average, decoder)
        total += loss.item()  # a number for the log: right
    return total / len(batches)


def update_average(average, decoder, decay: float = 0.99):
    """The averaged decoder follows the trained one; it is not trained itself, so `no_grad` is right."""
    with torch.no_grad():
        for slow, fast in zip(average.parameters(), decoder.parameters()):
            slow.mul_(decay).add_(fast, alpha=1 - decay)


def validate(encoder, average, batches):
    """No loss is sent backward here: `no_grad` is right."""
    total = 0.0
    with torch.no_grad():
        for clean in batches:
            total += F.mse_loss(average(encoder(clean)), clean).item()
    return total / len(batches)


def main():
    torch.manual_seed(0)
    encoder = Encoder(64, 8)
    decoder = Decoder(8, 64)
    average = copy.deepcopy(decoder)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    training, held_out = make_batches(40), make_batches(8)

    for epoch in range(5):
        loss = train_epoch(encoder, decoder, average, optimizer, training)
        print(f"epoch {epoch}: training {loss:.3f}, held out {validate(encoder, average, held_out):.3f}")


if __name__ == "__main__":
    main()
