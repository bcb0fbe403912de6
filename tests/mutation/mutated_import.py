"""A plugin of pytest that imports one module from another file: `pytest -p tests.mutation.mutated_import`."""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from types import ModuleType

MODULE, FILE = "NEXTREEL_MUTATED_MODULE", "NEXTREEL_MUTATED_FILE"
"""Environment variables: the module's name, and the file with its changed source."""


class MutatedImport(MetaPathFinder):
    """Finds the changed file for the module, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is, if it is the changed one."""
        if fullname != os.environ[MODULE]:
            return None
        return spec_from_loader(fullname, SourceFileLoader(fullname, os.environ[FILE]))


if MODULE in os.environ:  # the module that counts the changes imports this one, too
    sys.meta_path.insert(0, MutatedImport())
