"""Autograd without numbers: tensors, version counters, graph nodes and `backward()`, as PyTorch keeps them.

The room knows neither Python syntax nor torch's names. A caller (`torch_model`) says what an operation does in the
terms of `Operation` (who is differentiated, what is saved under which guard, view or in place) and this room answers
with tensors, with a graph, and, at `backward()`, with what PyTorch would do.

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
