"""Files of relaxed structures and of trajectories: extended xyz, ASE's .traj, and H5MD."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from irrepd.trajectories import Moved

_PREFIX = "irrepd_"  # of what frames say of their results, in atoms.info
_TEXT = (".xyz", ".extxyz")
_HDF5 = (".h5", ".hdf5", ".h5md")


def writer_of(path: str | None, label: dict[str, Any]) -> Nowhere:
    """A writer by the end of the name; None: of nothing. label: as `Client.label` gives it.

    ValueError: another end, or the file is there already.
    """
    if path is None:
        return Nowhere()
    if os.path.exists(path):
        raise ValueError(f"{path} is there already: remove it, or name another")
    name = path.lower()
    if name.endswith(_TEXT):
        return Text(path, label)
    if name.endswith(".traj"):
        return Traj(path, label)
    if name.endswith(_HDF5):
        return H5MD(path, label)
    raise ValueError(f"{path}: name it .extxyz, .traj or .h5")


class Nowhere:
    """Writes nothing."""

    def __enter__(self) -> Nowhere:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, frame: Moved) -> None:
        """A frame, or a relaxed structure."""

    def failed(self, result: Moved) -> None:
        """A structure that has none."""

    def close(self) -> None:
        """No more will come."""


class _Atoms(Nowhere):
    """Frames as ase.Atoms, which say of which model and of which structure they are."""

    def __init__(self, label: dict[str, Any]):
        self.label = label

    def atoms_of(self, frame: Moved) -> Any:
        atoms = frame.atoms
        atoms.info.update({_PREFIX + name: value for name, value in self.label.items() if value})
        atoms.info[_PREFIX + "structure"] = frame["structure"]
        for name in ("step", "n_steps", "converged"):
            if frame.get(name) is not None:
                atoms.info[name] = frame[name]
        return atoms


class Text(_Atoms):
    """Extended xyz, frame by frame."""

    def __init__(self, path: str, label: dict[str, Any]):
        super().__init__(label)
        self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115

    def write(self, frame: Moved) -> None:
        import ase.io

        ase.io.write(self._file, self.atoms_of(frame), format="extxyz")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Traj(_Atoms):
    """ASE's own."""

    def __init__(self, path: str, label: dict[str, Any]):
        from ase.io.trajectory import Trajectory

        super().__init__(label)
        self._file = Trajectory(path, "w")

    def write(self, frame: Moved) -> None:
        self._file.write(self.atoms_of(frame))

    def close(self) -> None:
        self._file.close()


class H5MD(Nowhere):
    """H5MD 1.1 (de Buyl et al., Comput. Phys. Commun. 185, 1546 (2014)), groups by structure.

    particles/structure_I with species, mass, box, position, velocity, force, and observables of the
    same name: energy, temperature, pressure. Units: Angstrom, fs, eV, u, K, GPa.
    """

    def __init__(self, path: str, label: dict[str, Any]):
        try:
            import h5py
        except ImportError:
            raise ValueError(f"{path}: HDF5 needs h5py (pip install h5py)") from None
        self._file = h5py.File(path, "x")
        head = self._file.create_group("h5md")
        head.attrs["version"] = np.array([1, 1])
        head.create_group("author").attrs["name"] = "irrepd"
        creator = head.create_group("creator")
        creator.attrs["name"] = "irrepd"
        creator.attrs["version"] = _version()
        modules = head.create_group("modules").create_group("units")
        modules.attrs["version"] = np.array([1, 0])
        for name, value in label.items():
            head.attrs[_PREFIX + name] = value or ""

    def write(self, frame: Moved) -> None:
        name = f"structure_{frame['structure']}"
        step = int(frame.get("step", frame.get("n_steps", 0)))
        time = frame.get("time")
        group = self._file.get(f"particles/{name}")
        if group is None:
            group = self._new(name, frame)
        box = np.asarray(frame.atoms.cell.array)
        if frame.atoms.pbc.any():
            self._add(group["box"], "edges", box, "Angstrom", step, time)
        for ours, theirs, unit in (
            ("positions", "position", "Angstrom"),
            ("velocities", "velocity", "Angstrom fs-1"),
            ("forces", "force", "eV Angstrom-1"),
        ):
            if frame.get(ours) is not None:
                self._add(group, theirs, frame[ours], unit, step, time)
        seen = self._file.require_group(f"observables/{name}")
        for what, unit in (("energy", "eV"), ("temperature", "K"), ("pressure", "GPa")):
            if frame.get(what) is not None:
                self._add(seen, what, np.float64(frame[what]), unit, step, time)
        self._file.flush()

    def _new(self, name: str, frame: Moved) -> Any:
        atoms = frame.atoms
        group = self._file.create_group(f"particles/{name}")
        group["species"] = atoms.numbers
        mass = group.create_dataset("mass", data=atoms.get_masses())
        mass.attrs["unit"] = "u"
        box = group.create_group("box")
        box.attrs["dimension"] = 3
        box.attrs["boundary"] = ["periodic" if p else "none" for p in atoms.pbc]
        return group

    def _add(
        self, group: Any, name: str, value: Any, unit: str, step: int, time: float | None
    ) -> None:
        """One more row of a time-dependent element."""
        value = np.asarray(value, dtype=float)
        if name not in group:
            element = group.create_group(name)
            shape, most = (0, *value.shape), (None, *value.shape)
            data = element.create_dataset("value", shape, float, maxshape=most, chunks=True)
            data.attrs["unit"] = unit
            element.create_dataset("step", (0,), np.int64, maxshape=(None,), chunks=(1024,))
            if time is not None:
                times = element.create_dataset(
                    "time", (0,), float, maxshape=(None,), chunks=(1024,)
                )
                times.attrs["unit"] = "fs"
        element = group[name]
        n = len(element["step"])
        for key, row in (("value", value), ("step", step), ("time", time)):
            if key in element:
                element[key].resize(n + 1, axis=0)
                element[key][n] = row

    def close(self) -> None:
        self._file.close()


def _version() -> str:
    from irrepd import __version__

    return __version__
