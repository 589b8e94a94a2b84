"""All routes together: natives from the YAML, public names by object identity, measured facts, hand-written ones."""

from __future__ import annotations

from .from_yaml import native_facts
from .python_names import rows_by_name
from .write import Writer


def build() -> str:
    """The text of ``optable.json`` for the installed torch."""
    functions, methods = rows_by_name(native_facts())
    writer = Writer()
    for name, rows in sorted(functions.items()):
        writer.data["functions"][name] = writer.rows(rows)
    for name, rows in sorted(methods.items()):
        writer.data["methods"][name] = writer.rows(rows)
    return writer.render()
