"""Programs in C and C++ against the tree that `make install` lays out, by pkg-config and by CMake.

The programs are the examples of clients/c/. Their numbers are SchNetPack's for the models of
tests/reference/fixtures/, and those of build/libirrep.so for models/schnet-small.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from libirrep import Model  # noqa: E402
from md import Trajectory  # noqa: E402
from relax import Relax  # noqa: E402
from served import Served  # noqa: E402

EXAMPLES = ROOT / "clients" / "c"
FIXTURES = ROOT / "tests" / "reference" / "fixtures"
SMALL = ROOT / "models" / "schnet-small.safetensors"
PREFIX = "/usr/local"
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
LANGUAGES = {
    "c11": ("evaluate.c", ["gcc", "-std=c11"]),
    "c++17": ("evaluate.cc", ["g++", "-std=c++17"]),
}
MOLECULES = ("dimer-n2", "s22-water-dimer", "g2-ethanol")


def run(*command: object, environment: dict[str, str] | None = None) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def install(root: Path, libdir: str) -> SimpleNamespace:
    """An installed tree: the folder that stands for the root, and the library's folder in it."""
    run("tools/install.sh", "build", root, PREFIX, libdir)
    return SimpleNamespace(root=root, libraries=root / libdir.lstrip("/"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return install(tmp_path_factory.mktemp("installed"), f"{PREFIX}/lib")


def pkg_config(tree: SimpleNamespace, *flags: str) -> list[str]:
    environment = {
        "PKG_CONFIG_PATH": str(tree.libraries / "pkgconfig"),
        "PKG_CONFIG_SYSROOT_DIR": str(tree.root),
    }
    return run("pkg-config", *flags, "irrep", environment=environment).split()


def structures() -> dict[str, SimpleNamespace]:
    """The molecules of fixtures/structures.npz by name."""
    with np.load(FIXTURES / "structures.npz") as stored:
        ends = np.cumsum(stored["n_atoms"])
        return {
            str(name): SimpleNamespace(
                numbers=stored["numbers"][end - n : end],
                positions=stored["positions"][end - n : end],
            )
            for name, n, end in zip(stored["names"], stored["n_atoms"], ends)
        }


def reference(model: str, molecule: str) -> tuple[float, np.ndarray]:
    """Energy and forces of SchNetPack in float64."""
    sizes = {name: len(s.numbers) for name, s in structures().items()}
    with np.load(FIXTURES / "schnet" / f"{model}.npz") as stored:
        names = [str(name) for name in stored["names"]]
        begin = sum(sizes[name] for name in names[: names.index(molecule)])
        atoms = slice(begin, begin + sizes[molecule])
        return stored["energies"][atoms].sum(), stored["forces"][atoms]


def evaluate(program: Path, tree: SimpleNamespace, *arguments: object) -> tuple[float, np.ndarray]:
    """What an example prints."""
    environment = {"LD_LIBRARY_PATH": str(tree.libraries)}
    lines = run(program, *arguments, environment=environment).splitlines()
    version = (ROOT / "VERSION").read_text().strip()
    assert lines[0] == f"irrep {version}, a model of schnet, r_max 5 Angstrom"
    energy = float(lines[1].removeprefix("energy ").removesuffix(" eV"))
    forces = [line.removeprefix("force ").removesuffix(" eV/Angstrom") for line in lines[2:]]
    return energy, np.array([[float(x) for x in line.split()] for line in forces])


def assert_right(program: Path, tree: SimpleNamespace, tmp_path: Path) -> None:
    """Its numbers are those of the references, and it is a program of the library that is meant."""
    atoms = tmp_path / "atoms.txt"
    for molecule in MOLECULES:
        structure = structures()[molecule]
        rows = zip(structure.numbers.tolist(), structure.positions.tolist())
        atoms.write_text("".join(f"{z} {p[0]!r} {p[1]!r} {p[2]!r}\n" for z, p in rows))
        energy, forces = evaluate(program, tree, FIXTURES / "schnet/gaussian.safetensors", atoms)
        wanted, wanted_forces = reference("gaussian", molecule)
        assert energy == pytest.approx(wanted, abs=1e-8 * (1 + abs(wanted)))
        bound = 1e-8 * (1 + abs(wanted_forces).max())
        assert np.allclose(forces, wanted_forces, rtol=0, atol=bound)
    water = SimpleNamespace(
        numbers=[8, 1, 1],
        positions=[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]],
        cell=None,
        pbc=[False] * 3,
    )
    energy, forces = evaluate(program, tree, SMALL)
    result = Model(SMALL).evaluate_one(water, "float64")
    assert energy == pytest.approx(result.energy, abs=1e-9)
    assert np.allclose(forces, result.forces, rtol=0, atol=1e-9)


@pytest.mark.parametrize("linking", ["shared", "static"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_by_pkg_config(tree, tmp_path: Path, language: str, linking: str) -> None:
    name, compiler = LANGUAGES[language]
    flags = pkg_config(tree, "--cflags", "--libs", *(["--static"] if linking == "static" else []))
    if linking == "static":
        flags = ["-l:libirrep.a" if flag == "-lirrep" else flag for flag in flags]
    program = tmp_path / "evaluate"
    run(*compiler, *STRICT, "-o", program, EXAMPLES / name, *flags)
    assert ("libirrep.so.0" in run("readelf", "-d", program)) == (linking == "shared")
    assert_right(program, tree, tmp_path)


def test_molecular_dynamics(tree, tmp_path: Path) -> None:
    """The example's trajectory is that of the same water by way of Python."""
    program = tmp_path / "md"
    flags = pkg_config(tree, "--cflags", "--libs")
    run("gcc", "-std=c11", *STRICT, "-o", program, EXAMPLES / "md.c", *flags)
    printed = run(program, SMALL, 40, environment={"LD_LIBRARY_PATH": str(tree.libraries)})
    model = Model(SMALL)
    positions = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    md = Trajectory(
        [8, 1, 1], positions, np.zeros((3, 3)), [False] * 3,
        timestep=0.5, n_steps=40, temperature=300, seed=1,
    )  # fmt: skip

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> tuple:
        water = SimpleNamespace(numbers=[8, 1, 1], positions=positions, cell=None, pbc=[False] * 3)
        result = model.evaluate_one(water, "float64")
        return float(result.energy), result.forces, None

    lines = [
        f"step {f.step} time {f.time:g} fs energy {f.potential:.9f} eV "
        f"conserved {f.conserved:.9f} eV temperature {f.temperature:.3f} K"
        for f in md.frames(evaluate)
        if f.step % 10 == 0
    ]
    assert printed.splitlines() == lines and len(lines) == 5


def test_relaxation(tree, tmp_path: Path) -> None:
    """The example's relaxation is that of the same water by way of Python."""
    program = tmp_path / "relax"
    flags = pkg_config(tree, "--cflags", "--libs")
    run("gcc", "-std=c11", *STRICT, "-o", program, EXAMPLES / "relax.c", *flags)
    printed = run(program, SMALL, 0.001, environment={"LD_LIBRARY_PATH": str(tree.libraries)})
    water = Atoms("OHH", positions=[[0, 0, 0], [1.1, 0, 0], [-0.3, 1.0, 0]])
    water.calc = Served(Model(SMALL))
    relax = Relax(water, optimizer="lbfgs", fmax=0.001, max_steps=500)
    lines, state = [], "running"
    while state == "running":
        state = relax.tell()
        p = relax.progress
        lines.append(
            f"evaluation {p.n_evaluations} energy {p.energy:.9f} eV fmax {p.fmax:.6f} eV/Angstrom"
        )
    assert state == "converged" and len(lines) > 3
    end = relax.ask()
    rows = zip(end.numbers.tolist(), end.positions.tolist())
    lines += ["converged", *(f"{z} {p[0]:.9f} {p[1]:.9f} {p[2]:.9f}" for z, p in rows)]
    assert printed.splitlines() == lines


def cmake(tree: SimpleNamespace, source: Path, build: Path, *options: str) -> str:
    """What CMake says: that of Debian, not one that somebody has in his PATH."""
    options = (f"-DCMAKE_PREFIX_PATH={tree.root}{PREFIX}", *options)
    return run("/usr/bin/cmake", "-S", source, "-B", build, *options)


@pytest.mark.parametrize("linking", ["shared", "static"])
def test_by_cmake(tree, tmp_path: Path, linking: str) -> None:
    static = f"-DIRREP_STATIC={'ON' if linking == 'static' else 'OFF'}"
    cmake(tree, EXAMPLES, tmp_path / "build", static)
    run("/usr/bin/cmake", "--build", tmp_path / "build")
    assert (tmp_path / "build" / "md").exists() and (tmp_path / "build" / "relax").exists()
    for name in ("evaluate_c", "evaluate_cxx"):
        program = tmp_path / "build" / name
        assert ("libirrep.so.0" in run("readelf", "-d", program)) == (linking == "shared")
        assert_right(program, tree, tmp_path)


@pytest.mark.parametrize("way", ["pkg-config", "cmake"])
def test_the_static_library_suffices(tmp_path: Path, way: str) -> None:
    """As the Debian package libirrep-dev has it, alone: links to a library that is not there."""
    tree = install(tmp_path / "root", f"{PREFIX}/lib")
    for path in tree.libraries.glob("libirrep.so.*"):
        path.unlink()
    if way == "cmake":
        cmake(tree, EXAMPLES, tmp_path / "build")
        run("/usr/bin/cmake", "--build", tmp_path / "build", "--target", "evaluate_c")
        program = tmp_path / "build" / "evaluate_c"
    else:
        program = tmp_path / "evaluate"
        flags = pkg_config(tree, "--cflags", "--libs", "--static")
        run("gcc", "-std=c11", "-o", program, EXAMPLES / "evaluate.c", *flags)
    assert "libirrep" not in run("readelf", "-d", program)
    assert_right(program, tree, tmp_path)


def find_package(tree: SimpleNamespace, folder: Path, version: str, *options: str) -> str:
    """Where CMake finds the library of a version; "" where it finds none that suits."""
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(finding NONE)\n"
        f"find_package(irrep {version} QUIET)\nif(irrep_FOUND)\n"
        "get_target_property(where irrep::irrep IMPORTED_LOCATION)\n"
        'endif()\nmessage(STATUS "where: ${where}")\n'
    )
    said = cmake(tree, folder, folder / "build", *options)
    return re.findall(r"^-- where: (.*)$", said, flags=re.M)[0]


def test_cmake_knows_versions(tree, tmp_path: Path) -> None:
    """One can ask for this version and older ones of the same major version."""
    major, minor, patch = (int(x) for x in (ROOT / "VERSION").read_text().split("."))
    library = str(tree.libraries / "libirrep.so.0")
    wanted = {
        "": library,
        f"{major}.0": library,
        f"{major}.{minor}": library,
        f"{major}.{minor}.{patch} EXACT": library,
        f"{major}.{minor}.{patch + 1}": "",
        f"{major}.{minor + 1}": "",
        f"{major + 1}.0": "",
    }
    found = {
        version: find_package(tree, tmp_path / str(i), version) for i, version in enumerate(wanted)
    }
    assert found == wanted


def test_another_folder_for_libraries(tmp_path: Path) -> None:
    """As on Debian: what the files say is right wherever they lie."""
    libdir = f"{PREFIX}/lib/x86_64-linux-gnu"
    tree = install(tmp_path / "root", libdir)
    architecture = "-DCMAKE_LIBRARY_ARCHITECTURE=x86_64-linux-gnu"
    found = find_package(tree, tmp_path / "finding", "", architecture)
    assert found == str(tree.libraries / "libirrep.so.0")
    assert pkg_config(tree, "--cflags", "--libs") == [
        f"-I{tree.root}{PREFIX}/include",
        f"-L{tree.root}{libdir}",
        "-lirrep",
    ]
    described = (tree.libraries / "cmake/irrep/irrepConfig.cmake").read_text()
    assert "/../../../../include" in described and "@" not in described


def test_links_and_version(tree) -> None:
    version = (ROOT / "VERSION").read_text().strip()
    assert (tree.libraries / "libirrep.so").readlink() == Path("libirrep.so.0")
    assert (tree.libraries / "libirrep.so.0").readlink() == Path(f"libirrep.so.{version}")
    assert pkg_config(tree, "--modversion") == [version]
    headers = {path.name for path in (tree.root / PREFIX.lstrip("/") / "include/irrep").iterdir()}
    assert headers == {path.name for path in (ROOT / "include" / "irrep").glob("*.h")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_wrong_is_said(tmp_path: Path, language: str) -> None:
    name, compiler = LANGUAGES[language]
    program, atoms = tmp_path / "evaluate", tmp_path / "atoms.txt"
    libraries = (ROOT / "build" / "libirrep.libs").read_text().split()
    run(*compiler, "-Iinclude", "-o", program, EXAMPLES / name, "build/libirrep.a", *libraries)
    cases = {
        "79 0 0 0\n": "numbers/0",
        "8 0 0 0\n8 0 0 0.01\n": "atoms on top of each other",
        "8 0 0 1e7\n": "not finite or too large",
        "8 0 0\n": "Z x y z",
        "": "structure without atoms",
    }
    for text, words in cases.items():
        atoms.write_text(text)
        done = subprocess.run([program, SMALL, atoms], capture_output=True, text=True)
        assert done.returncode == 1 and words in done.stderr, (text, done.stderr)
    for arguments in ([tmp_path / "none"], [ROOT / "LICENSE"]):
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr
    assert subprocess.run([program], capture_output=True).returncode == 2
