"""A call for a function that nobody calls: `training_step`, `forward`, a loss.

    class Net(nn.Module):                          Net()                        constructed from its class
        def __init__(self): self.fc = nn.Linear(784, 10)
        def training_step(self, batch, batch_idx): (float32 [4, 784], int64 [4]), 0
            x, y = batch                           -> the loss it returns gets its `backward()`

Arguments are looked up by annotation, by name and by how the function takes them apart; the shape of a tensor comes
from the first layer of the module at hand, then from what PyTorch says is wrong with it. A *trial* call runs with the
recorder silent until it reaches the sink; the first set of arguments that gets there is used for the call that counts.
The search is bounded in tries and in time, and everything made up is listed.

Where it gives up: required constructor arguments that are neither numbers, texts, flags nor modules; tensors whose
shapes depend on each other in more than the batch; anything that reads files first.
"""

from __future__ import annotations

import inspect
import itertools
import time

import torch

from .invent import Inventor, NoIdea

MOST_TRIES = 80
MOST_SECONDS = 15.0


class Fits(BaseException):
    """Raised by the silent recorder when a trial call has reached the sink."""


def call_unreached(run, module, waiting):
    """Calls each waiting target's function once, made-up arguments and all; sends one `harness` message."""
    invented, reasons = [], []
    for ident, chain in waiting.items():
        if run.passes[ident]:
            continue
        try:
            _call(run, module, chain, invented)
        except NoIdea as error:
            reasons.append(str(error))
        finally:
            run.trial = None
    run.send("harness", invented=list(dict.fromkeys(invented)), reason="; ".join(reasons))


def _call(run, module, chain, invented):
    names = vars(module)
    maker = Inventor(names)
    owner, function = None, None
    for kind, name in chain:
        if kind == "ClassDef":
            owner = names.get(name) if owner is None else getattr(owner, name, None)
            if not isinstance(owner, type):
                raise NoIdea(f"the class `{name}` does not exist when the program has run")
            continue
        function = name
        break
    where = f"{owner.__name__}.{function}" if owner else function
    tries = _Tries(run, maker, names, owner, function, where)
    attempt = _search(run, tries, where)
    torch.manual_seed(0)
    call, arguments, said = attempt()
    invented += said
    returns = any(run.left[ident] for ident in run.anywhere)
    if returns:
        invented.append(f"`backward()` on what `{where}` returns, if it does not call it itself")
    run.send("harness", invented=list(dict.fromkeys(invented)), reason="")
    run.extra = {"self": maker.instance} if maker.instance is not None else dict(arguments)
    try:
        result = call(**arguments)
    except Exception as error:
        if not run.errors and not any(run.passes.values()):
            raise NoIdea(f"`{where}` raised {type(error).__name__}: {error}") from error
        return
    loss = _loss_in(result)
    if loss is not None and returns:
        try:
            (loss if loss.dim() == 0 else loss.sum()).backward()
        except Exception:
            return  # the watch has reported it


def _search(run, tries, where):
    """The first attempt that reaches the sink. Raises NoIdea with the last error when none does."""
    deadline = time.monotonic() + MOST_SECONDS
    last = "no arguments could be made up"
    for attempt in itertools.islice(tries, MOST_TRIES):
        run.trial = Fits()
        try:
            torch.manual_seed(0)
            call, arguments, _said = attempt()
            result = call(**arguments)
        except Fits:
            return attempt
        except NoIdea:
            raise
        except Exception as error:
            last = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            tries.send_error(str(error))
        else:
            if _loss_in(result) is not None and run.anywhere:
                return attempt
            last = "it returned before the sink"
        finally:
            run.trial = None
        if time.monotonic() > deadline:
            break
    raise NoIdea(f"`{where}` could not be called with made-up arguments ({last})")


class _Tries:
    """Attempts to call the function: an iterator that learns from errors (`send_error`)."""

    def __init__(self, run, maker, names, owner, function, where):
        self.maker, self.names, self.owner, self.function, self.where = maker, names, owner, function, where
        self.waiting = [{}]
        self.known = set()
        self.last = None
        self.started = False

    def __iter__(self):
        return self

    def __next__(self):
        if not self.waiting:
            raise StopIteration
        choice = self.waiting.pop(0)
        self.last = choice
        return lambda: self._attempt(choice)

    def _attempt(self, choice):
        said = []
        maker = self.maker
        if self.owner is not None:
            raw = inspect.getattr_static(self.owner, self.function, None)
            if isinstance(raw, staticmethod):
                call = getattr(self.owner, self.function)
            else:
                maker.instance = maker.construct(self.owner, said)
                call = getattr(maker.instance, self.function, None)
        else:
            call = self.names.get(self.function)
        if not callable(call):
            raise NoIdea(f"`{self.where}` does not exist when the program has run")
        arguments = maker.arguments(call, choice, said)
        return call, arguments, said

    def send_error(self, message):
        """New choices out of the error of the last attempt, the likeliest first."""
        fresh = []
        for choice in self.maker.learn(self.last, message):
            key = repr(sorted(choice.items()))
            if key not in self.known:
                self.known.add(key)
                fresh.append(choice)
        self.waiting = fresh + self.waiting


def _loss_in(result):
    """The tensor to call `backward` on in what a step returned: itself, its "loss", or its first tensor."""
    if isinstance(result, torch.Tensor):
        return result if result.is_floating_point() else None
    if isinstance(result, dict):
        for key in ("loss", *result):
            if isinstance(result.get(key), torch.Tensor):
                return _loss_in(result[key])
        return None
    if isinstance(result, (tuple, list)):
        for item in result:
            if isinstance(item, torch.Tensor):
                return _loss_in(item)
        return None
    loss = getattr(result, "loss", None)
    return loss if isinstance(loss, torch.Tensor) else None
