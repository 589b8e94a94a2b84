"""What PyTorch will do with a program, as far as the engine knows: for the oracle test and for people who ask."""

from __future__ import annotations

from dataclasses import dataclass, field

from .autograd.tensor import Tensor
from .interpreter.machine import ProgramRaises
from .interpreter.run import run_file
from .source.parse import parse
from .torch_model.modules import is_module, named_parameters


@dataclass(frozen=True, slots=True)
class Prediction:
    """`raises` is (line, kind, line of the culprit); `grads` has "present", "none" or "maybe" per leaf, also frozen."""

    raises: tuple[int, str, int | None] | None = None
    grads: dict[str, str] = field(default_factory=dict)
    unsure: str | None = None


def predict(text: str, path: str = "program.py") -> Prediction:
    """Predict a program run as `__main__`.

    Kinds: "leaf-inplace", "view-inplace", "saved-modified", "freed", "no-grad-fn", "non-leaf-flag", "unused-input",
    "other". Names of module-level variables and of parameters ("model.fc.weight").
    """
    parsed = parse(path, text)
    raises = None
    unsure = None
    machine = None
    try:
        machine = run_file(parsed, entries=False, stop_at_error=True)
        if machine.exhausted:
            unsure = "budget"
    except ProgramRaises as error:
        raises = (error.line, error.kind, error.culprit)
        machine = error.machine
    grads: dict[str, str] = {}
    if machine is not None:
        for name, value in machine.main.namespace.items():
            if isinstance(value, Tensor):
                machine.autograd.refresh(value)
                if value.is_leaf.possible:
                    grads[name] = _state(value)
            elif is_module(value):
                for dotted, tensor in named_parameters(value):
                    grads[f"{name}.{dotted}"] = _state(tensor)
    return Prediction(raises, grads, unsure)


def _state(tensor: Tensor) -> str:
    return {True: "present", False: "none", None: "maybe"}[tensor.grad.present.value]
