"""Reads the probe's frames out of a byte stream that may hold anything else besides."""

from __future__ import annotations

import json
from typing import Any

MOST_BYTES = 32 << 20


class FrameReader:
    """Fed with pieces of the stream; hands out whole messages. Garbage between frames is skipped (and counted)."""

    def __init__(self, nonce: str) -> None:
        self._start = b"\n" + nonce.encode("ascii") + b" "
        self._buffer = bytearray()
        self.garbage = 0

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that are whole now; what is no message of this run is passed over."""
        self._buffer += data
        messages: list[dict[str, Any]] = []
        while True:
            message = self._next()
            if message is None:
                return messages
            if message:
                messages.append(message)

    def _drop(self, count: int) -> None:
        self.garbage += count
        del self._buffer[:count]

    def _next(self) -> dict[str, Any] | None:
        """The next message, {} after something that only looked like one, None when more bytes are needed."""
        at = self._buffer.find(self._start)
        if at < 0:
            self._drop(max(0, len(self._buffer) - len(self._start)))
            return None
        self._drop(at)
        head = self._buffer.find(b"\n", len(self._start), len(self._start) + 24)
        if head < 0:
            if len(self._buffer) > len(self._start) + 24:
                self._drop(len(self._start))
                return {}
            return None
        digits = bytes(self._buffer[len(self._start) : head])
        if not digits.isdigit() or int(digits) > MOST_BYTES:
            self._drop(len(self._start))
            return {}
        end = head + 1 + int(digits)
        if len(self._buffer) <= end:
            return None
        body = bytes(self._buffer[head + 1 : end])
        try:
            message = json.loads(body)
        except ValueError:
            self._drop(len(self._start))
            return {}
        del self._buffer[: end + 1]
        return message if isinstance(message, dict) else {}
