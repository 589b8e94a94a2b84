"""Findings as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/): code scanning and review tools read it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .. import __version__
from ..analysis.report import Finding, Fix, Problem, Severity, Span
from ..analysis.rules import ALL_RULES, Rule
from .cells import file_and_cell

LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "information": "note", "hint": "note"}


def log(findings: Sequence[Finding], problems: Sequence[Problem]) -> dict[str, Any]:
    """A SARIF log with one run: rules, results with their trace as related places, fixes, and problems."""
    names = sorted(ALL_RULES)
    indices = {name: index for index, name in enumerate(names)}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "gradsight",
                        "version": __version__,
                        "rules": [_rule(ALL_RULES[name]) for name in names],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, indices) for finding in findings],
                "invocations": [
                    {
                        "executionSuccessful": not problems,
                        "toolExecutionNotifications": [
                            {
                                "level": "error",
                                "message": {"text": problem.message},
                                "locations": [_file(problem.path)],
                            }
                            for problem in problems
                        ],
                    }
                ],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.what},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"family": rule.family},
    }


def _result(finding: Finding, indices: dict[str, int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [_location(finding.span)],
        "relatedLocations": [
            {"id": number, **_location(step.span), "message": {"text": step.message}}
            for number, step in enumerate(finding.trace)
        ],
        "properties": {"confidence": finding.confidence},
    }
    if finding.rule in indices:
        result["ruleIndex"] = indices[finding.rule]
    if finding.fixes and file_and_cell(finding.span.path)[1] is None:
        result["fixes"] = [_fix(fix) for fix in finding.fixes]
    return result


def _fix(fix: Fix) -> dict[str, Any]:
    by_path: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        by_path.setdefault(edit.span.path, []).append(
            {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
        )
    return {
        "description": {"text": f"{fix.title} ({fix.applicability})"},
        "artifactChanges": [
            {"artifactLocation": _artifact(path), "replacements": replacements}
            for path, replacements in by_path.items()
        ],
    }


def _location(span: Span) -> dict[str, Any]:
    path, cell = file_and_cell(span.path)
    if cell is not None:  # SARIF has no cells; a region in the notebook's JSON would be another place
        logical = {"fullyQualifiedName": f"cell {cell}, line {span.start.line}", "kind": "cell"}
        return {**_file(path), "logicalLocations": [logical]}
    return {"physicalLocation": {"artifactLocation": _artifact(path), "region": _region(span)}}


def _file(path: str) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": _artifact(file_and_cell(path)[0])}}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.start.line,
        "startColumn": span.start.column,
        "endLine": span.end.line,
        "endColumn": span.end.column,
    }


def _artifact(path: str) -> dict[str, str]:
    return {"uri": Path(path).as_uri() if os.path.isabs(path) else quote(path.replace(os.sep, "/"))}
