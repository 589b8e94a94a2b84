"""`function-gradients`: a custom function whose backward does not give one gradient for each input of its forward."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..events import Applied, Sink
from ..facts import Facts
from ..report import Confidence, Edit, Finding, Fix, Span, TraceStep
from ..source.edits import checked, edit
from ..torch_model.arguments import as_tensor
from ..torch_model.custom import LEGACY, is_function
from ..torch_model.custom_backward import Fault, fault_by_signature, returns_of
from ..values import ClassValue, FunctionValue
from .base import Rule
from .claims import GRADIENTS, Law

RULE = Rule(
    name="function-gradients",
    summary="the backward of a custom function does not return one gradient for each input",
    family="custom functions",
    severity="error",
    fix="`None` for each input that is no tensor",
    claim=Law("raises", GRADIENTS),
    what="""\
Finds a `torch.autograd.Function` whose `backward` returns

- fewer gradients than `apply` was given arguments, or more (further `None`s are allowed),
- a gradient for an argument that is no tensor (a number, a string, `None`),

one that is written in the old way, without `@staticmethod`, and called as an object (`F()(x)`),
and one that has no `backward` at all while a loss depends on it. The finding sits on the `return`; the trace shows the
`apply` that fixes the number and the `backward()` that raises. A function that nothing in the file applies is measured
by the signature of its `forward`.""",
    why="""\
PyTorch counts: `backward` must return as many values as `apply` was given, tensor or not, in the same order. What needs
no gradient gets `None`. Anything else raises *function returned an incorrect number of gradients (expected 3, got 1)*,
or *returned a gradient different than None at position 2, but the corresponding forward input was not a Variable*; and
it raises in the loss's `backward()`, far from the function, in a traceback that does not show a line of it.""",
    example="""\
import torch


class Quantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero):
        return torch.round(x / scale + zero) * scale

    @staticmethod
    def backward(ctx, grad):
        return grad.clone()


x = torch.randn(4, requires_grad=True)
loss = Quantize.apply(x, 0.1, 0).sum()
loss.backward()  # RuntimeError: incorrect number of gradients (expected 3, got 1)
""",
    instead="""\
import torch


class Quantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero):
        return torch.round(x / scale + zero) * scale

    @staticmethod
    def backward(ctx, grad):
        return grad.clone(), None, None


x = torch.randn(4, requires_grad=True)
loss = Quantize.apply(x, 0.1, 0).sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
`None` in the place of an input that is a number, a string or a tensor that requires no grad is *safe*: PyTorch takes
nothing else there. For a function that nothing in the file applies it is a *suggestion*. Where an input that is left
out requires grad there is no fix: its gradient has to be written.""",
    blind_spots="""\
- What a `backward` returns is read, not run: `return tuple(gradients)`, `return *rows, None` and results of other
  functions have no number that could be compared.
- The shapes and dtypes of gradients are not checked against those of the inputs.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Faults of functions that are applied, those a backward meets first; then faults of functions nobody applies."""
    told: set[Span] = set()
    seen: set[int] = set()
    judged = [(applied, _sink(facts, applied)) for applied in facts.events.applied]
    for applied, sink in sorted(judged, key=lambda each: each[1] is None):
        seen.add(id(applied.cls))
        fault: Fault | None = applied.fault
        if fault is None or (fault.node is None and (sink is None or _gives_up(fault))):
            continue
        if sink is None and not any(_learns(value) for value in applied.inputs):
            continue
        span = _place(facts, fault) or (applied.site.span if facts.here(applied.site.span) else None)
        if span is None or span in told:
            continue
        told.add(span)
        trace: list[TraceStep | None] = [
            facts.step(applied.site.span, "source", _went_in(fault)),
            facts.step(_place(facts, fault), "cut", _comes_back(applied.cls, fault)),
            facts.sink_step(sink, f"raises: {_raises(applied.cls, fault)}") if sink is not None else None,
        ]
        confidence: Confidence = "likely"
        if sink is not None and fault.certain:
            confidence = facts.confidence_on(sink.path | applied.path)
        message = _message(applied.cls, fault)
        yield facts.finding(RULE.name, confidence, message, facts.marked(span), trace, [_fix(facts, fault, applied)])
    yield from _unused(facts, seen, told)
    for event in facts.refused():
        if event.message == LEGACY:
            call = facts.text(facts.node_at(event.site.span))
            message = f"{f'`{call}`' if call else 'this'} calls a custom function whose `forward` is not static: "
            message += "PyTorch runs custom functions by `apply(...)` only"
            trace = [facts.step(event.site.span, "sink", "raises: Legacy autograd function with non-static forward")]
            span = facts.marked(event.site.span)
            yield facts.finding(RULE.name, facts.confidence_on(event.path), message, span, trace)


def _unused(facts: Facts, seen: set[int], told: set[Span]) -> Iterator[Finding]:
    for value in facts.machine.main.namespace.values():
        if not isinstance(value, ClassValue) or id(value) in seen or not is_function(value):
            continue
        fault = fault_by_signature(value)
        span = _place(facts, fault) if fault is not None else None
        if fault is None or span is None or span in told or not _returns_something(fault):
            continue
        told.add(span)
        trace = [facts.step(span, "cut", _comes_back(value, fault))]
        message = _message(value, fault)
        yield facts.finding(RULE.name, "likely", message, facts.marked(span), trace, [_fix(facts, fault, None)])


def _sink(facts: Facts, applied: Applied) -> Sink | None:
    """The backward that raises because of this call."""
    return next(
        (
            sink
            for sink in facts.events.sinks
            if applied.node is not None
            and not sink.after_error
            and sink.outcome.raises is not None
            and sink.outcome.raises.node is applied.node
        ),
        None,
    )


def _learns(value: object) -> bool:
    tensor = as_tensor(value)
    return tensor is not None and tensor.requires_grad.possible


def _gives_up(fault: Fault) -> bool:
    """Whether a backward without a `return` raises on purpose."""
    return fault.function is not None and any(isinstance(each, ast.Raise) for each in ast.walk(fault.function.node))


def _returns_something(fault: Fault) -> bool:
    return fault.function is not None and any(row and any(row) for _, row in returns_of(fault.function))


def _place(facts: Facts, fault: Fault) -> Span | None:
    """The `return` at fault, in the file that is checked; the name of a `backward` that has none."""
    if fault.function is None or fault.function.module.path != facts.path:
        return None
    node = fault.function.node
    if fault.node is not None or not isinstance(node, ast.FunctionDef):
        return facts.source.span(fault.node) if fault.node is not None else None
    start = facts.source.offsets(node)[0]
    return facts.source.span_of_offsets(start, facts.source.text.index(node.name, start) + len(node.name))


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _input(fault: Fault) -> str:
    """The name of the input at fault in the signature of forward."""
    assert fault.function is not None
    owner = fault.function.owner
    found = owner.find("forward") if owner is not None else None
    if found is None or not isinstance(found[0], FunctionValue):
        return f"input {fault.position + 1}"
    names = [each.arg for each in found[0].node.args.args]
    names = names if owner is not None and owner.find("setup_context") else names[1:]
    return f"`{names[fault.position]}`" if fault.position < len(names) else f"input {fault.position + 1}"


def _message(cls: ClassValue, fault: Fault) -> str:
    if fault.kind == "missing":
        return f"`{cls.name}` has no `backward`: a loss that depends on it cannot be differentiated"
    if fault.kind == "no-tensor":
        return f"`{cls.name}.backward` returns a gradient for {_input(fault)}, which is no tensor"
    back, inputs = _number(fault.got, "gradient"), _number(fault.expected, "input")
    if fault.node is None:
        return f"`{cls.name}.backward` has no `return`: it must return a gradient for each of {inputs}, or None"
    return f"`{cls.name}.backward` returns {back} for {inputs}: it must return one for each, or None"


def _went_in(fault: Fault) -> str:
    if fault.kind == "no-tensor":
        return f"{_input(fault)} is no tensor here"
    return f"{_number(fault.expected, 'input')} here" if fault.expected else "applied here"


def _comes_back(cls: ClassValue, fault: Fault) -> str:
    if fault.kind == "no-tensor":
        return f"a gradient for {_input(fault)} comes back"
    if fault.node is None:
        return "nothing comes back"
    return f"{_number(fault.got, 'gradient')} for {_number(fault.expected, 'input')} of forward"


def _raises(cls: ClassValue, fault: Fault) -> str:
    if fault.kind == "missing":
        return "You must implement either the backward or vjp method"
    if fault.kind == "no-tensor":
        return f"{cls.name}Backward returned a gradient different than None at position {fault.position + 1}"
    return f"incorrect number of gradients (expected {fault.expected}, got {fault.got})"


def _fix(facts: Facts, fault: Fault, applied: Applied | None) -> Fix | None:
    if fault.function is None or fault.node is None or _place(facts, fault) is None:
        return None
    inputs = applied.inputs if applied is not None else (None,) * fault.expected
    if fault.kind == "count" and (fault.got > fault.expected or any(_learns(v) for v in inputs[fault.got :])):
        return None
    edits: list[Edit] = []
    for node, row in returns_of(fault.function):
        if row is None or (len(row) >= fault.expected and fault.kind == "count"):
            continue
        elements = _elements(facts, node)
        if fault.kind == "no-tensor" and fault.position < len(elements):
            elements[fault.position] = "None"
        elements += ["None"] * (fault.expected - len(elements))
        if node.value is None:
            return None
        change = edit(facts.parsed, *facts.source.offsets(node.value), ", ".join(elements))
        if checked(facts.parsed, [change], [node]) is None:
            return None
        edits.append(change)
    applicability = "safe" if applied is not None else "suggestion"
    return facts.fix("return None for what needs no gradient", applicability, tuple(edits))


def _elements(facts: Facts, node: ast.Return) -> list[str]:
    value = node.value
    parts: Sequence[ast.expr] = value.elts if isinstance(value, ast.Tuple) else [value] if value is not None else []
    return [facts.source.segment(each) for each in parts]
