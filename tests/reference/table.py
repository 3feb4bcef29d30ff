"""Prints the accuracy table of README.md: largest errors over each model's structures."""

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
        for precision in ("float64", "float32"):
            results = accuracy.evaluate(model, cases, precision)
            found = {k: accuracy.errors(results[k], case).absolute for k, case in cases.items()}
            print(row(name, len(cases), precision, found), flush=True)
        theirs = {key: case.upstream_float32 for key, case in cases.items()}
        print(row(name, len(cases), "float32 of upstream", theirs), flush=True)


if __name__ == "__main__":
    main()
