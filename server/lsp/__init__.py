"""The language server. `main()` serves over standard input and output until the client leaves."""

from __future__ import annotations


def main() -> int:
    """Run the server; returns the process's exit status."""
    # Imported here: pygls and lsprotocol take half a second, which `gradsight check` should not pay.
    from .server import serve

    return serve()
