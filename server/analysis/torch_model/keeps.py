"""Operations that keep nothing for backward, so that a second backward through them alone does not raise.

Measured: each was run twice backward on torch 2.13.0 (tests/unit/test_keeps.py does it again). Their formulas in
tools/autograd/derivatives.yaml use sizes only. An operation that is not listed is taken to keep something.
"""

from __future__ import annotations

KEEPS_NOTHING = frozenset(
    """
    T __add__ __getitem__ __iadd__ __imod__ __isub__ __mod__ __neg__ __pos__ __radd__ __rsub__ __sub__ add add_
    adjoint bernoulli bernoulli_ bfloat16 block_diag broadcast_to cat cauchy_ ceil ceil_ chunk clone column_stack
    concat concatenate conj conj_physical conj_physical_ contiguous copy_ cpu cumsum cumsum_ deg2rad deg2rad_ detach
    diag diag_embed diagflat diagonal diff double dropout_eval dsplit dstack eq_ expand expand_as exponential_ fill_
    fix fix_ flatten flip fliplr flipud float floor floor_ fmod fmod_ fold frac frac_ ge_ greater_ greater_equal_ gt_
    half hsplit hstack interpolate le_ less_ less_equal_ log_normal_ logical_and_ logical_not_ logical_or_
    logical_xor_ lt_ mT mean moveaxis movedim narrow ne_ neg neg_ negative negative_ normal_ not_equal_ permute
    pixel_shuffle pixel_unshuffle poisson positive rad2deg rad2deg_ random_ ravel remainder remainder_ repeat
    repeat_interleave requires_grad_ reshape reshape_as resize_as resolve_conj resolve_neg roll rot90 round round_
    rsub select share_memory_ sign sign_ slice_inverse slice_scatter split split_with_sizes squeeze squeeze_ stack sub
    sub_ subtract subtract_ sum sum_to_size swapaxes swapaxes_ swapdims swapdims_ t t_ tensor_split tile to to_dense
    to_sparse trace transpose transpose_ tril tril_ triu triu_ trunc trunc_ type type_as unbind unfold
    uniform_ unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze unsqueeze_ upsample view view_as vsplit
    vstack zero_
    """.split()
)

KEEPS_OPERANDS = frozenset("addbmm addcmul addmm addmv addr baddbmm bilinear index_add linear scatter_add".split())
"""Operations (by their names without underscores) that keep operands and nothing else.

Where only the gradient of one is asked for that needs no other, they keep nothing (tests/unit/test_keeps.py).
"""

PRODUCTS = frozenset("mul rmul imul multiply mm matmul rmatmul imatmul mv dot bmm".split())
"""Operations (by their names without underscores) that keep each factor for the other one's gradient only."""

_CONSTANT = frozenset(
    """
    amax amin aminmax angle clamp clamp_max clamp_min clip cummax cummin fmax fmin frexp kthvalue max maximum median
    min minimum mode msort nan_to_num nanmedian nanquantile nextafter quantile sgn sort topk
    """.split()
)
_REFUSED = frozenset("cdist pdist hardsigmoid Hardsigmoid multi_margin_loss multilabel_margin_loss".split()) | {
    "MultiMarginLoss",
    "MultiLabelMarginLoss",
}
_QUOTIENT = frozenset(
    "div divide true_divide truediv idiv itruediv fmod mod imod remainder kl_div xlogy xlog1py".split()
)
_WHOLE = frozenset(
    "conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d conv_transpose3d "
    "convtranspose1d convtranspose2d convtranspose3d".split()
)
_NORMS = frozenset("layer_norm group_norm batch_norm layernorm groupnorm batchnorm1d batchnorm2d batchnorm3d".split())
_INSIDE = frozenset(
    "cross_entropy CrossEntropyLoss poisson_nll_loss PoissonNLLLoss LSTM GRU RNN LSTMCell GRUCell RNNCell "
    "MultiheadAttention TransformerEncoderLayer TransformerDecoderLayer TransformerEncoder TransformerDecoder "
    "Transformer".split()
)
_LINEAR = (
    frozenset(
        """
        addbmm addcmul addmm addmv addr baddbmm bilinear bmm chain_matmul channel_shuffle combinations complex
        cross cumsum cumulative_trapezoid diagonal_scatter diff dot dropout dropout1d dropout2d dropout3d einsum
        embedding embedding_bag expand fft fft2 fftn fftshift gather gradient hfft hfft2 hfftn ifft ifft2 ifftn
        ifftshift index index_add index_copy index_fill index_put index_select inner irfft irfft2 irfftn kron
        ldexp lerp linear masked_fill masked_scatter masked_select matmul max_unpool1d max_unpool2d max_unpool3d
        mean meshgrid mm mul multi_dot multiply mv nanmean nansum outer put rfft rfft2 rfftn rmatmul rmul
        scatter scatter_add select_scatter sum take take_along_dim tensordot trapezoid trapz vdot
        view_as_complex view_as_real where
        """.split()
    )
    | {name.rstrip("_").strip("_") for name in KEEPS_NOTHING}
) - _QUOTIENT


def derivative(name: str) -> str:
    """On what the gradient of an operation (by its name without underscores) depends, as `Operation.derivative` has it.

    Measured with `create_graph=True` on torch 2.13.0 (tests/unit/test_derivative.py): "constant" for those that only
    choose elements, "linear" for those whose gradient does not depend on the operand it is taken for, "quotient" for
    those of which that holds for the first operand only, "inside" for those that depend on more than they save by name.
    "whole" and "norm" are those whose backward is one function of all operands, so that each gradient has a graph where
    any of them requires grad: of convolutions it depends on the other factor, of norms for the input on input and
    weight, for the weight on the input. "refused": the gradient has a graph, through which there is no way.
    """
    if name in _REFUSED:
        return "refused"
    if name in _INSIDE:
        return "inside"
    if name in _WHOLE:
        return "whole"
    if name in _NORMS:
        return "norm"
    if name in _CONSTANT:
        return "constant"
    return "linear" if name in _LINEAR else "quotient" if name in _QUOTIENT else ""
