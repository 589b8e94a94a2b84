"""In the tests a mistake of the analysis ends it; for people it costs one statement or one rule."""

from __future__ import annotations

import os

os.environ.setdefault("GRADSIGHT_STRICT", "1")
