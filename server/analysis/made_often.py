"""Plain data of which a run makes thousands: frozen for the type checker, as cheap to make as any object.

The `__init__` of a frozen dataclass sets every field through `object.__setattr__`, because its own refuses: a multiple
of an assignment, and a tenth of a check. `made_often` gives the class an `__init__` that assigns, and so it takes the
refusal away; who may not write is told by mypy.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

_Class = TypeVar("_Class", bound=type)


def made_often(cls: _Class) -> _Class:
    """The same frozen dataclass with an `__init__` that assigns. Not for default factories and `__post_init__`."""
    assert not hasattr(cls, "__post_init__"), cls
    defaults: dict[str, Any] = {}
    parameters, lines = ["self"], []
    for each in fields(cls):
        assert each.init and each.default_factory is MISSING, each
        if each.default is MISSING:
            parameters.append(each.name)
        else:
            defaults[each.name] = each.default
            parameters.append(f"{each.name}=_defaults[{each.name!r}]")
        lines.append(f"    self.{each.name} = {each.name}")
    made: dict[str, Any] = {"_defaults": defaults}
    exec(f"def __init__({', '.join(parameters)}):\n" + "\n".join(lines), made)
    made["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = made["__init__"]  # type: ignore[misc]
    del cls.__setattr__, cls.__delattr__
    return cls
