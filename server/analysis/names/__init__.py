"""Who a name is: imports and aliases of a module, modules of the workspace, and jedi for the rest."""

from .imports import Binding, ImportTable, absolute_module, dotted_name
from .jedi_client import Answer, Definition, JediClient
from .resolver import Resolver, site_directories
from .workspace import WorkspaceModules, mentions_torch, read_source

__all__ = [
    "Answer",
    "Binding",
    "Definition",
    "ImportTable",
    "JediClient",
    "Resolver",
    "WorkspaceModules",
    "absolute_module",
    "dotted_name",
    "mentions_torch",
    "read_source",
    "site_directories",
]
