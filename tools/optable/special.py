"""Arguments for operations whose inputs must fit each other: too particular to guess, absent from torch's database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def _x(*shape: int) -> Callable[[], torch.Tensor]:
    return lambda: (
        torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape))) * 0.8 + 0.1
    )


def _index(*shape: int) -> Callable[[], torch.Tensor]:
    return lambda: torch.zeros(shape, dtype=torch.int64)


def _is(value: Any) -> Callable[[], Any]:
    return lambda: value


def _list(*made: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: [m() for m in made]


_NORM = {"input": _x(3, 2, 4), "weight": _x(2), "bias": _x(2), "running_mean": _x(2), "running_var": _x(2)}
_RUN = {"momentum": _is(0.1), "eps": _is(1e-5), "cudnn_enabled": _is(False)}
_LOSS = {"log_probs": _x(5, 2, 3), "targets": lambda: torch.ones(2, 2, dtype=torch.int64)}
_FLAGS = {
    "has_biases": _is(True),
    "num_layers": _is(1),
    "dropout": _is(0.0),
    "train": _is(True),
    "bidirectional": _is(False),
    "batch_first": _is(False),
}


def _recurrent(gates: int, hidden: Callable[[], Any]) -> dict[str, Callable[[], Any]]:
    params = _list(_x(gates, 3), _x(gates, 4), _x(gates), _x(gates))
    return {"input": _x(5, 2, 3), "hx": hidden, "params": params, **_FLAGS}


def _cell(gates: int, hidden: Callable[[], Any]) -> dict[str, Callable[[], Any]]:
    weights = {"w_ih": _x(gates, 3), "w_hh": _x(gates, 4), "b_ih": _x(gates), "b_hh": _x(gates)}
    return {"input": _x(2, 3), "hx": hidden, **weights}


_PAIR = _list(_x(1, 2, 4), _x(1, 2, 4))
# Native overload name, or name in torch.nn.functional -> argument sets, each value made afresh.
SPECIAL: dict[str, list[dict[str, Callable[[], Any]]]] = {
    "batch_norm": [_NORM | _RUN | {"training": _is(True)}, _NORM | _RUN | {"training": _is(False)}],
    "instance_norm": [_NORM | _RUN | {"use_input_stats": _is(True)}],
    "embedding_bag": [{"weight": _x(5, 3), "indices": _index(4), "offsets": _index(2)}],
    "embedding_bag.padding_idx": [
        {"weight": _x(5, 3), "indices": _index(4), "offsets": _index(2)}
        | {n: _is(False) for n in ("scale_grad_by_freq", "sparse", "include_last_offset")}
        | {"mode": _is(0), "per_sample_weights": _is(None), "padding_idx": _is(None)}
    ],
    "ctc_loss.IntList": [_LOSS | {"input_lengths": _is([5, 5]), "target_lengths": _is([2, 2])}],
    "ctc_loss.Tensor": [
        _LOSS | {"input_lengths": lambda: torch.tensor([5, 5]), "target_lengths": lambda: torch.tensor([2, 2])}
    ],
    "lstm.input": [_recurrent(16, _PAIR)],
    "gru.input": [_recurrent(12, _x(1, 2, 4))],
    "rnn_tanh.input": [_recurrent(4, _x(1, 2, 4))],
    "rnn_relu.input": [_recurrent(4, _x(1, 2, 4))],
    "lstm_cell": [_cell(16, _list(_x(2, 4), _x(2, 4)))],
    "gru_cell": [_cell(12, _x(2, 4))],
    "rnn_tanh_cell": [_cell(4, _x(2, 4))],
    "rnn_relu_cell": [_cell(4, _x(2, 4))],
    "grid_sampler": [
        {"input": _x(1, 1, 4, 4), "grid": _x(1, 2, 2, 2), "interpolation_mode": _is(0)}
        | {"padding_mode": _is(0), "align_corners": _is(False)}
    ],
    "max_pool1d": [{"input": _x(1, 2, 6), "kernel_size": _is([2])}],
    "max_pool1d_with_indices": [{"input": _x(1, 2, 6), "kernel_size": _is([2])}],
    "max_pool3d": [{"input": _x(1, 2, 4, 4, 4), "kernel_size": _is([2])}],
    "max_pool3d_with_indices": [{"input": _x(1, 2, 4, 4, 4), "kernel_size": _is([2])}],
    "adaptive_max_pool1d_with_indices": [{"input": _x(1, 2, 6), "output_size": _is([2])}],
    "adaptive_max_pool2d_with_indices": [{"input": _x(1, 2, 6, 6), "output_size": _is([2, 2])}],
    "adaptive_max_pool3d_with_indices": [{"input": _x(1, 2, 4, 4, 4), "output_size": _is([2, 2, 2])}],
    "cosine_embedding_loss": [{"input1": _x(3, 4), "input2": _x(3, 4), "target": _x(3)}],
    "affine_grid": [{"theta": _x(1, 2, 3), "size": _is([1, 1, 4, 4])}],
    "fold": [{"input": _x(1, 12, 12), "output_size": _is((4, 5)), "kernel_size": _is((2, 2))}],
    "lp_pool1d": [{"input": _x(1, 2, 6), "norm_type": _is(2.0), "kernel_size": _is(2)}],
    "lp_pool2d": [{"input": _x(1, 2, 6, 6), "norm_type": _is(2.0), "kernel_size": _is(2)}],
    "lp_pool3d": [{"input": _x(1, 2, 4, 4, 4), "norm_type": _is(2.0), "kernel_size": _is(2)}],
    "upsample": [{"input": _x(1, 2, 3, 3), "scale_factor": _is(2)}],
    "linalg_cond": [{"input": _x(3, 3), "self": _x(3, 3)}],
    "linalg_cond.p_str": [{"input": _x(3, 3), "self": _x(3, 3), "p": _is("fro")}],
}
