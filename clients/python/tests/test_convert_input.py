"""What irrepd.convert says of files that it cannot convert, and what it leaves behind."""

from __future__ import annotations

import io
import os
import pickle
import random
import subprocess
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from irrepd import safetensors
from irrepd.convert import convert
from irrepd.convert.__main__ import main
from irrepd.convert.releases import ReleaseWarning
from irrepd.errors import FormatError
from irrepd.file_kinds import kind_of_file

RELEASES = Path(__file__).resolve().parents[3] / "tests" / "reference" / "fixtures" / "releases"
TAR = b"archive/data.pkl".ljust(257, b"\0") + b"ustar\0" + bytes(249)


def zipped(**entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "/"), data)
    return file.getvalue()


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    return file.getvalue()


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "but an empty file"),
    "zeros": (bytes(4096), "but a file of zeros"),
    "torch.save before 1.6": (
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "before torch 1.6",
    ),
    "tar": (TAR, "but a tar archive"),
    "pickle": (pickle.dumps({"a": 1}), "but a pickle without an archive around it"),
    "text": (b"cutoff: 5.0\n", "but a text file"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "pointer of Git LFS"),
    "page": (b"\n<!DOCTYPE html><html>not found</html>", "but a web page"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "gunzip it first"),
    "model file": (safetensors.dumps({"a": np.zeros(3)}, {"irrepd": "{}"}), "a safetensors file"),
    "MACE v1": (safetensors.dumps({"a": np.zeros(3)}, {"format": "pt"}), "MACE v1"),
    "shared library": (b"\x7fELF" + bytes(60), "a compiled model has no layers"),
    "torchscript": (
        zipped(m__data__pkl=b"", **{"m/constants.pkl": b"", "m/code/__torch__.py": b"x"}),
        "a TorchScript archive",
    ),
    "aot inductor": (zipped(**{"m/archive_format": b"pt2", "m/data/x": b""}), "AOTInductor"),
    "numpy": (npz(), "an archive of numpy arrays"),
    "another zip": (zipped(**{"word/document.xml": b"<a/>"}), "is compressed|no single data.pkl"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_kinds(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, message = FILES[name]
    source = tmp_path / "in.pth"
    source.write_bytes(data)
    assert main([str(source), str(tmp_path / "out.safetensors")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"irrepd.convert: {source}: ") and error.count("\n") == 1
    assert any(part in error for part in message.split("|"))
    assert os.listdir(tmp_path) == ["in.pth"]


def test_every_beginning_of_a_checkpoint_is_no_checkpoint(fixtures: Path, tmp_path: Path) -> None:
    whole = (fixtures / "parity.pth").read_bytes()
    source, target = tmp_path / "in.pth", tmp_path / "out.safetensors"
    for size in (1, 4, 30, 1000, len(whole) // 2, len(whole) - 1):
        source.write_bytes(whole[:size])
        with pytest.raises(FormatError, match="not a PyTorch zip checkpoint"):
            convert(source, target)
    assert "ends too early" in kind_of_file(source)
    assert os.listdir(tmp_path) == ["in.pth"]


DICTIONARIES = {
    "a state dict": (OrderedDict(), "unknown kind"),
    "mace": ({"model": {}, "optimizer": {}, "lr_scheduler": {}}, "checkpoint of mace's training"),
    "lightning": ({"pytorch-lightning_version": "2", "state_dict": {}}, "not of nequip-train"),
    "old sevenn": (
        {"model_state_dict": {}, "config": {"type_map": {}, "cutoff": 5.0}}, "sevenn before 0.9",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DICTIONARIES)
def test_checkpoints_of_other_kinds(name: str, tmp_path: Path) -> None:
    checkpoint, message = DICTIONARIES[name]
    source = tmp_path / "in.pth"
    with zipfile.ZipFile(source, "w") as file:
        file.writestr("a/data.pkl", pickle.dumps(checkpoint, protocol=2))
    with pytest.raises(FormatError, match=message):
        convert(source, tmp_path / "out")


def test_weights_alone(fixtures: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.pth"
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
    rebuild += b"X\x01\0\0\x000X\x03\0\0\0cpuK\x0ctQK\0K\x03\x85K\x01\x85\x89NtR"
    with zipfile.ZipFile(source, "w") as file:
        file.writestr("a/data.pkl", b"\x80\x02}X\x01\0\0\0w" + rebuild + b"s.")
        file.writestr("a/data/0", bytes(48))
    with pytest.raises(FormatError, match="weights alone, without the options"):
        convert(source, tmp_path / "out")


def test_potentials_of_old_schnetpack(tmp_path: Path) -> None:
    source = tmp_path / "in.pt"
    with zipfile.ZipFile(source, "w") as file:
        program = b"\x80\x02cschnetpack.atomistic.model\nAtomisticModel\n)\x81}b."
        file.writestr("a/data.pkl", program)
    with pytest.raises(FormatError, match=r"SchNetPack before 2\.0.* train the potential anew"):
        convert(source, tmp_path / "out")


def test_what_cannot_be_read_or_written(
    fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, missing = fixtures / "parity.pth", tmp_path / "none" / "file"
    for source, target, blamed in (
        (missing, tmp_path / "out", missing),
        (tmp_path, tmp_path / "out", tmp_path),
        (good, missing, missing),
        (good, tmp_path, tmp_path),
    ):
        assert main([str(source), str(target)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"irrepd.convert: {blamed}: ") and error.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_the_checkpoint_is_not_overwritten(
    fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.pth"
    source.write_bytes((fixtures / "parity.pth").read_bytes())
    (tmp_path / "link").symlink_to(source)
    for target in (source, tmp_path / "link"):
        assert main([str(source), str(target)]) == 2
        assert "take the place of the checkpoint" in capsys.readouterr().err
    assert source.read_bytes() == (fixtures / "parity.pth").read_bytes()


def test_a_full_disk_leaves_nothing(fixtures: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk."""
    code = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
    code += "from irrepd.convert.__main__ import main; sys.exit(main())"
    target = tmp_path / "out.safetensors"
    command = [sys.executable, "-c", code, str(fixtures / "parity.pth"), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr == f"irrepd.convert: {target}: File too large\n"
    assert os.listdir(tmp_path) == []


def test_warnings_are_one_line(
    fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(convert.__globals__, "_sha256", _warn)
    assert main([str(fixtures / "parity.pth"), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err == "irrepd.convert: warning: a newer release\n"


def _warn(_: object) -> str:
    warnings.warn("a newer release", ReleaseWarning, stacklevel=2)
    return "0" * 64


def mutated(entries: dict[str, bytes], draw: random.Random) -> dict[str, bytes]:
    """With a few bytes of the program, or of a tensor, changed, moved, left out or put in."""
    result = dict(entries)
    program = next(n for n in entries if n.endswith(("data.pkl", "eager_model.pkl")))
    for _ in range(draw.choice([1, 1, 2, 5])):
        name = program if draw.random() < 0.7 else draw.choice(sorted(entries))
        data = bytearray(result[name])
        if data:
            at, other, count = (
                draw.randrange(len(data)),
                draw.randrange(len(data)),
                draw.randrange(30),
            )
            kind = draw.randrange(4)
            if kind == 0:
                data[at] ^= 1 << draw.randrange(8)
            elif kind == 1:
                del data[at : at + count]
            elif kind == 2:
                data[at:at] = data[other : other + count]
            else:
                data[at : at + count] = data[other : other + count]
        result[name] = bytes(data)
    return result


@pytest.mark.parametrize("seed", range(4))
def test_damaged_checkpoints_are_refused_or_read(seed: int, tmp_path: Path) -> None:
    """Of every code and release: nothing but FormatError, and no half a file."""
    draw, refused = random.Random(seed), 0
    files = sorted(path for path in RELEASES.iterdir() if path.suffix != ".json")
    source, target = tmp_path / "in.zip", tmp_path / "out.safetensors"
    for _ in range(60):
        with zipfile.ZipFile(draw.choice(files)) as file:
            entries = {name: file.read(name) for name in file.namelist()}
        with zipfile.ZipFile(source, "w") as file:
            for name, data in mutated(entries, draw).items():
                file.writestr(name, data)
        try:
            convert(source, target)
            target.unlink()
        except FormatError:
            refused += 1
        assert os.listdir(tmp_path) == ["in.zip"]
    assert 10 < refused < 60
