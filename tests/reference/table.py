"""Prints the accuracy table of README.md: largest errors over each model's structures.

In float32, ours and upstream's, displaced copies of the structures are looked at too.
"""

from __future__ import annotations

import accuracy
from libirrep import Model
from models import model_path

HEAD = "| model | structures | precision | energy (eV/atom) | forces (eV/A) | stress (eV/A^3) |"


def row(name: str, n: int, precision: str, values: dict[str, dict[str, float]]) -> str:
    worst = accuracy.largest(values)
    cells = " | ".join(f"{worst[p][0]:.1e}" for p in accuracy.PROPERTIES)
    return f"| {name} | {n} | {precision} | {cells} |"


def main() -> None:
    print(HEAD)
    print("|---|---|---|---|---|---|")
    for name in accuracy.MODELS:
        cases = accuracy.references(name)
        model = Model(model_path(name))
        results = accuracy.evaluate(model, cases, "float64")
        rows = {
            "float64": {k: accuracy.errors(results[k], c).absolute for k, c in cases.items()},
            "float32": {
                k: accuracy.float32_errors(model, c, accuracy.copies_of(name))
                for k, c in cases.items()
            },
            "float32 of upstream": {k: c.upstream_float32 for k, c in cases.items()},
        }
        for precision, values in rows.items():
            print(row(name, len(cases), precision, values), flush=True)


if __name__ == "__main__":
    main()
