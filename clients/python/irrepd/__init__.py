"""irrepd: clients and converter of the irrepd daemon.

irrepd.Client           the HTTP interface, without dependencies beyond numpy
irrepd.IrrepCalculator  a calculator for ASE
irrepd.evaluate         a stream of structures, many requests under way
irrepd.relax            relaxed structures; irrepd.Relax as ASE's optimizers
irrepd.md               frames of molecular dynamics as they come
irrepd.Job              the same as jobs that go on by themselves; irrepd.jobs lists them
irrepd.hessian          second derivatives and normal modes; irrepd.vibrations for ASE
irrepd.phonons          force constants of a crystal, for phonopy
irrepd.dask             the same over replicas of the daemon, by Dask
irrepd.ase_socket       the daemon behind ASE's SocketIOCalculator
irrepd.local            a calculator with a private daemon
irrepd.convert          python3 -m irrepd.convert CHECKPOINT MODEL.safetensors
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing is not imported at Python's start, see irrepd.ase_finder
if TYPE_CHECKING:
    from typing import Any

    from irrepd.calculator import IrrepCalculator
    from irrepd.client import Client
    from irrepd.derivatives import hessian, phonons, vibrations
    from irrepd.errors import ConnectionFailed, FormatError, ServerError, StructureError
    from irrepd.job import Job, jobs
    from irrepd.private import local
    from irrepd.results import Result, Results
    from irrepd.sockets import ase_socket
    from irrepd.stream import evaluate
    from irrepd.structures import structure
    from irrepd.trajectories import Moved, Relax, md, relax

__all__ = [
    "Client",
    "ConnectionFailed",
    "FormatError",
    "IrrepCalculator",
    "Job",
    "Moved",
    "Relax",
    "Result",
    "Results",
    "ServerError",
    "StructureError",
    "ase_socket",
    "evaluate",
    "hessian",
    "jobs",
    "local",
    "md",
    "phonons",
    "relax",
    "structure",
    "vibrations",
]
__version__ = "0.1.0"

_HOMES = {
    "Client": "irrepd.client",
    "ConnectionFailed": "irrepd.errors",
    "FormatError": "irrepd.errors",
    "IrrepCalculator": "irrepd.calculator",
    "Job": "irrepd.job",
    "Moved": "irrepd.trajectories",
    "Relax": "irrepd.trajectories",
    "Result": "irrepd.results",
    "Results": "irrepd.results",
    "ServerError": "irrepd.errors",
    "StructureError": "irrepd.errors",
    "ase_socket": "irrepd.sockets",
    "evaluate": "irrepd.stream",
    "hessian": "irrepd.derivatives",
    "jobs": "irrepd.job",
    "local": "irrepd.private",
    "md": "irrepd.trajectories",
    "phonons": "irrepd.derivatives",
    "relax": "irrepd.trajectories",
    "structure": "irrepd.structures",
    "vibrations": "irrepd.derivatives",
}


def __getattr__(name: str) -> Any:
    """Imports on first use, so that ASE is needed by those only who ask for the calculator."""
    if name not in _HOMES:
        raise AttributeError(f"module 'irrepd' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
