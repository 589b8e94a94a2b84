"""`nothing-requires-grad`: `backward()` on a loss that nothing trainable leads to."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.reach import untracked
from ..autograd.tensor import Tensor
from ..events import Sink, Step
from ..facts import Facts
from ..report import Finding, Fix
from ..source.edits import set_keyword
from .base import Rule
from .claims import CUT

RULE = Rule(
    name="nothing-requires-grad",
    summary="no tensor on the way to the loss requires grad, so `backward()` raises",
    family="the path is cut",
    severity="error",
    fix="`requires_grad=True` where the tensor is created",
    claim=CUT,
    what="""\
Finds a `backward()` (or `torch.autograd.grad`) on a value whose whole history holds no tensor that requires grad, and
where no cut explains it. The finding sits on the creation of the tensor that should have required grad: the
one whose `.grad` is read afterwards, or else the one the loss was computed from.

Also a tensor that an optimizer is given to change and that never gets a gradient for want of the flag, whatever else
the loss trains: the optimizer's step leaves it as it is.

If a trainable tensor is there and was lost on the way, the rule of that cut reports it instead.""",
    why="""\
Tensors do not require grad by default. Autograd records an operation only when at least one of its inputs does; a
chain that starts from plain tensors records nothing, and `backward()` raises *element 0 of tensors does not require
grad and does not have a grad_fn*.

The error appears at `backward()`, the cause is a missing word at the start. `nn.Parameter` and the layers of `nn` set
it themselves, `torch.randn`, `torch.tensor`, `torch.zeros` and a batch from a data loader do not. Only tensors of a
floating or complex dtype can require grad, so a tensor of whole numbers (`torch.tensor([1, 2])`) needs a decimal
point or a `dtype` first.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=False)
y = x * 2
loss = y.sum()
loss.backward()  # RuntimeError: element 0 of tensors does not require grad
print(x.grad)
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
loss = y.sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
Setting `requires_grad=True` at the creation is *safe* when that tensor's `.grad` is read after `backward()`: it is the
tensor whose gradient is asked for. Otherwise it is *unsafe*, because another tensor may be the one that was meant to
learn. For an integer tensor the fix is a *suggestion*, since the dtype has to change too.""",
    blind_spots="""\
- Data that comes from unknown calls (`next(iter(loader))`) may require grad; a loss that depends on such a value is not
  reported.
- All parameters frozen by `requires_grad_(False)` is the same error with another cause, and not this rule's.
- A loss made of nothing but Python numbers has no `backward()`; the AttributeError is Python's.""",
)


_FACTORIES = frozenset(
    [
        "zeros",
        "ones",
        "empty",
        "rand",
        "randn",
        "full",
        "linspace",
        "logspace",
        "eye",
        "normal",
        "tensor",
        "zeros_like",
        "ones_like",
        "rand_like",
        "randn_like",
        "full_like",
    ]
)


def check(facts: Facts) -> Iterator[Finding]:
    """Sinks that raise because no tensor on the way to them requires grad, though nothing was cut."""
    for sink, candidates in facts.nothing_trainable:
        held = held_untracked(facts, sink)
        thawed = [t for t in candidates if not t.is_parameter or facts.frozen_at(t, sink.entry) is None]
        read = bool(held) or any(id(t) in facts.read for t in thawed)
        frozen = [facts.frozen_at(t, sink.entry) for t in candidates if t.is_parameter]
        if not read and any(each is not None and facts.innermost_here(each) for each in frozen):
            continue
        here = [t for t in candidates if facts.here(t.origin) and t.note not in ("gradient", "data")]
        asked = (
            [] if read else [t for t in untracked(sink.outcome.roots) if id(t) in facts.read and facts.here(t.origin)]
        )
        chosen = asked[0] if asked else choose(facts, held or here)
        name = facts.sink_name(sink)
        if chosen is None or chosen.origin is None:
            if facts.here(sink.site.span):
                yield facts.finding(
                    RULE.name,
                    facts.confidence(sink),
                    f"nothing on the way to {name} requires grad",
                    facts.marked(sink.site.span),
                    [facts.sink_step(sink, "raises: element 0 of tensors does not require grad")],
                )
            continue
        if chosen.is_parameter:
            span = sink.site.span if facts.here(sink.site.span) else chosen.origin
            message = f"nothing on the way to {name} requires grad: every parameter is frozen"
        else:
            span = chosen.origin
            tensor = facts.name_of(chosen)
            subject = f"`{tensor}`" if tensor else facts.value_name(span)
            message = f"nothing on the way to {name} requires grad: {subject} is created without `requires_grad=True`"
        trace = [
            facts.step(facts.marked(chosen.origin), "source", "does not require grad"),
            facts.sink_step(sink, "raises: element 0 of tensors does not require grad"),
        ]
        yield facts.finding(
            RULE.name,
            facts.confidence(sink),
            message,
            facts.marked(span),
            trace,
            [_creation_fixes(facts, chosen, held or here)],
        )

    yield from _never_learns(facts)

    for event in facts.refused():
        if not event.message.lower().startswith("only tensors of floating"):
            continue
        message = f"{facts.value_name(event.site.span)} holds integers: only floating-point tensors can require grad"
        trace = [facts.step(event.site.span, "sink", f"raises: {event.message}")]
        yield facts.finding(RULE.name, facts.confidence_on(event.path), message, facts.marked(event.site.span), trace)


def _never_learns(facts: Facts) -> Iterator[Finding]:
    """What an optimizer is given to change, a loss is made of, and no step finds a gradient for: no flag, ever."""
    stepped: dict[int, list[Step]] = {}
    moved: set[int] = set()
    for step in facts.events.steps:
        for tensor, grad in step.grads:
            (stepped.setdefault(id(tensor), []).append(step) if grad.present.no else moved.add(id(tensor)))
    told: set[int] = set()
    for sink in facts.events.sinks:
        if sink.kind != "backward" or sink.outcome.raises is not None or sink.after_error:
            continue
        for tensor in held_untracked(facts, sink) if stepped else ():
            steps = [s for s in stepped.get(id(tensor), ()) if s.sinks_before and not s.after_error]
            if (
                id(tensor) in told | moved
                or not steps
                or tensor.origin is None
                or facts.learns_at(tensor, sink.entry).possible
            ):
                continue
            told.add(id(tensor))
            name = facts.name_of(tensor)
            subject = f"`{name}`" if name else facts.value_name(tensor.origin)
            message = f"the optimizer never changes {subject}: it is created without `requires_grad=True`"
            trace = [
                facts.step(facts.marked(tensor.origin), "source", "does not require grad"),
                facts.sink_step(sink, f"brings {subject} no gradient"),
                facts.step(steps[-1].site.span, "note", "finds no gradient and changes nothing"),
            ]
            confidence = facts.confidence_on(sink.path | steps[-1].path)
            span = facts.marked(tensor.origin)
            yield facts.finding(RULE.name, confidence, message, span, trace, [creation_fix(facts, tensor)])


def held_untracked(facts: Facts, sink: Sink) -> list[Tensor]:
    """Tensors that an optimizer was given to change and that do not require grad, on the way to a loss."""
    return [
        t
        for t in untracked(sink.outcome.roots)
        if id(t) in facts.held and not t.is_parameter and not t.note and facts.here(t.origin)
    ]


def choose(facts: Facts, candidates: list[Tensor]) -> Tensor | None:
    """The tensor that was most likely meant: its `.grad` is read, or its creation says `requires_grad`."""
    for tensor in candidates:
        if id(tensor) in facts.read:
            return tensor
    for tensor in candidates:
        node = facts.node_at(tensor.origin)
        if isinstance(node, ast.Call) and any(k.arg == "requires_grad" for k in node.keywords):
            return tensor
    named = [t for t in candidates if facts.name_of(t) and t.floating.possible]
    known = named or candidates
    return known[-1] if known else None


def _creation_fixes(facts: Facts, chosen: Tensor, candidates: list[Tensor]) -> Fix | None:
    """The flag on the chosen tensor, and on all others that are asked for a gradient, or held, as it is."""
    first = creation_fix(facts, chosen)
    listed = _listed_with(facts, chosen)
    wanted = [
        t
        for t in candidates
        if t is not chosen and (id(t) in facts.read or id(t) in facts.held or facts.name_of(t) in listed)
    ]
    more = {t: fix for t in wanted if (fix := creation_fix(facts, t)) is not None}
    if first is None or not more or not (id(chosen) in facts.read or id(chosen) in facts.held):
        return first
    names = [f"`{facts.name_of(t) or facts.text(facts.node_at(t.origin), 30)}`" for t in (chosen, *more)]
    told = ", ".join(names[:2]) + f" and {len(names) - 2} more" if len(names) > 2 else " and ".join(names)
    edits = tuple(dict.fromkeys(edit for fix in (first, *more.values()) for edit in fix.edits))
    return facts.fix(f"set `requires_grad=True` on {told}", first.applicability, edits)


def _listed_with(facts: Facts, chosen: Tensor) -> set[str]:
    """The names in the list that a loop goes through to read the `.grad` of each: `for p in [w, b]: p.data -= p.grad`.

    The run stops at the first one, which is None.
    """
    for read in facts.reads_of(chosen):
        loop = facts.parsed.parents.get(read.site.node) if read.site.node is not None else None
        while loop is not None and not isinstance(loop, ast.For):
            loop = facts.parsed.parents.get(loop)
        through: ast.AST | None = loop.iter if loop is not None else None
        if isinstance(through, ast.Name):
            made = (n for n in ast.walk(facts.parsed.tree) if isinstance(n, ast.Assign))
            named = (n.value for n in made if any(isinstance(t, ast.Name) and t.id == through.id for t in n.targets))
            through = next(named, None)
        if isinstance(through, (ast.List, ast.Tuple)):
            return {each.id for each in through.elts if isinstance(each, ast.Name)}
    return set()


def creation_fix(facts: Facts, tensor: Tensor) -> Fix | None:
    """`requires_grad=True` where a tensor is made."""
    node = facts.node_at(tensor.origin)
    if not isinstance(node, ast.Call):
        return None
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name not in _FACTORIES or not tensor.floating.yes:
        return None
    certain = id(tensor) in facts.read
    edits = set_keyword(facts.parsed, node, "requires_grad", "True")
    title = f"set `requires_grad=True` on `{facts.name_of(tensor) or facts.text(node, 30)}`"
    return facts.fix(title, "safe" if certain else "unsafe", edits)
