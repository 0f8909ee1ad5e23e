"""nibabel as the type checker should see it: untyped, for its own annotations are partial."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: The nibabel package.
nib: Any = import_module("nibabel")
