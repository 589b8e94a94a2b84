"""The tree of a text that does not parse, without its broken statements."""

from __future__ import annotations

import ast

from ..report import Problem
from .text import SourceText


def recover(source: SourceText, error: Exception) -> tuple[ast.Module, tuple[Problem, ...]]:
    line = getattr(error, "lineno", None)
    message = getattr(error, "msg", None) or str(error)
    return ast.Module(body=[], type_ignores=[]), (Problem(source.path, f"line {line}: {message}" if line else message),)
