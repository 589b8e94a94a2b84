"""Gradsight: why is there no gradient for this tensor?"""

__version__ = "0.1.0"
