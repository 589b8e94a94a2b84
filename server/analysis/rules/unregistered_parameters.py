"""`unregistered-parameters`: layers kept where `parameters()` does not look, so that no optimizer moves them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import Node
from ..autograd.tensor import Tensor
from ..describe import operation_name
from ..facts import Facts
from ..report import Finding, Fix, Span
from ..source.edits import replace_expr
from ..torch_model.module_tree import entries_of, is_module, modules, named_parameters, unlisted
from ..values import DictValue, Instance, ListValue
from .base import Rule
from .claims import Law
from .left_aside import in_definitions
from .plain_tensors import plain_tensors

_MOVES = frozenset({"to", "cuda", "cpu", "half", "float", "double", "bfloat16"})
_LAYERS = frozenset(
    {f"{kind}{n}d" for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)}
    | {"Linear", "Bilinear", "Embedding", "LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell", "MultiheadAttention"}
    | {"TransformerEncoderLayer", "TransformerDecoderLayer"}
)
SLOT_TAKEN = "cannot assign tensor as parameter"
"""How PyTorch's message begins, in the words of the model of attributes."""

RULE = Rule(
    name="unregistered-parameters",
    summary="layers in a plain list, or a parameter that was moved or computed with, are not registered",
    family="the training step",
    severity="warning",
    fix="`nn.Parameter` around the whole expression; no fix for layers: `nn.ModuleList` around them",
    claim=Law("no-leaf"),
    what="""\
Finds layers and parameters that a module keeps in a plain `list`, `tuple` or `dict`, when a loss gives them a gradient
and an optimizer holds other parameters of the same module but not theirs. And attributes that are given a parameter
which was moved or computed with in the same expression: `self.w = nn.Parameter(t).to(device)`, `nn.Parameter(t) * 0.1`.
And computed tensors where a module has a parameter (`self.emb.weight = normalize(self.emb.weight)`): it raises.
And plain tensors that are made to learn, `self.scale = torch.ones(1, requires_grad=True)`: `parameters()` does not list
them, and nobody looks at the gradient they get.

And layers that `forward` makes for itself: they get a gradient, and no optimizer ever sees them.

A module hidden in a list on purpose (a frozen teacher, whose output carries no gradient to a loss) is not reported,
nor are layers whose parameters are handed to the optimizer by hand. A parameter that is moved to where it is
(`.to("cpu")` on the CPU) stays a parameter, and is not reported either.""",
    why="""\
`nn.Module` registers what is assigned to an attribute directly: parameters, modules, and the containers of `torch.nn`.
A plain list is an ordinary attribute. The layers in it work in the forward pass and even receive gradients, but
`parameters()` does not yield them: the optimizer never updates them, `.to(device)` leaves them behind, and
`state_dict()` forgets them. The loss still goes down a little, because the registered layers learn.

`.to(device)` and arithmetic make a new tensor. It is no `nn.Parameter`, so it is not registered, and not a leaf: its
gradient goes on to the parameter it was made from, which nothing holds. On a machine without a GPU `.to(device)` gives
the parameter itself back, and the program learns: the mistake shows on the GPU only.""",
    example="""\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(4, 4), nn.Linear(4, 4)]
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
loss = net(torch.randn(2, 4)).mean()
loss.backward()
optimizer.step()  # moves `out` alone
""",
    instead="""\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
loss = net(torch.randn(2, 4)).mean()
loss.backward()
optimizer.step()
""",
    fix_safety="""\
`nn.Parameter(t.to(device))` is *safe*; the same for arithmetic is *unsafe*: the value is the same at the start, and
learns at another rate. For layers there is no automatic fix yet; wrapping in `nn.ModuleList` changes the names in saved
checkpoints. A parameter cannot be called as a method of modules is (`self.type`): there is no fix for one that is.""",
    blind_spots="""\
Of a module whose optimizer is made in another file only what `forward` itself uses is judged, and not where the file
hands it to somebody else.""",
)


#: public names of `nn.Module` (torch 2.13)
_TAKEN = frozenset(
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches "
    "eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict "
    "modules mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook "
    "register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook "
    "register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook "
    "register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ "
    "set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu zero_grad".split()
)


def check(facts: Facts) -> Iterator[Finding]:
    """Layers in plain containers, and parameters that were moved or computed with before they were assigned."""
    yield from _in_containers(facts)
    yield from _made_from_parameters(facts)
    yield from plain_tensors(facts, RULE.name)
    yield from _made_in_forward(facts)
    yield from in_definitions(facts, RULE.name)
    for event in facts.refused():
        if event.message.startswith(SLOT_TAKEN) and not _by_hand(facts):
            text = facts.text(facts.node_at(event.site.span)) or "the attribute"
            message = f"`{text}` is a parameter, and a computed tensor cannot take its place: PyTorch raises TypeError"
            trace = [facts.step(event.site.span, "sink", "raises: torch.nn.Parameter or None expected")]
            yield facts.finding(
                RULE.name, facts.confidence_on(event.path), message, facts.marked(event.site.span), trace
            )


def _by_hand(facts: Facts) -> bool:
    """Whether the file takes parameters out of modules by hand, and may put anything in their places."""
    return any(isinstance(each, ast.Attribute) and each.attr == "_parameters" for each in ast.walk(facts.parsed.tree))


_EMPTY = "optimizer got an empty parameter list"


def _made_in_forward(facts: Facts) -> Iterator[Finding]:
    """Layers that `forward` makes for itself: they get a gradient and are gone when it returns.

    Layers that start as the identity (a norm, a `PReLU`) are left alone: that they are new at every call is harmless.
    """
    steps = facts.events.steps
    if not steps or any(step.open for step in steps):
        return
    said: set[Span] = set()
    wanted = facts.held | facts.events.exposed | facts.read
    for sink in facts.events.sinks:
        if sink.kind != "backward" or sink.after_error or sink.outcome.raises is not None:
            continue
        for leaf, how in sink.outcome.reach.leaves.items():
            made = facts.node_at(leaf.origin)
            if not how.yes or not leaf.is_parameter or id(leaf) in wanted or not isinstance(made, ast.Call):
                continue
            function = facts.enclosing_function(made)
            layer = ast.unparse(made.func).rpartition(".")[2]
            if not isinstance(function, ast.FunctionDef) or function.name != "forward" or layer not in _LAYERS:
                continue
            span = facts.marked(leaf.origin)  # type: ignore[arg-type]
            if span in said or _kept(facts.statement_at(leaf.origin)):
                continue
            said.add(span)
            message = f"`{layer}` is made in `forward`: new weights at every call, which no optimizer holds"
            trace = [
                facts.step(span, "source", "made anew at every call"),
                facts.sink_step(sink, "gives it a gradient that nothing uses"),
            ]
            yield facts.finding(RULE.name, "likely", message, span, trace)


def _kept(statement: ast.stmt | None) -> bool:
    """Whether a statement puts what it makes into an attribute or a container, where it may stay."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return False
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return any(not isinstance(each, ast.Name) for each in targets)


def _in_containers(facts: Facts) -> Iterator[Finding]:
    """Parameters in plain containers of a module that get a gradient and that no optimizer holds."""
    moved = _moved(facts)
    said: set[Span] = set()
    seen: set[int] = set()
    empty = next((e for e in facts.events.forbidden if e.message.startswith(_EMPTY) and not e.after_error), None)
    for owner in [each for named in facts.machine.named for each in modules(named, seen)]:
        if not isinstance(owner, Instance) or not any(
            isinstance(value, (DictValue, ListValue, tuple)) and unlisted(value) for value in owner.attributes.values()
        ):
            continue
        registered = named_parameters(owner) or _around_it(facts, owner)
        refused = empty if not registered else None
        if refused is None and not any(id(tensor) in facts.held for _, tensor in registered):
            continue
        known = {id(tensor) for _, tensor in registered}
        for name, value in owner.attributes.items():
            hidden = [t for t in unlisted(value) if id(t) not in known]
            lost = [t for t in hidden if (refused or id(t) in moved) and id(t) not in facts.held]
            if not lost or len(lost) != len(hidden):
                continue
            span = _assignment(facts, owner, name)
            if span is None or span in said:
                continue
            said.add(span)
            kind = "dict" if isinstance(value, DictValue) else "list"
            held = next((item for item in facts.events.held if id(item.tensor) in known), None)
            what = "layers" if any(map(is_module, entries_of(value))) else "parameters"
            message = (
                f"{what} in the plain {kind} `{name}` are no parameters of `{owner.cls.name}`: no optimizer moves them"
            )
            trace = [facts.step(span, "source", f"a plain {kind}: `parameters()` does not look into it")]
            if refused is not None:
                trace.append(facts.step(refused.site.span, "sink", f"raises: {refused.message}"))
            elif held is not None:
                trace.append(facts.step(held.site.span, "sink", "the optimizer holds the other parameters only"))
            yield facts.finding(RULE.name, "likely", message, span, trace)


def _moved(facts: Facts) -> set[int]:
    """What gets a gradient; and what an operation that is known uses, where a round of a loop or a branch decides.

    How many layers a loop makes is often an option of the program: with none of them there is nothing to miss either.
    """
    found: set[int] = set()
    for sink in facts.events.sinks:
        leaves = sink.outcome.reach.leaves
        found |= {id(leaf) for leaf, how in leaves.items() if how.yes}
        if len(found) < len(leaves):
            edges = (edge for node in sink.outcome.reach.nodes if node.tracked.yes for edge in node.edges)
            found |= {id(edge.tensor) for edge in edges if edge.tensor in leaves and edge.live.yes}
    return found


def _around_it(facts: Facts, owner: Instance) -> list[tuple[str, Tensor]]:
    """The parameters of the module that a module without any is a part of: an optimizer gets those of the whole."""
    for named in facts.machine.named:
        if named is not owner and any(each is owner for each in modules(named, set())):
            return named_parameters(named)
    return []


def _made_from_parameters(facts: Facts) -> Iterator[Finding]:
    """Attributes of modules that hold what was made from an `nn.Parameter(...)` in the same expression."""
    said: set[Span] = set()
    for event in facts.events.assigned:
        owner, name, value = event.owner, event.name, event.value
        leaf = _parameter_behind(value.node)
        statement = facts.statement_at(facts.innermost_here(value.node)) if value.node is not None else None
        if leaf is None or not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
            continue
        made, span = facts.node_at(leaf.origin), facts.source.span(statement)
        inside = any(each is made for each in ast.walk(statement.value)) and made is not statement.value
        known = {id(tensor) for _, tensor in named_parameters(owner)} | facts.held
        if not inside or not _assigns(statement, name) or {id(leaf), id(value)} & known or span in said:
            continue
        said.add(span)
        message = f"`{name}` is no parameter of `{owner.cls.name}`: it is {_how(value.node)}, and nothing trains it"
        trace = [
            facts.step(leaf.origin, "source", "the parameter, which nothing holds"),
            facts.step(span, "cut", "a new tensor: not registered, not a leaf"),
        ]
        fix = _around(facts, statement.value, made)
        if name in _TAKEN or owner.cls.find(name) is not None:
            # `register_parameter` refuses what is an attribute already; as a plain attribute it only hides the method.
            fix = None
            trace.append(
                facts.step(span, "note", f"no parameter can be called `{name}`: modules have a `{name}` already")
            )
        yield facts.finding(RULE.name, "likely", message, span, trace, [fix])


def _parameter_behind(node: Node | None) -> Tensor | None:
    """The parameter at the other end of a chain of operations on it and constants; None if anything else learns."""
    while node is not None and node.tracked.possible and not node.is_join:
        live = [edge for edge in node.edges if edge.live.possible]
        if len(live) != 1:
            return None
        leaf = live[0].tensor
        if leaf is not None and (live[0].node is None or live[0].node.tracked.no):
            return leaf if leaf.is_parameter and leaf.requires_grad.yes and not leaf.group else None
        node = live[0].node
    return None


def _assigns(statement: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return any(isinstance(each, ast.Attribute) and each.attr == name for each in targets)


def _how(node: Node | None) -> str:
    if node is not None and node.name == "to" and node.note:
        return "a copy, moved to another device" if "unknown" in node.note else f"a copy, {node.note}"
    return f"the result of `{operation_name(node)}`" if node is not None else "a copy"


def _around(facts: Facts, value: ast.expr, made: ast.AST | None) -> Fix | None:
    """`nn.Parameter(t).to(d)` becomes `nn.Parameter(t.to(d))`."""
    if not isinstance(made, ast.Call) or len(made.args) != 1 or isinstance(made.args[0], ast.Starred):
        return None
    start, end = facts.source.offsets(value)
    first, last = facts.source.offsets(made)
    argument = facts.source.segment(made.args[0])
    if not isinstance(made.args[0], (ast.Call, ast.Name, ast.Attribute, ast.Subscript)):
        argument = f"({argument})"
    text = facts.source.text
    keywords = "".join(f", {facts.source.segment(each)}" for each in made.keywords)
    new = f"{facts.source.segment(made.func)}({text[start:first]}{argument}{text[last:end]}{keywords})"
    moved = all(isinstance(each, (ast.Call, ast.Attribute)) for each in _chain(value, made))
    return facts.fix(
        "make the parameter of the result", "safe" if moved else "unsafe", replace_expr(facts.parsed, value, new)
    )


def _chain(value: ast.expr, made: ast.Call) -> list[ast.expr]:
    """The calls of methods that move or cast, from the outside in; a name among them that does more ends it."""
    found: list[ast.expr] = []
    inner: ast.expr = value
    while inner is not made:
        found.append(inner)
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in _MOVES:
            inner = inner.func.value
        else:
            return [*found, ast.Constant(None)]
    return found


def _assignment(facts: Facts, owner: Instance, name: str) -> Span | None:
    """Where the class assigns `self.name`, in the file that is checked."""
    for node in ast.walk(owner.cls.node):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and target.attr == name and facts.parsed.parents.get(node):
                    return facts.source.span(node)
    return None
