"""`torch.distributions`: which of a distribution's parameters a sample, a probability or an entropy learns through.

Sources: the classes in torch/distributions. `sample` runs under `no_grad` or draws integers, `rsample` is
differentiable where the class has it, and `log_prob` is in the parameters and in the value.
"""

from __future__ import annotations

from ..autograd.heap import MISSING, remember
from ..autograd.operation import Operand, Operation, Save
from ..autograd.tensor import Tensor
from ..autograd.truth import YES
from ..values import Call, Distribution, Instance, ListValue, NativeMethod, Runtime, Scalar, Site, Unknown, Value
from .arguments import operands_for
from .effects import apply

RSAMPLE = "rsample"
"""The note on the node of a `sample` for which there is an `rsample`."""

_LOC_SCALE = ("loc", "scale")
_DISCRETE = ("probs", "logits")
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "Bernoulli": _DISCRETE,
    "Beta": ("concentration1", "concentration0"),
    "Binomial": ("total_count", *_DISCRETE),
    "Categorical": _DISCRETE,
    "Cauchy": _LOC_SCALE,
    "Chi2": ("df",),
    "ContinuousBernoulli": _DISCRETE,
    "Dirichlet": ("concentration",),
    "Exponential": ("rate",),
    "FisherSnedecor": ("df1", "df2"),
    "Gamma": ("concentration", "rate"),
    "Geometric": _DISCRETE,
    "Gumbel": _LOC_SCALE,
    "HalfCauchy": ("scale",),
    "HalfNormal": ("scale",),
    "Independent": ("base_distribution", "reinterpreted_batch_ndims"),
    "Kumaraswamy": ("concentration1", "concentration0"),
    "LKJCholesky": ("dim", "concentration"),
    "Laplace": _LOC_SCALE,
    "LogNormal": _LOC_SCALE,
    "LogisticNormal": _LOC_SCALE,
    "LowRankMultivariateNormal": ("loc", "cov_factor", "cov_diag"),
    "MixtureSameFamily": ("mixture_distribution", "component_distribution"),
    "Multinomial": ("total_count", *_DISCRETE),
    "MultivariateNormal": ("loc", "covariance_matrix", "precision_matrix", "scale_tril"),
    "NegativeBinomial": ("total_count", *_DISCRETE),
    "Normal": _LOC_SCALE,
    "OneHotCategorical": _DISCRETE,
    "OneHotCategoricalStraightThrough": _DISCRETE,
    "Pareto": ("scale", "alpha"),
    "Poisson": ("rate",),
    "RelaxedBernoulli": ("temperature", *_DISCRETE),
    "RelaxedOneHotCategorical": ("temperature", *_DISCRETE),
    "StudentT": ("df", "loc", "scale"),
    "Uniform": ("low", "high"),
    "VonMises": ("loc", "concentration"),
    "Weibull": ("scale", "concentration"),
    "Wishart": ("df", "covariance_matrix", "precision_matrix", "scale_tril"),
}
_NO_RSAMPLE = frozenset(
    "Bernoulli Binomial Categorical Geometric MixtureSameFamily Multinomial NegativeBinomial OneHotCategorical Poisson "
    "VonMises LKJCholesky".split()
)
_INTEGERS = frozenset(["Categorical"])
_WRAPPERS = frozenset(["Independent", "MixtureSameFamily", "TransformedDistribution"])
_NORMALISED = frozenset(["Categorical", "OneHotCategorical", "OneHotCategoricalStraightThrough"])
"""Their constructor divides the probabilities by their sum (torch/distributions/categorical.py)."""
_PLACE = frozenset(["loc", "mean", "low", "high"])
_SHAPES = frozenset(["batch_shape", "event_shape"])
_OF_VALUE = frozenset(["log_prob", "cdf", "icdf"])
_DIFFERENTIABLE = frozenset(["entropy", "perplexity", "mean", "variance", "stddev", "probs", "logits", "param", "mode"])


def build(rt: Runtime, dotted: str, call: Call) -> Value:
    """`Normal(mu, sigma)`: a distribution with its parameters; an unknown for a class that is not known."""
    name = dotted.rpartition(".")[2]
    if name == "kl_divergence":
        return _apply(rt, name, [o for each in call.args for o in _operands(each)], call.site)
    if name == "TransformedDistribution":
        return Distribution(name, _given(("base_distribution", "transforms"), call))
    if name not in _PARAMETERS:
        return rt.torch.opaque(None, [*call.args, *call.kwargs.values()], call.site, f"`{dotted}`")
    parameters = _given(_PARAMETERS[name], call)
    if any(_is_open(value) for _, value in parameters):
        # Whether it holds numbers or tensors that require grad is not known.
        return rt.torch.opaque(None, [*call.args, *call.kwargs.values()], call.site, f"`{dotted}`")
    if name in _NORMALISED:
        operands = [o for label, value in parameters for o in operands_for(label, value, True)]
        if operands:
            saves = tuple(Save(label, frozenset([label])) for label, _ in parameters)
            made = apply(rt, Operation(name, call.site.span, tuple(operands), saves=saves), call.site)[0]
            parameters = tuple((label, made) for label, _ in parameters)
    return Distribution(name, parameters)


def initialise(rt: Runtime, instance: Instance, call: Call) -> None:
    """`super().__init__(loc, scale)` of a class that derives from one of these."""
    for dotted in instance.cls.torch_bases():
        name = dotted.rpartition(".")[2]
        if dotted.startswith("torch.distributions.") and (name in _PARAMETERS or name == "TransformedDistribution"):
            inner = build(rt, dotted, call)
            if isinstance(inner, Distribution):
                remember(instance.data, "distribution", inner)
            return


def behind(value: Value) -> Distribution | None:
    """A distribution, or that of an object whose class derives from one."""
    if isinstance(value, Instance):
        value = value.data.get("distribution")
    return value if isinstance(value, Distribution) else None


def _is_open(value: Value) -> bool:
    return isinstance(value, Unknown) and value.node is None and not value.symbolic and not value.plain


def _given(names: tuple[str, ...], call: Call) -> tuple[tuple[str, Value], ...]:
    given = [(name, call.argument(index, name)) for index, name in enumerate(names)]
    return tuple((name, value) for name, value in given if value is not None)


def _operands(value: Value) -> list[Operand]:
    """The parameters of a distribution, also of those inside it, as operands."""
    distribution = behind(value)
    if distribution is None:
        return operands_for("self", value, True)
    found: list[Operand] = []
    for name, inner in distribution.parameters:
        if behind(inner) is not None:
            found += _operands(inner)
        elif isinstance(inner, ListValue):
            found += [o for each in inner.items for o in operands_for(name, each, True)]
        else:
            found += operands_for(name, inner, True)
    return found


def _apply(
    rt: Runtime,
    name: str,
    operands: list[Operand],
    site: Site,
    output: str = "grad",
    saves: tuple[Save, ...] = (),
    keeps: bool = True,
    note: str = "",
) -> Tensor:
    operation = Operation(
        name, site.span, tuple(operands), outputs=(output,), saves=saves, holds_numbers=keeps, note=note
    )
    return apply(rt, operation, site)[0]


def can_rsample(value: Distribution) -> bool:
    """Whether `rsample` is there: a wrapper has it where what it wraps has it."""
    if value.name in _WRAPPERS and value.name not in _NO_RSAMPLE:
        inner = behind(value.parameter("base_distribution"))
        return can_rsample(inner) if inner is not None else True
    return value.name not in _NO_RSAMPLE


def _draws_integers(value: Distribution) -> bool:
    inner = behind(value.parameter("base_distribution"))
    return value.name in _INTEGERS or (inner is not None and _draws_integers(inner))


def attribute(rt: Runtime, owner: Distribution, name: str, site: Site) -> Value:
    """A method or attribute of a distribution; MISSING if there is none of that name that is known."""
    given = owner.parameter(name)
    if given is not None and not (name in _DISCRETE and owner.name in _NORMALISED):
        return given
    if name == "base_dist":
        return owner.parameter("base_distribution")
    if name in _SHAPES:
        return Scalar("shape")
    if name in ("sample", "sample_n"):
        return NativeMethod(owner, name, lambda call: _sample(rt, owner, call))
    if name == "rsample":
        return NativeMethod(owner, name, lambda call: _rsample(rt, owner, call))
    if name in _OF_VALUE:
        return NativeMethod(owner, name, lambda call: _of_value(rt, owner, name, call))
    if name in ("entropy", "perplexity"):
        return NativeMethod(owner, name, lambda call: _own(rt, owner, name, call.site))
    if name in ("expand", "to_event"):
        return NativeMethod(owner, name, lambda call: owner)
    if name == "has_rsample":
        return can_rsample(owner)
    return _own(rt, owner, name, site) if name in _DIFFERENTIABLE else MISSING


def _own(rt: Runtime, owner: Distribution, name: str, site: Site) -> Value:
    """What depends on the parameters alone: an entropy, a mean."""
    place = owner.parameter("loc")
    if name in ("mean", "mode") and place is not None and owner.name in ("Normal", "Laplace", "MultivariateNormal"):
        return place
    operands = _operands(owner)
    if name in ("entropy", "variance", "stddev") and owner.name in ("Normal", "Laplace", "Gumbel", "Cauchy"):
        operands = [operand for operand in operands if operand.name not in _PLACE]
    if not operands:
        return Tensor(origin=site.span)
    return _apply(rt, name, operands, site, "nograd" if name == "mode" and owner.name in _NO_RSAMPLE else "grad")


def _sample(rt: Runtime, owner: Distribution, call: Call) -> Value:
    operands = _operands(owner)
    note = RSAMPLE if can_rsample(owner) else ""
    drawn = (
        _apply(rt, "sample", operands, call.site, "nograd", note=note) if operands else Tensor(origin=call.site.span)
    )
    if not _draws_integers(owner):
        drawn.floating = YES
    return drawn


def _rsample(rt: Runtime, owner: Distribution, call: Call) -> Value:
    if not can_rsample(owner):
        rt.error("other", f"`{owner.name}` has no `rsample`", call.site)
        return Tensor(origin=call.site.span)
    operands = _operands(owner)
    if not operands:
        return Tensor(origin=call.site.span)
    # `loc + eps * scale` keeps `eps` for `scale`, and nothing for `loc`.
    keeps = any(o.name not in _PLACE and o.tensor is not None and o.tensor.requires_grad.possible for o in operands)
    return _apply(rt, "rsample", operands, call.site, keeps=keeps)


def _of_value(rt: Runtime, owner: Distribution, name: str, call: Call) -> Value:
    operands = [*_operands(owner), *operands_for("value", call.argument(0, "value"), not _draws_integers(owner))]
    if not operands:
        return Tensor(origin=call.site.span)
    saves = (Save("scale", frozenset(["scale"])),) if owner.name == "Normal" else ()
    return _apply(rt, name, operands, call.site, saves=saves)
