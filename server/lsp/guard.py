"""A handler that breaks is logged and answered with nothing; the client never sees a traceback."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Handler = TypeVar("Handler", bound=Callable[..., Any])


def guarded(handler: Handler) -> Handler:
    """The handler, answering None when it raises. Cancellation passes through."""
    if asyncio.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def waited(*args: Any, **kwargs: Any) -> Any:
            try:
                return await handler(*args, **kwargs)
            except Exception:
                log.exception("%s failed", handler.__qualname__)
                return None

        return waited  # type: ignore[return-value]

    @functools.wraps(handler)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except Exception:
            log.exception("%s failed", handler.__qualname__)
            return None

    return called  # type: ignore[return-value]
