"""Names for what torch raises, shared by the worker (which must import nothing of the package) and the comparison."""

from __future__ import annotations

#: first match wins: (part of the message, kind, further kinds that the engine may call it)
MESSAGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("a view of a leaf Variable that requires grad", "view-inplace", ("leaf-inplace",)),
    ("a leaf Variable that requires grad is being used in an in-place", "leaf-inplace", ()),
    ("is a view and is being modified inplace", "view-inplace", ()),
    # also what a saved view says that was changed: its grad_fn is asked for before its version
    ("is a view and its base or another view of its base has been modified", "view-inplace", ("saved-modified",)),
    ("A view was created in no_grad mode and", "view-inplace", ("saved-modified",)),
    ("A view was created in inference mode and", "view-inplace", ("saved-modified",)),
    ("saved tensor that has been detached in-place", "other", ("saved-modified",)),
    ("has been modified by an inplace operation", "saved-modified", ()),
    ("Trying to backward through the graph a second time", "freed", ()),
    ("does not require grad and does not have a grad_fn", "no-grad-fn", ()),
    ("you can only change requires_grad flags of leaf variables", "non-leaf-flag", ()),
    ("appears to not have been used in the graph", "unused-input", ()),
    ("One of the differentiated Tensors does not require grad", "other", ("unused-input", "no-grad-fn")),
)

#: errors that autograd raises on purpose and that are neither of the above; anything else is a slip of the generator
OTHER: tuple[str, ...] = (
    "Can't call numpy() on Tensor that requires grad",
    "Inference tensors cannot be saved for backward",
    "Inplace update to inference tensor outside InferenceMode",
    "requires_grad=True on inference tensor outside InferenceMode",
    "can't retain_grad on Tensor that has requires_grad=False",
    "only Tensors of floating point dtype can require gradients",
    "Only Tensors of floating point and complex dtype can require gradients",
    "can't optimize a non-leaf Tensor",
    "optimizer got an empty parameter list",
    "Can't detach views in-place",
    "leaf variable has been moved into the graph interior",
    "grad can be implicitly created only for scalar outputs",
    "grad can be implicitly created only for real scalar outputs",
    "cannot register a hook on a tensor that doesn't require gradient",
    "cannot resize variables that require grad",
    "support the deepcopy protocol at the moment",
    "is not implemented",
    "functions with out=... arguments don't support automatic differentiation",
    "more than one element of the written-to tensor refers to a single memory location",
    "some elements of the input tensor and the written-to tensor refer to a single memory location",
    "cannot assign 'torch.FloatTensor' as parameter",
    "returned an incorrect number of gradients",
    "You must implement either the backward or vjp method",
    "returned an invalid gradient",
    "invalid gradient at index 0",
    "Legacy autograd function with non-static forward",
    "backward() called inside a functorch transform",
    "Inference tensors do not track version counter",
    "In-place leakyReLu backward calculation is triggered with a negative slope",
    "is incompatible with .grad() or passing an `inputs` parameter",
)

KINDS: tuple[str, ...] = (
    "leaf-inplace",
    "view-inplace",
    "saved-modified",
    "freed",
    "no-grad-fn",
    "non-leaf-flag",
    "unused-input",
    "other",
)


def classify(message: str) -> tuple[str, tuple[str, ...]] | None:
    """The kind of an autograd error and what else it may be called; None when autograd did not mean to raise this."""
    for part, kind, also in MESSAGES:
        if part in message:
            return kind, also
    if any(part in message for part in OTHER):
        return "other", ()
    return None
