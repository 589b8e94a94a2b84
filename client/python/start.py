"""Starts the language server that comes with the extension: `python start.py useBundled|fromEnvironment`.

With `useBundled` the bundled `gradsight` and its dependencies win; with `fromEnvironment` they are only used for what
the interpreter's own environment lacks. Runs on any Python 3, so that an old one is told so in a sentence.
"""

import os
import sys


def main():
    if sys.version_info < (3, 10):  # noqa: UP036 (an old interpreter gets a sentence, not a SyntaxError)
        found = "%d.%d" % sys.version_info[:2]  # noqa: UP031 (f-strings are newer than the oldest Python that gets the sentence)
        sys.exit("gradsight: the language server needs Python 3.10 or newer, and this is Python " + found + ".")
    here = os.path.dirname(os.path.abspath(__file__))
    libs = os.path.join(here, "libs")
    # Python puts this script's folder first; nothing but `libs` is to be imported from here.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    if sys.argv[1:2] == ["fromEnvironment"]:
        sys.path.append(libs)
    else:
        sys.path.insert(0, libs)
    sys.argv[:] = ["gradsight", "server"]

    from gradsight.lsp import main as serve

    sys.exit(serve())


# Worker processes started by `multiprocessing` import this file again and must not start a second server.
if __name__ == "__main__":
    main()
