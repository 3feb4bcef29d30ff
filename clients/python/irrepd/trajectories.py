"""Relaxation and molecular dynamics in the daemon: many structures at a time, as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from irrepd.client import (
    DEFAULT_URL,
    Client,
    Dispersion,
    _path_of,
    wanted_committee,
    wanted_dispersion,
)
from irrepd.errors import ConnectionFailed, ServerError, StructureError
from irrepd.progress import Progress
from irrepd.results import Result
from irrepd.stream import batches_of
from irrepd.structures import Entry, Intake

BATCH_ATOMS = 4000
BATCH_STRUCTURES = 128
IN_FLIGHT = 2

_FS = 0.09822694788464063  # ASE's unit of time in a fs: ase.units.fs


class Moved(Result):
    """A structure where a relaxation or dynamics has taken it.

    As the HTTP interface has it: "positions", "cell", "energy", "forces", "stress"; of a relaxation
    "converged", "n_steps", "fmax"; of dynamics "step" or "steps", "time" (fs), "temperature" (K),
    "velocities" (Angstrom/fs), "pressure" (GPa). "structure" is its place among those given.
    """

    given: Any = None  # the entry of the request

    @property
    def atoms(self) -> Any:
        """As ase.Atoms with energy, forces and stress where they were told, and velocities."""
        from ase import Atoms

        from irrepd.calculator import keep_results

        if not self.ok:
            raise StructureError(self.problem)
        if self.given is None:
            raise ValueError("its elements are not known: irrepd.Job(id, client, structures)")
        cell = self.get("cell")
        cell = self.given.get("cell") if cell is None else cell
        pbc = self.given.get("pbc", cell is not None)
        atoms = Atoms(self.given["numbers"], self["positions"], cell=cell, pbc=pbc)
        if self.given.get("masses") is not None:
            atoms.set_masses(self.given["masses"])
        if self.get("velocities") is not None:
            atoms.set_velocities(self["velocities"] / _FS)
        if self.get("forces") is not None:
            keep_results(atoms, self)
        for name in ("time", "temperature", "pressure", "conserved"):
            if self.get(name) is not None:
                atoms.info[name] = self[name]
        return atoms


def relax(
    structures: Iterable[Any],
    model: str = "sevennet-0",
    client: Client | str = DEFAULT_URL,
    *,
    optimizer: str = "lbfgs",
    fmax: float = 0.05,
    max_steps: int = 500,
    cell: str = "fixed",
    pressure: float = 0.0,
    mask: Any = None,
    symmetry: bool = False,
    max_forces_std: float | None = None,
    precision: str | None = None,
    dispersion: Dispersion = None,
    head: str | None = None,
    committee: Sequence[str] | None = None,
    priority: str | None = None,
    deadline_ms: float | None = None,
    batch_atoms: int = BATCH_ATOMS,
    batch_structures: int = BATCH_STRUCTURES,
    in_flight: int = IN_FLIGHT,
    progress: bool | int = False,
    strict: bool = False,
) -> Iterator[Moved]:
    """Relaxed structures, in the order of those given.

    structures: as of `irrepd.evaluate`; of ase.Atoms, FixAtoms is kept, and other constraints are
    refused. optimizer: "lbfgs", "bfgs", "fire" or "fire2". fmax: eV/Angstrom, which the gradient by
    the cell has to meet too. cell: "fixed", "volume", "shape" or "full". pressure: GPa. mask: 3x3,
    which components of the strain may change, with "full". symmetry: keep the space group.
    max_forces_std: eV/Angstrom; a structure for which the forces of a committee's members differ by
    more stops there, and has "stopped". priority: "bulk" (the default), which lets predictions go
    first, or "interactive". deadline_ms: of each request, from its arrival at the daemon; what has
    not converged by then has status "error" and a problem of 504. For the rest, see
    `irrepd.evaluate`. One that is refused or fails has status "error".
    """
    options: dict[str, Any] = {"optimizer": optimizer, "fmax": fmax, "max_steps": max_steps}
    options.update({"cell": cell, "pressure": pressure, "symmetry": symmetry})
    if max_forces_std is not None:
        options["max_forces_std"] = max_forces_std
    if mask is not None:
        options["mask"] = np.asarray(mask, dtype=bool).tolist()
    if min(batch_atoms, batch_structures, in_flight) < 1:
        raise ValueError("batch_atoms, batch_structures and in_flight must be at least 1")
    total = None if progress is True or not progress else int(progress)
    if total is None and hasattr(structures, "__len__"):
        total = len(structures)  # type: ignore[arg-type]
    bar = Progress(total) if progress else None
    body: dict[str, Any] = {"relax": options, "precision": precision, "head": head}
    body.update(wanted_of_all(dispersion, committee, priority, deadline_ms))
    run = _Run(client, model, body, strict)
    entries = map(run.intake, structures)
    return _relaxed(run, batches_of(entries, batch_atoms, batch_structures), in_flight, bar)


def _relaxed(
    run: _Run, batches: Iterator[list[Entry]], in_flight: int, bar: Progress | None
) -> Iterator[Moved]:
    under_way: list[Future[list[Moved]]] = []
    first = 0

    def done(results: list[Moved]) -> Iterator[Moved]:
        for result in results:
            if bar is not None:
                bar.step(len(result.get("positions", ())))
            yield result

    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="irrepd")
    try:
        for batch in batches:
            under_way.append(pool.submit(run.ends, batch, first))
            first += len(batch)
            if len(under_way) > in_flight:
                yield from done(under_way.pop(0).result())
        while under_way:
            yield from done(under_way.pop(0).result())
    finally:
        run.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        run.close()
        if bar is not None:
            bar.close()


def md(
    structures: Iterable[Any] | Any,
    model: str = "sevennet-0",
    client: Client | str = DEFAULT_URL,
    *,
    steps: int,
    timestep: float = 1.0,
    ensemble: str = "nvt",
    temperature: float | Sequence[float] | None = 300.0,
    every: int = 100,
    properties: Sequence[str] = ("positions", "velocities", "forces"),
    seed: int = 0,
    precision: str | None = None,
    dispersion: Dispersion = None,
    head: str | None = None,
    committee: Sequence[str] | None = None,
    priority: str | None = None,
    deadline_ms: float | None = None,
    strict: bool = False,
    **options: Any,
) -> Iterator[Moved]:
    """Frames of molecular dynamics as they come, of one structure or of several at a time.

    structures: as of `irrepd.evaluate`, and at most what one request takes; velocities and masses
    of ase.Atoms are taken, and FixAtoms is kept. steps of timestep fs. ensemble: "nve", "nvt" or
    "npt".
    temperature: K, or a pair that it goes from and to. every: steps from one frame to the next.
    seed: of velocities where none are given, and of thermostats: the same seed gives the same bits.
    dispersion, head, committee: as for `Client.predict`; frames then have "max_forces_std".
    priority, deadline_ms: as for `irrepd.relax`; a structure that has not taken all its steps by
    the deadline has status "error", and how many are complete.
    options: thermostat, friction (1/ps), barostat, coupling, pressure (GPa), max_forces_std, at
    which a structure stops, and what else the HTTP interface takes.

    Each frame has "structure", "step", "time" (fs), "energy", "temperature" and what `properties`
    name; `frame.atoms` gives ase.Atoms. The last of a structure has "event" "end" and "steps"; one
    that fails has status "error". Closing the iterator ends the run.
    """
    given = options_of_md(steps, timestep, ensemble, temperature, every, properties, seed, options)
    body: dict[str, Any] = {"md": given, "precision": precision, "head": head}
    body.update(wanted_of_all(dispersion, committee, priority, deadline_ms))
    run = _Run(client, model, body, strict)
    return _frames(run, [run.intake(item) for item in _several(structures)])


def wanted_of_all(
    dispersion: Dispersion,
    committee: Sequence[str] | None,
    priority: str | None,
    deadline_ms: float | None,
) -> dict[str, Any]:
    """What a request says beside its structures and how they move."""
    return {
        "dispersion": wanted_dispersion(dispersion),
        "committee": wanted_committee(committee),
        "priority": priority,
        "deadline_ms": deadline_ms,
    }


def options_of_md(
    steps: int,
    timestep: float,
    ensemble: str,
    temperature: float | Sequence[float] | None,
    every: int,
    properties: Sequence[str],
    seed: int,
    options: dict[str, Any],
) -> dict[str, Any]:
    """The object `md` of a request."""
    given: dict[str, Any] = {"ensemble": ensemble, "timestep": timestep, "steps": steps}
    given.update({"seed": seed, "every": every, "properties": list(properties), **options})
    if temperature is not None:
        given["temperature"] = np.asarray(temperature, dtype=float).tolist()
    return given


def _several(structures: Any) -> Iterable[Any]:
    """One structure as several."""
    is_one = isinstance(structures, dict) or any(
        hasattr(structures, name) for name in ("get_positions", "cart_coords")
    )
    return [structures] if is_one else structures


def entries_of(structures: Any, kind: str, strict: bool = False) -> Iterator[Entry]:
    """Entries of a request of one structure or several; kind: "relax" or "md"."""
    intake = Intake(strict)
    for given in _several(structures):
        yield _entry_of(intake, given, kind)


def _entry_of(intake: Intake, given: Any, kind: str) -> Entry:
    entry = intake(given)
    if isinstance(entry, dict) and hasattr(given, "get_positions"):
        try:
            return {**entry, **_motion_of(given, kind)}
        except StructureError as error:
            return error
    return entry


def path_of(model: str, kind: str) -> str:
    """Where a relaxation or dynamics is asked for."""
    return f"{_path_of(model)}/{kind}"


def _frames(run: _Run, entries: list[Entry]) -> Iterator[Moved]:
    try:
        yield from run.events(entries, 0)
    finally:
        run.close()


class _Run:
    """What is asked of every structure, and of whom."""

    def __init__(self, client: Client | str, model: str, body: dict[str, Any], strict: bool):
        self.kind = "md" if "md" in body else "relax"
        self.path = path_of(model, self.kind)
        self.body = {name: value for name, value in body.items() if value is not None}
        self._own = Client(client) if isinstance(client, str) else None
        asked = self._own or client
        if not isinstance(asked, Client):
            name = type(asked).__name__
            raise TypeError(f"client must be an irrepd.Client or a URL, not a {name}")
        self.client = asked
        self._intake = Intake(strict or asked.strict)
        self._is_stopped = False

    def intake(self, given: Any) -> Entry:
        return _entry_of(self._intake, given, self.kind)

    def stop(self) -> None:
        """Relaxations that are under way end soon, unread."""
        self._is_stopped = True

    def close(self) -> None:
        if self._own is not None:
            self._own.close()

    def events(self, entries: list[Entry], first: int) -> Iterator[Moved]:
        """What is told of each structure. ServerError: of all of them."""
        asked = []
        for i, entry in enumerate(entries):
            if isinstance(entry, StructureError):
                yield moved_of(Result.refused(entry), None, first + i)
            else:
                asked.append((i, entry))
        if not asked:
            return
        body = {**self.body, "structures": [entry for _, entry in asked]}
        n_ended = 0
        try:
            for event in self.client.events(self.path, body):
                if self._is_stopped:
                    return
                if "structure" not in event:
                    continue
                place, entry = asked[event["structure"]]
                result = Result.of({"status": "ok", **event})
                n_ended += event["event"] != "frame"
                yield moved_of(result, entry, first + place)
        except ServerError as error:
            if len(asked) > 1 or error.status != 422:
                raise
            n_ended = 1
            yield moved_of(Result.refused(error, asked[0][1]), asked[0][1], first + asked[0][0])
        if n_ended != len(asked):
            raise ConnectionFailed(f"{self.client.url} told the end of {n_ended} of {len(asked)}")

    def ends(self, entries: list[Entry], first: int) -> list[Moved]:
        """Where each structure ends, in their order."""
        found = [r for r in self.events(entries, first) if r.get("event") != "frame"]
        return sorted(found, key=lambda result: result["structure"])


def moved_of(result: Result, entry: dict[str, Any] | None, place: int) -> Moved:
    """An event as it is given to users. entry: of the request, None: not known."""
    moved = Moved(result)
    moved["structure"] = place
    for name in ("positions", "velocities"):
        if moved.get(name) is not None:
            moved[name] = np.asarray(moved[name], dtype=float).reshape(-1, 3)
    moved.given = entry
    return moved


def _motion_of(atoms: Any, kind: str) -> dict[str, Any]:
    """Fixed atoms, and for dynamics masses and velocities, where the atoms have their own."""
    from ase.constraints import FixAtoms

    found: dict[str, Any] = {}
    fixed: set[int] = set()
    for constraint in atoms.constraints:
        if not isinstance(constraint, FixAtoms):
            name = type(constraint).__name__
            raise StructureError(f"the constraint {name}: the daemon keeps FixAtoms alone", "fixed")
        fixed.update(int(i) for i in constraint.index)
    if fixed:
        found["fixed"] = sorted(fixed)
    if kind == "md":
        if atoms.has("masses"):
            found["masses"] = atoms.get_masses().tolist()
        if atoms.has("momenta"):
            found["velocities"] = (atoms.get_velocities() * _FS).tolist()
    return found


class Relax:
    """Relaxes ase.Atoms in the daemon with the calls of ASE's optimizers.

    `Relax(atoms, model).run(fmax=0.05, steps=500)` moves the atoms, and the cell where the option
    cell says so, and says whether that has converged; `nsteps` counts. options: as of
    `irrepd.relax`.
    """

    def __init__(
        self,
        atoms: Any,
        model: str = "sevennet-0",
        client: Client | str = DEFAULT_URL,
        **options: Any,
    ):
        self.atoms, self.model, self.client, self.options = atoms, model, client, options
        self.nsteps = 0

    def run(self, fmax: float = 0.05, steps: int = 500) -> bool:
        """Whether it has converged. ServerError, StructureError: there is no relaxed structure."""
        (result,) = relax(
            [self.atoms],
            self.model,
            self.client,
            fmax=fmax,
            max_steps=steps,
            **self.options,
        )
        if not result.ok:
            error = result["error"]
            raise ServerError(int(error.get("status", 422)), error)
        found = result.atoms
        self.atoms.set_cell(found.cell)
        self.atoms.set_positions(found.positions, apply_constraint=False)
        self.atoms.calc = found.calc
        self.atoms.calc.atoms = self.atoms.copy()
        self.nsteps += int(result["n_steps"])
        return bool(result["converged"])
