"""Text, spans, parsing with recovery, suppression comments, and the builders of quick-fix edits."""

from .parse import Parsed, parse
from .suppress import Suppressions
from .text import SourceText

__all__ = ["Parsed", "SourceText", "Suppressions", "parse"]
