"""Findings as JSON for programs; lines and columns are 1-based, columns count characters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..analysis.report import Finding, Fix, Problem, Span
from .cells import file_and_cell


def dump(document: object) -> str:
    """The document as indented JSON; text stays readable (no escapes for other alphabets)."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def range_of(span: Span) -> dict[str, dict[str, int]]:
    """A span as `{"start": {"line", "column"}, "end": {...}}`; the end is the first position after it."""
    return {
        "start": {"line": span.start.line, "column": span.start.column},
        "end": {"line": span.end.line, "column": span.end.column},
    }


def place_of(path: str) -> dict[str, Any]:
    """The file of a span, and in a notebook the `cell` that its lines are counted in (cells from 1, texts included)."""
    file, cell = file_and_cell(path)
    return {"path": file} if cell is None else {"path": file, "cell": cell}


def report(findings: Sequence[Finding], problems: Sequence[Problem], files: int) -> dict[str, Any]:
    """What `check --output-format json` prints."""
    return {
        "version": __version__,
        "files": files,
        "diagnostics": [_diagnostic(finding) for finding in findings],
        "problems": [{**place_of(problem.path), "message": problem.message} for problem in problems],
    }


def _diagnostic(finding: Finding) -> dict[str, Any]:
    return {
        **place_of(finding.span.path),
        "rule": finding.rule,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        "range": range_of(finding.span),
        "trace": [
            {**place_of(step.span.path), "role": step.role, "message": step.message, "range": range_of(step.span)}
            for step in finding.trace
        ],
        "fixes": [_fix(fix) for fix in finding.fixes],
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "applicability": fix.applicability,
        "edits": [{**place_of(edit.span.path), "range": range_of(edit.span), "text": edit.text} for edit in fix.edits],
    }
