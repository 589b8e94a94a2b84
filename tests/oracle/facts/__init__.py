"""Single semantics of autograd as small programs, written by hand; what they do is asked of torch, not written down.

`PROGRAMS` maps a name to a program's text. The files hold them as text under headings `=== name`, and every program
starts with the same three imports.
"""

from __future__ import annotations

from . import (
    changes,
    corners,
    derivatives,
    flags,
    forward_modules,
    found,
    inference_leaves,
    leaving,
    modes,
    modules,
    operations,
    optimizers,
    products,
    python,
    resized,
    saves,
    seldom,
    shared,
    sinks,
    tensor_hooks,
    views,
)

PREAMBLE = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nimport torch.utils.checkpoint\n"


def programs(text: str) -> dict[str, str]:
    """The programs of one file's text; raises ValueError when a name is used twice."""
    found: dict[str, str] = {}
    for piece in text.split("\n=== ")[1:]:
        name, _, body = piece.partition("\n")
        if name in found:
            raise ValueError(f"two programs are called {name}")
        found[name] = PREAMBLE + body.strip("\n") + "\n"
    return found


PROGRAMS: dict[str, str] = {}
MODULES = (
    saves,
    changes,
    views,
    shared,
    leaving,
    flags,
    modes,
    sinks,
    tensor_hooks,
    derivatives,
    forward_modules,
    optimizers,
    products,
    python,
    resized,
    inference_leaves,
    found,
    operations,
    modules,
    corners,
    seldom,
)
for module in MODULES:
    for program_name, program in programs(module.TEXT).items():
        if program_name in PROGRAMS:
            raise ValueError(f"two programs are called {program_name}")
        PROGRAMS[program_name] = program
