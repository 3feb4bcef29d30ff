#!/usr/bin/env python3
"""Writes seeds for fuzz_model: tiny valid model files of include/irrep/model_format.h, and stumps.

    tests/fuzz/make_model_corpus.py FOLDER

Deterministic, standard library only. The valid ones differ in every choice that the format offers
to nequip; of the other architectures there are the small models of tests/reference/fixtures/.
"""

from __future__ import annotations

import json
import math
import random
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "reference" / "fixtures"
FIXTURE_MAX = 30_000  # bytes

Irreps = dict[tuple[int, int], int]  # (l, parity) -> multiplicity, in the order of the file

SILU = {"activation": "silu", "scale": 1.6}
TANH = {"activation": "tanh", "scale": 1.5}


def text_of(irreps: Irreps) -> str:
    return "+".join(f"{mul}x{name_of(ir)}" for ir, mul in irreps.items())


def name_of(ir: tuple[int, int]) -> str:
    return f"{ir[0]}{'e' if ir[1] > 0 else 'o'}"


@dataclass
class Seed:
    """The choices of one model file."""

    l_max: int = 1
    edge_parity: str = "even"
    channels: int = 3
    out: list[Irreps] = field(default_factory=lambda: [{(0, 1): 3, (1, 1): 2}, {(0, 1): 3}])
    self_connection: str = "linear"
    cutoff: dict = field(default_factory=lambda: {"name": "polynomial", "p": 6.0})
    filter_hidden: list[int] = field(default_factory=lambda: [4])
    readout: dict = field(default_factory=lambda: {"hidden": [], "activation": "silu"})
    numbers: list[int] = field(default_factory=lambda: [8, 1])
    dtype: str = "F64"
    n_basis: int = 3
    biases: bool = False


class Writer:
    """Collects tensors with small random values."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.random = random.Random(20240711)
        self.tensors: dict[str, tuple[list[int], list[float]]] = {}

    def add(self, name: str, *shape: int, low: float = -0.5, high: float = 0.5) -> None:
        values = [self.random.uniform(low, high) for _ in range(math.prod(shape))]
        self.tensors[name] = (list(shape), values)

    def linear(self, name: str, a: Irreps, b: Irreps, species: int = 0, bias: bool = False) -> None:
        for ir, mul in a.items():
            if ir in b:
                leading = [species] if species else []
                self.add(f"{name}.{name_of(ir)}.weight", *leading, mul, b[ir])
        if bias and (0, 1) in b:
            self.add(f"{name}.bias", b[0, 1])

    def mlp(self, name: str, sizes: list[int], bias: bool = False) -> None:
        for i, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
            self.add(f"{name}.{i}.weight", rows, columns)
            if bias:
                self.add(f"{name}.{i}.bias", columns)

    def file(self, card: dict) -> bytes:
        header: dict = {"__metadata__": {"irrepd": json.dumps(card)}}
        data = b""
        code = {"F32": "f", "F64": "d"}[self.dtype]
        for name, (shape, values) in self.tensors.items():
            packed = struct.pack(f"<{len(values)}{code}", *values)
            header[name] = {
                "dtype": self.dtype,
                "shape": shape,
                "data_offsets": [len(data), len(data) + len(packed)],
            }
            data += packed
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + data


def convolved(x: Irreps, wanted: Irreps, seed: Seed) -> tuple[Irreps, int]:
    """The convolution's output irreps, of those that the layer can use, and its filter columns."""
    mid: Irreps = {}
    columns = 0
    for (l1, p1), mul in x.items():
        for l2 in range(seed.l_max + 1):
            p2 = 1 if seed.edge_parity == "even" else (-1) ** l2
            for l3 in range(abs(l1 - l2), l1 + l2 + 1):
                ir = (l3, p1 * p2)
                if ir in wanted:
                    mid[ir] = mid.get(ir, 0) + mul
                    columns += mul
    return dict(sorted(mid.items())), columns


def gate_input(out: Irreps) -> Irreps:
    gates = sum(mul for (degree, _), mul in out.items() if degree > 0)
    carrier = (0, 1) if (0, 1) in out else (0, -1)
    return {ir: mul + (gates if ir == carrier else 0) for ir, mul in out.items()}


def model_file(seed: Seed) -> bytes:
    writer = Writer(seed.dtype)
    n_species = len(seed.numbers)
    writer.add("radial.frequencies", seed.n_basis, low=0.6, high=3.0)
    writer.add("embedding.weight", n_species, seed.channels)
    x: Irreps = {(0, 1): seed.channels}
    layers = []
    for t, out in enumerate(seed.out):
        wide = gate_input(out)
        mid, columns = convolved(x, wide, seed)
        writer.linear(f"layers.{t}.linear_up", x, x)
        sizes = [seed.n_basis, *seed.filter_hidden, columns]
        writer.mlp(f"layers.{t}.filter", sizes, seed.biases)
        writer.linear(f"layers.{t}.linear_down", mid, wide, bias=seed.biases)
        if seed.self_connection != "none":
            species = n_species if seed.self_connection == "species" else 0
            writer.linear(f"layers.{t}.self_connection", x, wide, species)
        layers.append(
            {
                "irreps_out": text_of(out),
                "irreps_mid": text_of(mid),
                "self_connection": seed.self_connection,
                "filter": {"hidden": seed.filter_hidden, "activation": "silu"},
                "gate": {
                    "scalars": {"0e": SILU, "0o": TANH},
                    "gates": {"0e": SILU, "0o": TANH},
                },
            }
        )
        x = out
    writer.mlp("readout", [x[0, 1], *seed.readout["hidden"], 1], seed.biases)
    writer.add("scale", n_species)
    writer.add("shift", n_species)
    card = {
        "format": 1,
        "architecture": "nequip",
        "variant": "sevennet",
        "atomic_numbers": seed.numbers,
        "r_max": 4.0,
        "precision": "float32",
        "units": {"length": "Angstrom", "energy": "eV"},
        "radial": {
            "basis": {"name": "bessel", "num_basis": seed.n_basis, "prefactor": 0.5},
            "cutoff": seed.cutoff,
        },
        "model": {
            "l_max": seed.l_max,
            "edge_parity": seed.edge_parity,
            "irreps_embedding": f"{seed.channels}x0e",
            "layers": layers,
            "readout": seed.readout,
        },
    }
    return writer.file(card)


def seeds() -> dict[str, bytes]:
    plain = model_file(Seed())
    return {
        "plain": plain,
        "float32": model_file(Seed(dtype="F32", cutoff={"name": "cosine"})),
        "one-layer": model_file(Seed(l_max=0, out=[{(0, 1): 2}], filter_hidden=[], numbers=[1])),
        "species": model_file(
            Seed(
                l_max=2,
                out=[{(0, 1): 4, (1, 1): 2, (2, 1): 1}, {(0, 1): 2}],
                self_connection="species",
                cutoff={"name": "xplor", "r_on": 3.5},
                numbers=[14, 8, 1],
            )
        ),
        "parity": model_file(
            Seed(
                l_max=2,
                edge_parity="natural",
                out=[
                    {(0, 1): 2, (1, -1): 2, (2, 1): 1},
                    {(0, -1): 2, (0, 1): 2, (1, 1): 1},
                    {(0, 1): 2},
                ],
                self_connection="none",
                readout={"hidden": [3], "activation": "ssp"},
            )
        ),
        "biases": model_file(
            Seed(
                biases=True, readout={"hidden": [3, 2], "activation": "silu"}, filter_hidden=[3, 2]
            )
        ),
        "cut-data": plain[:-9],
        "cut-header": plain[:40],
        "no-header": plain[:8],
        "huge-header": struct.pack("<Q", 2**63) + plain[8:64],
        "no-card": struct.pack("<Q", 8) + b"{}      ",
    }


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: make_model_corpus.py FOLDER", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds().items():
        (folder / name).write_bytes(content)
    for path in FIXTURES.glob("*/*.safetensors"):
        if path.stat().st_size <= FIXTURE_MAX:
            (folder / f"{path.parent.name}-{path.stem}").write_bytes(path.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
