"""Loaded by ASE through the entry point group ase.plugins; makes get_calculator("irrepd") work.

ASE 3.29 has plug-ins of its own for file formats and viewers only, so that there are none to list.
"""

from __future__ import annotations

import irrepd.calculator  # noqa: F401

__ase_plugins__: frozenset[object] = frozenset()
