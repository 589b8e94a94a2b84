"""Results leave on a pipe of their own, as frames that a chatty program cannot forge by accident.

A frame is `\\n<nonce> <length>\\n<json>\\n`: a reader that meets garbage looks for the next nonce. Before each frame
the descriptor is checked to still be that pipe: a program may have closed it, and a file it opened afterwards may sit
under the same number. Then the frames go to the spare file, which is opened anew for each.
"""

from __future__ import annotations

import json
import os


class Sender:
    """Writes frames to descriptor `fd` (None: to the spare file only); never raises because of the transport."""

    def __init__(self, fd, nonce, spare):
        self.nonce = nonce
        self.spare = spare
        self.fd = None
        self.identity = None
        self.pid = os.getpid()
        if fd is not None:
            try:
                self.fd = self._out_of_the_way(fd)
                status = os.fstat(self.fd)
                self.identity = (status.st_dev, status.st_ino)
            except OSError:
                self.fd = None

    @staticmethod
    def _out_of_the_way(fd):
        # A high number survives `os.closerange(3, 256)` and loops that close the usual few.
        try:
            import fcntl

            high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 700)
        except (ImportError, OSError):
            return fd
        os.close(fd)
        return high

    def _pipe_is_ours(self):
        if self.fd is None:
            return False
        try:
            status = os.fstat(self.fd)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.identity

    def send(self, kind, **data):
        """Sends one message; a forked child of the program stays silent."""
        if os.getpid() != self.pid:
            return
        data["kind"] = kind
        body = json.dumps(data, ensure_ascii=True, allow_nan=False, default=str).encode("ascii")
        frame = b"\n" + self.nonce.encode("ascii") + b" " + str(len(body)).encode("ascii") + b"\n" + body + b"\n"
        try:
            if self._pipe_is_ours():
                view = memoryview(frame)
                while view:
                    view = view[os.write(self.fd, view) :]
                return
        except OSError:
            pass
        if self.spare:
            try:
                with open(self.spare, "ab") as stream:
                    stream.write(frame)
            except OSError:
                pass
