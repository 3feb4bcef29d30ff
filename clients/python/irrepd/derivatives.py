"""Second derivatives of the energy: Hessians, normal modes, and force constants of crystals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from irrepd import binary
from irrepd.client import (
    DEFAULT_URL,
    Client,
    Dispersion,
    _path_of,
    wanted_committee,
    wanted_dispersion,
)
from irrepd.errors import ServerError, StructureError
from irrepd.results import Result
from irrepd.structures import Intake, structure

BINARY_FROM = 16  # atoms of a Hessian: what is answered grows as their square
_DISPLACEMENT = 0.01  # Angstrom, of phonons


def hessian(
    atoms: Any,
    model: str = "sevennet-0",
    client: Client | str = DEFAULT_URL,
    *,
    dispersion: Dispersion = None,
    head: str | None = None,
    committee: Sequence[str] | None = None,
    method: str | None = None,
    strict: bool = False,
) -> Result:
    """The Hessian of a structure and its normal modes, by the daemon, in float64.

    atoms: what `irrepd.structure` gives, ase.Atoms, whose masses are kept, or a pymatgen structure.
    dispersion, head, committee: as of `Client.predict`; of a committee it is the Hessian of the
    mean energy. method: "analytic", by tangents, or "differences" of forces; None: analytic where
    the model allows it, and without dispersion and committee. The result's "method" tells; its
    "hessian" is [N][3][N][3] (eV/Angstrom^2, symmetric), "frequencies" [3N] (1/cm, ascending,
    imaginary ones negative, those of the rigid motions 0), "modes" [3N][N][3] (mass-weighted,
    normalised), "zero_point_energy" eV. From BINARY_FROM atoms on the bodies are binary; the
    numbers are the same. StructureError, ServerError: there is none.
    """
    own = Client(client) if isinstance(client, str) else None
    asked: Any = own or client
    try:
        entry = Intake(strict or asked.strict)(atoms)
        if isinstance(entry, StructureError):
            raise entry
        if hasattr(atoms, "get_masses") and atoms.has("masses"):
            entry = {**entry, "masses": atoms.get_masses().tolist()}
        options: dict[str, Any] = {
            "dispersion": wanted_dispersion(dispersion),
            "head": head,
            "committee": wanted_committee(committee),
            "method": method,
        }
        options = {name: value for name, value in options.items() if value is not None}
        if len(entry.get("numbers", ())) >= BINARY_FROM:
            result = _of_arrays(asked, _path_of(model) + "/hessian", entry, options)
            if result is not None:
                return result
        body = {"structures": [entry], **options}
        answer = asked.call("POST", _path_of(model) + "/hessian", body)
    finally:
        if own is not None:
            own.close()
    return Result.of(answer["results"][0])


def _of_arrays(
    client: Client, path: str, entry: dict[str, Any], options: dict[str, Any]
) -> Result | None:
    """None: to be asked as JSON, which says what is wrong."""
    try:
        data = binary.encode([entry], None, None, of_hessian=True, **options)
    except (KeyError, TypeError, ValueError):
        return None
    answer = client.arrays("POST", path, data)
    return None if answer is None else binary.decode_hessian(answer, [entry])[0]


def vibrations(
    atoms: Any, model: str = "sevennet-0", client: Client | str = DEFAULT_URL, **options: Any
) -> Any:
    """The `hessian` of ase.Atoms as ase.vibrations.VibrationsData."""
    from ase.vibrations import VibrationsData

    return VibrationsData(atoms, hessian(atoms, model, client, **options)["hessian"])


def phonons(
    atoms: Any,
    supercell: Any,
    model: str = "sevennet-0",
    client: Client | str = DEFAULT_URL,
    *,
    displacement: float = _DISPLACEMENT,
    dispersion: Dispersion = None,
    head: str | None = None,
    committee: Sequence[str] | None = None,
    **options: Any,
) -> Any:
    """A crystal's force constants, as a phonopy.Phonopy that has them, by one request in float64.

    atoms: ase.Atoms, the unit cell. supercell: three numbers, or the matrix of phonopy's. Atoms are
    displaced to both sides, and as few as the symmetry of the crystal allows. displacement:
    Angstrom. dispersion, head, committee: as of `hessian`. options: of Phonopy, such as
    primitive_matrix. `.force_constants` is [n][N][3][3] or [N][N][3][3] (eV/Angstrom^2) as phonopy
    has it, with the acoustic sum rule and symmetric. ServerError: a displaced supercell was
    refused.
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    unit = PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(),
        positions=atoms.positions,
        cell=atoms.cell.array,
        masses=atoms.get_masses(),
    )
    matrix = np.asarray(supercell, dtype=int)
    phonon = Phonopy(unit, np.diag(matrix) if matrix.ndim == 1 else matrix, **options)
    phonon.generate_displacements(distance=displacement, is_plusminus=True)
    cells = [
        structure(cell.numbers, cell.positions, cell.cell, pbc=True)
        for cell in phonon.supercells_with_displacements
    ]
    own = Client(client) if isinstance(client, str) else None
    asked: Any = own or client
    try:
        results = asked.predict(
            model,
            cells,
            ["forces"],
            "float64",
            dispersion=dispersion,
            head=head,
            committee=committee,
        )
    finally:
        if own is not None:
            own.close()
    for result in results:
        if not result.ok:
            raise ServerError(int(result["error"].get("status", 422)), result["error"])
    phonon.forces = [result["forces"] for result in results]
    phonon.produce_force_constants()
    phonon.symmetrize_force_constants()
    return phonon
