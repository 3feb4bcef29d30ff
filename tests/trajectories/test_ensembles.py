"""Distributions of long trajectories of argon, by physical_validation, at 3 standard deviations.

Merz and Shirts, PLOS ONE 13, e0202764 (2018). Kinetic energies have the mean and the width of the
canonical distribution at their temperature; potential energies, enthalpies and volumes at two
temperatures or two pressures differ as the Boltzmann factors of the two say. The forces are those
of tests/dynamics/argon.h, in C. IRREPD_TEST_STEPS makes trajectories shorter or longer.

There are more than a hundred comparisons, of which one in 370 is beyond 3 standard deviations by
chance. One that is has to hold in other trajectories, twice as long, where a fault would show more.
"""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import physical_validation as pv
import pytest

ROOT = Path(__file__).resolve().parents[2]
N_ATOMS = 32
STEPS = int(os.environ.get("IRREPD_TEST_STEPS", "100000"))
SKIP = 5000  # steps until equilibrium
EVERY = 25
TIMESTEP = 4.0
TEMPERATURES = (45.0, 52.0)
PRESSURES = (0.1, 0.17)
SIGMAS = 3.0

THERMOSTATS = {
    "langevin": {"thermostat": 1, "friction": 3},
    "csvr": {"thermostat": 2, "thermostat_time": 200},
    "nose-hoover": {"thermostat": 3, "thermostat_time": 200},
}
C_RESCALE = {"barostat": 1, "barostat_time": 500, "compressibility": 0.5}
MTK = {"barostat": 2, "barostat_time": 500}
COUPLINGS = ("isotropic", "anisotropic", "triclinic")
BAROSTATS = {
    **{f"c-rescale {name} langevin": (C_RESCALE, "langevin", name) for name in COUPLINGS},
    **{f"c-rescale {name} csvr": (C_RESCALE, "csvr", name) for name in COUPLINGS},
    "c-rescale isotropic nose-hoover": (C_RESCALE, "nose-hoover", "isotropic"),
    **{f"mtk {name}": (MTK, "nose-hoover", name) for name in COUPLINGS},
}

UNITS = pv.data.UnitData(
    kb=1.38064852e-23 / 1.6021766208e-19,
    energy_str="eV",
    energy_conversion=96.4853329,
    length_str="A",
    length_conversion=0.1,
    volume_str="A^3",
    volume_conversion=1e-3,
    temperature_str="K",
    temperature_conversion=1,
    pressure_str="GPa",
    pressure_conversion=1e4,
    time_str="fs",
    time_conversion=1e-3,
)


class Runs:
    """Trajectories, each computed once, as many at a time as there are processors."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(os.cpu_count())
        self.tables: dict[str, Future[np.ndarray]] = {}

    def begin(self, steps: int = STEPS, **settings: float) -> Future[np.ndarray]:
        """Lines of step, potential, kinetic, conserved energy and volume."""
        words = [f"{key}={value}" for key, value in sorted(settings.items())]
        key = " ".join(words) if steps == STEPS else " ".join([*words, "again"])
        words.append(f"seed={zlib.crc32(key.encode())}")  # its own random numbers
        words.append(f"steps={steps}")
        if key not in self.tables:
            self.tables[key] = self.pool.submit(self._run, words)
        return self.tables[key]

    @staticmethod
    def _run(words: list[str]) -> np.ndarray:
        command = [ROOT / "build/dynamics/argon", *words, f"timestep={TIMESTEP}"]
        command += [f"skip={SKIP}", f"every={EVERY}"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return np.loadtxt(done.stdout.splitlines())


def settings_of(name: str, temperature: float, pressure: float) -> dict[str, float]:
    """Of a thermostat, or of a barostat with one."""
    if name in THERMOSTATS:
        return {"ensemble": 1, "temperature": temperature, **THERMOSTATS[name]}
    barostat, thermostat, coupling = BAROSTATS[name]
    return {
        "ensemble": 2,
        "temperature": temperature,
        "pressure": pressure,
        "coupling": COUPLINGS.index(coupling),
        **barostat,
        **THERMOSTATS[thermostat],
    }


POINTS = ((0, 0), (1, 0), (0, 1))  # of temperature and pressure


@pytest.fixture(scope="module")
def runs() -> Runs:
    made = Runs()
    for name in (*THERMOSTATS, *BAROSTATS):
        for temperature, pressure in POINTS[: 2 if name in THERMOSTATS else 3]:
            made.begin(**settings_of(name, TEMPERATURES[temperature], PRESSURES[pressure]))
    return made


def data_of(runs: Runs, name: str, point: tuple[int, int], steps: int) -> pv.data.SimulationData:
    temperature, pressure = TEMPERATURES[point[0]], PRESSURES[point[1]]
    table = runs.begin(steps, **settings_of(name, temperature, pressure)).result()
    potential, kinetic, conserved, volume = table.T[1:]
    keeps_momentum = "langevin" not in name
    system = pv.data.SystemData(
        natoms=N_ATOMS,
        nconstraints=0,
        ndof_reduction_tra=3 if keeps_momentum else 0,
        ndof_reduction_rot=0,
        mass=np.full(N_ATOMS, 39.948),
    )
    if name in THERMOSTATS:
        ensemble = pv.data.EnsembleData("NVT", N_ATOMS, volume=volume[0], temperature=temperature)
    else:
        ensemble = pv.data.EnsembleData("NPT", N_ATOMS, pressure=pressure, temperature=temperature)
    return pv.data.SimulationData(
        units=UNITS,
        dt=TIMESTEP,
        system=system,
        ensemble=ensemble,
        observables=pv.data.ObservableData(
            kinetic_energy=kinetic,
            potential_energy=potential,
            total_energy=kinetic + potential,
            volume=volume,
            constant_of_motion=conserved,
        ),
    )


def holds(what: str, compare: Callable[[int], Sequence[float]]) -> bool:
    """Whether what is compared agrees, at first or in longer trajectories."""
    for steps in (STEPS, 2 * STEPS):
        found = compare(steps)
        said = ", ".join(f"{abs(x):.2f}" for x in found)
        print(f"{what}, {steps} steps: {said} standard deviations")
        if len(found) > 0 and all(abs(x) < SIGMAS for x in found):
            return True
    return False


@pytest.mark.parametrize("name", [*THERMOSTATS, *BAROSTATS])
def test_kinetic_energy(runs: Runs, name: str) -> None:
    """Mean and width."""
    for point in POINTS[: 2 if name in THERMOSTATS else 3]:

        def compare(steps: int, point: tuple[int, int] = point) -> Sequence[float]:
            return pv.kinetic_energy.distribution(
                data_of(runs, name, point, steps), strict=False, verbosity=0, bootstrap_seed=1
            )

        assert holds(f"{name} {point}", compare)


def check_ensemble(runs: Runs, name: str, other: tuple[int, int]) -> None:
    def compare(steps: int) -> Sequence[float]:
        points = (data_of(runs, name, (0, 0), steps), data_of(runs, name, other, steps))
        return pv.ensemble.check(*points, verbosity=0, bootstrap_seed=1)

    assert holds(f"{name} {other}", compare)


@pytest.mark.parametrize("name", [*THERMOSTATS, *BAROSTATS])
def test_two_temperatures(runs: Runs, name: str) -> None:
    check_ensemble(runs, name, (1, 0))


@pytest.mark.parametrize("name", BAROSTATS)
def test_two_pressures(runs: Runs, name: str) -> None:
    check_ensemble(runs, name, (0, 1))
