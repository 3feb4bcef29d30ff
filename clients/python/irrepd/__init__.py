"""irrepd: clients and converter of the irrepd daemon.

    irrepd.Client           the HTTP interface, without dependencies beyond numpy
    irrepd.IrrepCalculator  a calculator for ASE
    irrepd.convert          python3 -m irrepd.convert CHECKPOINT MODEL.safetensors
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from irrepd.calculator import IrrepCalculator
    from irrepd.client import Client
    from irrepd.errors import ConnectionFailed, FormatError, ServerError

__all__ = ["Client", "ConnectionFailed", "FormatError", "IrrepCalculator", "ServerError"]
__version__ = "0.1.0"

_HOMES = {
    "Client": "irrepd.client",
    "ConnectionFailed": "irrepd.errors",
    "FormatError": "irrepd.errors",
    "IrrepCalculator": "irrepd.calculator",
    "ServerError": "irrepd.errors",
}


def __getattr__(name: str) -> Any:
    """Imports on first use, so that ASE is needed by those only who ask for the calculator."""
    if name not in _HOMES:
        raise AttributeError(f"module 'irrepd' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
