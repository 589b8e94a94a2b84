"""Autograd without numbers: tensors, version counters, graph nodes and `backward()`, as PyTorch keeps them.

The room knows neither Python syntax nor torch's names. A caller (`torch_model`) says what an operation does in the
terms of `Operation` (who is differentiated, what is saved under which guard, view or in place) and this room answers
with tensors, with a graph, and, at `backward()`, with what PyTorch would do. `y = x.exp(); y.add_(1)`, by hand:

    >>> from gradsight.analysis.autograd.backward import backward
    >>> from gradsight.analysis.autograd.engine import Autograd
    >>> from gradsight.analysis.autograd.heap import Heap
    >>> from gradsight.analysis.autograd.operation import Operand, Operation, Save
    >>> from gradsight.analysis.autograd.tensor import Tensor
    >>> from gradsight.analysis.autograd.truth import YES
    >>> from gradsight.analysis.report import Position, Span
    >>> here = Span("a.py", Position(1, 1), Position(1, 2))
    >>> autograd, x = Autograd(Heap()), Tensor(requires_grad=YES)
    >>> result = Save("result", when=frozenset({"self"}))  # exp keeps its result if its operand requires grad
    >>> (y,) = autograd.apply(Operation("exp", here, (Operand("self", x),), saves=(result,)))
    >>> y.grad_fn.name, str(y.is_leaf)
    ('exp', 'no')
    >>> y = autograd.apply_inplace(Operation("add_", here, (Operand("self", y),)), y)
    >>> raised = backward(autograd, [y], here).raises
    >>> raised.kind, raised.node.name, raised.culprit.what, str(x.grad.present)
    ('saved-modified', 'exp', 'add_', 'no')

The files, in the order in which they are best read:

    truth.py      yes / no / maybe
    heap.py       state that can be rolled back and joined (branches)
    order.py      the numbers that nodes are run by in a backward
    graph.py      version counters, nodes, edges, saved tensors, cuts
    tensor.py     the abstract tensor
    operation.py  what the engine is asked to do, and how it refuses
    engine.py     `Autograd`, in layers: views.py (histories of views), forward.py (operations out of place),
                  inplace.py (writes), and flags, detached tensors and joins here
    reach.py      reached and severed leaves, and the path between two points
    stale.py      what a node saved, and whether it is still what it was
    gradient_graph.py  the graph of a gradient (`create_graph=True`)
    backward.py   the walk: what raises, which leaf gets a gradient; outcome.py is what it gives back
"""
