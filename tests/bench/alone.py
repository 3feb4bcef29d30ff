"""What is measured without peers."""

from __future__ import annotations

import statistics

from libirrep import Model
from sides import ROOT, Ours, processor
from systems import SYSTEMS

ROUNDS = 5


def quick() -> None:
    print(f"{processor()}\nSevenNet-0: energy, forces and stress with neighbour list, one thread\n")
    print("| system | atoms | precision | ms/atom min | median | max | CPU median |")
    print("|---" * 7 + "|")
    model = Model(ROOT / "build" / "models" / "sevennet-0.safetensors")
    for precision in ("float32", "float64"):
        for name, make in SYSTEMS.items():
            atoms = make()
            ours = Ours(model, atoms, precision)
            times = [ours.run() for _ in range(ROUNDS)]
            scale = 1e3 / len(atoms)
            wall = sorted(scale * t.seconds for t in times)
            cpu = scale * statistics.median(t.cpu for t in times)
            print(
                f"| {name} | {len(atoms)} | {precision} | {wall[0]:.4f} | "
                f"{statistics.median(wall):.4f} | {wall[-1]:.4f} | {cpu:.4f} |",
                flush=True,
            )
