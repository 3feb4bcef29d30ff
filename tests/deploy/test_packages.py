"""The wheel and the Debian packages of `make wheel deb`, unpacked and used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from engine import Engine
from installed import BUILD, DIST, MODELS, ROOT, only, run

CHECKPOINT = "sevenn/pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth"
ENERGY = "-10.765818"  # eV, of the structure below by sevennet-0
PROGRAM = """
import sys
import irrepd
from irrepd.private import local_url

cell = [[0, 2.715, 2.715], [2.715, 0, 2.715], [2.715, 2.715, 0]]
silicon = irrepd.structure([14, 14], [[0, 0, 0], [1.4, 1.3, 1.3]], cell)
with irrepd.Client(local_url(sys.argv[1])) as client:
    print(client.predict("sevennet-0", [silicon], precision="float64")[0]["energy"])
"""


def clean_environment(**more: str) -> dict[str, str]:
    """Without what points to this tree."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("IRREPD_", "PYTHON"))}
    return {**kept, **more}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel") / "venv"
    run("python3", "-m", "venv", folder)
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(*pip, "install", only("irrepd-*.whl"), env=clean_environment())
    return folder


def test_the_wheel_runs_on_debian_12_and_older() -> None:
    tag = re.search(r"-py3-none-manylinux_2_(\d+)_x86_64\.whl$", only("irrepd-*.whl").name)
    assert tag is not None and int(tag[1]) <= 36


def test_the_wheel_carries_its_libraries(environment: Path) -> None:
    program = next(environment.glob("lib/python3*/site-packages/irrepd/bin/irrepd"))
    used = dict(re.findall(r"^\s*(\S+) => (/\S+)", run("ldd", program), flags=re.M))
    foreign = [name for name, path in used.items() if not path.startswith(str(environment))]
    # What the manylinux policy expects of every system.
    assert [name for name in foreign if not re.match(r"lib(c|m|stdc\+\+|gcc_s|z)\.so", name)] == []
    for library in ("libmicrohttpd", "libopenblas", "libsymspg", "libzstd"):
        assert any(name.startswith(library) for name in used)
    with zipfile.ZipFile(only("irrepd-*.whl")) as wheel:
        names = wheel.namelist()
    assert any(name.endswith(".dist-info/sboms/auditwheel.cdx.json") for name in names)
    version = run(environment / "bin" / "irrepd", "--version", env=clean_environment())
    assert version == run(BUILD / "irrepd", "--version")


def test_the_wheel_from_checkpoint_to_energy(environment: Path, tmp_path: Path) -> None:
    python, model = environment / "bin" / "python", tmp_path / "sevennet-0.safetensors"
    source = sorted((BUILD / "wheels").glob("sevenn-*.whl"))
    assert source, "make models fetches the wheel with the checkpoint"
    with zipfile.ZipFile(source[0]) as wheel:
        checkpoint = Path(wheel.extract(CHECKPOINT, tmp_path))
    private = clean_environment(XDG_RUNTIME_DIR=str(tmp_path), PATH="/usr/bin:/bin")
    tmp_path.chmod(0o700)
    run(python, "-m", "irrepd.convert", checkpoint, model, env=private, cwd=tmp_path)
    assert run(python, "-c", PROGRAM, model, env=private, cwd=tmp_path).startswith(ENERGY)
    assert "--output" in run(python, "-m", "irrepd", "--help", env=private, cwd=tmp_path)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trees of all packages on top of each other."""
    folder = tmp_path_factory.mktemp("deb")
    for name in ("irrepd", "python3-irrepd", "libirrep0", "libirrep-dev"):
        run("dpkg-deb", "--extract", only(f"{name}_*.deb"), folder)
    return folder


def test_the_debian_packages_fit_together(unpacked: Path, tmp_path: Path) -> None:
    environment = clean_environment(
        PATH=f"{unpacked}/usr/bin:/usr/bin:/bin",
        PYTHONPATH=os.pathsep.join([f"{unpacked}/usr/lib/python3/dist-packages", *sys.path]),
        XDG_RUNTIME_DIR=str(tmp_path),
    )
    tmp_path.chmod(0o700)
    model = MODELS / "sevennet-0.safetensors"
    energy = run(sys.executable, "-c", PROGRAM, model, env=environment, cwd=tmp_path)
    assert energy.startswith(ENERGY)
    library = next(unpacked.glob("usr/lib/*/libirrep.so"))
    version = (ROOT / "VERSION").read_text().strip()
    assert library.resolve().name == f"libirrep.so.{version}" and library.exists()
    assert (unpacked / "var" / "lib" / "irrepd" / "models").is_dir()
    assert (unpacked / "usr" / "share" / "man" / "man1" / "irrepd.1.gz").is_file()


def fields(package: str) -> dict[str, str]:
    text = run("dpkg-deb", "--field", only(f"{package}_*.deb"))
    return dict(re.findall(r"^([\w-]+): (.*)$", text, flags=re.M))


def test_the_debian_packages_name_what_they_need() -> None:
    version = run(BUILD / "irrepd", "--version").split()[1]
    assert {fields(name)["Version"] for name in ("irrepd", "python3-irrepd")} == {version}
    libraries = (
        "libc6 libmicrohttpd12 libuv1 libcjson1 libgnutls30 libsymspg1 zlib1g libzstd1 adduser"
    )
    for library in libraries.split():
        assert re.search(rf"\b{library}\b", fields("irrepd")["Depends"])
    assert re.search(r"\blibsymspg1\b", fields("libirrep0")["Depends"])
    openblas = "libopenblas0-serial | libopenblas0"
    assert all(openblas in fields(name)["Depends"].split(", ") for name in ("irrepd", "libirrep0"))
    needed = "libc6-dev, libopenblas-serial-dev | libopenblas-dev, libsymspg-dev"
    assert fields("libirrep-dev")["Depends"] == needed
    assert fields("libirrep-dev")["Recommends"] == f"libirrep0 (= {version})"
    control = run("dpkg-deb", "--info", only("irrepd_*.deb"), "conffiles")
    assert control == "/etc/default/irrepd\n"


def test_installed_in_a_new_debian(engine: Engine) -> None:
    image = engine.base()
    script = "tests/deploy/try_packages.sh build/dist build/models".split()
    volumes = [
        flag
        for path in ("build/dist", "build/models", "clients/c", "tests/deploy")
        for flag in ("--volume", f"{ROOT / path}:/project/{path}:ro")
    ]
    options = ["run", "--rm", "--pull=never", "--network=host", "--env", "DISPOSABLE=1", *volumes]
    said = engine.podman(*options, "--workdir", "/project", image, *script, timeout=600)
    assert said.splitlines()[-1] == "the Debian packages work" and "the wheel works" in said


@pytest.mark.skipif(shutil.which("lintian") is None, reason="needs lintian")
def test_lintian_finds_nothing() -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", *map(str, DIST.glob("*.deb"))], capture_output=True, text=True
    )
    # The maintainer is whoever builds it, by DEBEMAIL.
    assert [line for line in done.stdout.splitlines() if "bogus-mail-host" not in line] == []
