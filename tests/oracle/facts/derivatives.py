"""Derivatives of functions: whether what `torch.func` and `torch.autograd.functional` give has a graph, and to what."""

from itertools import product

_FUNCTIONS = {
    "scaled": "t * 2",
    "shifted": "t + 1",
    "exp": "t.exp()",
    "squared": "t * t",
    "cubed": "t ** 3",
    "product": "t @ w",
    "divided": "t / w[0]",
    "sum": "(t * 3).sum()",
    "clone": "t.clone()",
    "tanh": "t.tanh()",
    "row": "t.view(1, 3)",
    "both": "torch.cat([t, w[0]])",
    "bent": "(t * t * t) * w[1]",
}

_WAYS = {
    "grad": "torch.func.grad(lambda t: f(t).sum())(x)",
    "value": "torch.func.grad_and_value(lambda t: f(t).sum())(x)[1]",
    "vjp": "torch.func.vjp(f, x)[1](torch.ones_like(f(x)))[0]",
    "vjp_out": "torch.func.vjp(f, x)[0]",
    "jvp": "torch.func.jvp(f, (x,), (torch.ones(3),))[1]",
    "jvp_out": "torch.func.jvp(f, (x,), (torch.ones(3),))[0]",
    "jacrev": "torch.func.jacrev(f)(x)",
    "jacfwd": "torch.func.jacfwd(f)(x)",
    "hessian": "torch.func.hessian(lambda t: f(t).sum())(x)",
    "functional_jacobian": "torch.autograd.functional.jacobian(f, x, create_graph=True)",
    "functional_jacobian_closed": "torch.autograd.functional.jacobian(f, x)",
    "functional_hessian": "torch.autograd.functional.hessian(lambda t: f(t).sum(), x, create_graph=True)",
    "functional_vjp": "torch.autograd.functional.vjp(f, x, torch.ones_like(f(x)), create_graph=True)[1]",
    "functional_vjp_out": "torch.autograd.functional.vjp(f, x, torch.ones_like(f(x)), create_graph=True)[0]",
    "functional_vjp_closed": "torch.autograd.functional.vjp(f, x, torch.ones_like(f(x)))[0]",
    "functional_jvp": "torch.autograd.functional.jvp(f, x, torch.ones(3), create_graph=True)[1]",
    "functional_hvp": "torch.autograd.functional.hvp(lambda t: f(t).sum(), x, torch.ones(3), create_graph=True)[1]",
    "functional_vhp": "torch.autograd.functional.vhp(lambda t: f(t).sum(), x, torch.ones(3), create_graph=True)[1]",
}

_PROGRAM = """
=== derivative_{name}_of_{body}_{kind}
x = torch.rand(3, requires_grad={flag})
w = torch.rand(3, 3, requires_grad={flag_w})
def f(t):
    return {text}
r = {way}
r.sum().backward()
"""

_FLAGS = {"trained": (True, False), "beside": (False, True)}

TEXT = "".join(
    _PROGRAM.format(name=name, body=body, kind=kind, flag=_FLAGS[kind][0], flag_w=_FLAGS[kind][1], text=text, way=way)
    for (name, way), (body, text), kind in product(_WAYS.items(), _FUNCTIONS.items(), _FLAGS)
)
