"""What PyTorch will do with a program, as far as the engine knows: for the oracle test and for people who ask."""

from __future__ import annotations

from dataclasses import dataclass, field

from .autograd.tensor import NO_GRAD_YET, Tensor
from .events import Events
from .interpreter.machine import ProgramRaises
from .interpreter.run import run_file
from .source.parse import parse
from .torch_model.module_tree import is_module, named_parameters


@dataclass(frozen=True, slots=True)
class Prediction:
    """`raises` is (line, kind, line of the culprit); `grads` has "present", "none" or "maybe" per leaf, also frozen.

    `may_raise` has (line, kind) of errors that depend on what is not known, a branch above all.
    """

    raises: tuple[int, str, int | None] | None = None
    grads: dict[str, str] = field(default_factory=dict)
    unsure: str | None = None
    may_raise: frozenset[tuple[int, str]] = frozenset()


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
    return Prediction(raises, grads, unsure, _doubts(machine.events) if machine is not None else frozenset())


def _doubts(events: Events) -> frozenset[tuple[int, str]]:
    found = {(each.site.span.start.line, each.kind) for each in events.forbidden}
    for sink in events.sinks:
        raised = [sink.outcome.raises] if sink.outcome.raises is not None else []
        found |= {(sink.site.span.start.line, each.kind) for each in (*raised, *sink.outcome.doubts)}
    return frozenset(found)


def _state(tensor: Tensor) -> str:
    several = tensor.either if tensor.grad is NO_GRAD_YET else ()
    if tensor.is_leaf.maybe and tensor.requires_grad.possible and not tensor.either:
        return "maybe" if tensor.grad.present.no else "present"
    states = {each.grad.present.value for each in several or (tensor,)}
    return {True: "present", False: "none", None: "maybe"}[states.pop() if len(states) == 1 else None]
