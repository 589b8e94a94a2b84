"""Builders of quick-fix edits: a parsed file and nodes of its tree in, text edits on the original source out.

Every builder returns a tuple of `report.Edit`, or None when the rewrite cannot be made without risk. What it returns
keeps comments and formatting, parses, leaves every other statement as it was, and applied to its own result changes
nothing. All positions are those of the original text, so the edits of one builder are applied together.

    edits = move_out_of_with(parsed, with_node, stmt)
    new_text = report.apply_edits(parsed.source.text, edits)
"""

from __future__ import annotations

from .edit_base import Edits, apply, checked, delete_statement, edit
from .edit_blocks import (
    drop_decorator,
    drop_with,
    insert_line_after,
    insert_line_before,
    move_behind,
    move_into,
    move_out_of_with,
    put_under,
)
from .edit_calls import (
    append_call,
    drop_method_call,
    remove_argument,
    remove_keyword,
    rename_call,
    replace_expr,
    set_keyword,
    unwrap_call,
)
from .edit_data import without_data
from .edit_ignore import ignore_comment
from .edit_inplace import assign_detached, clone_before, clone_reads, drop_inplace_argument, inplace_to_outofplace
from .edit_out import assign_out

__all__ = [
    "Edits",
    "append_call",
    "apply",
    "assign_detached",
    "assign_out",
    "checked",
    "clone_before",
    "clone_reads",
    "delete_statement",
    "drop_decorator",
    "drop_inplace_argument",
    "drop_method_call",
    "drop_with",
    "edit",
    "ignore_comment",
    "inplace_to_outofplace",
    "insert_line_after",
    "insert_line_before",
    "move_behind",
    "move_into",
    "move_out_of_with",
    "put_under",
    "remove_argument",
    "remove_keyword",
    "rename_call",
    "replace_expr",
    "set_keyword",
    "unwrap_call",
    "without_data",
]
