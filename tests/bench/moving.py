"""Relaxation and dynamics in the daemon: what a step takes beyond its evaluation, the first frame,
and many relaxations beside ASE with sevenn's calculator and torch-sim."""

from __future__ import annotations

import json
import os
import statistics
import time
import urllib.request
from typing import Any

import drivers
import numpy as np
import serving
from ase import Atoms
from ase.build import bulk, molecule
from sides import ROOT, NotAvailable, PeerProcess
from systems import copper, rattled

MODEL = "sevennet-0"
JSON = {"Content-Type": "application/json"}
STEPS_GOAL = {32: "3 %", 3: "30 us"}
BLOCKS, BLOCK_SECONDS = 20, 0.4
FIRST_FRAMES = 15
FMAX, MAX_STEPS = 0.05, 300
# All are relaxed by the daemon, of which every so many by the peers too, which take their time.
N_STRUCTURES = int(os.environ.get("BENCH_RELAXATIONS", "1000"))
N_PEER = int(os.environ.get("BENCH_PEER_RELAXATIONS", "24"))
PEERS = (("ase", "ASE with sevenn", "lbfgs", 25), ("torch-sim", "torch-sim", "fire", 20))


def water() -> Atoms:
    return rattled(molecule("H2O"), 5)


def crystals(n: int) -> list[Atoms]:
    """Rattled crystals of 10 to 40 atoms, of eight substances."""
    rng = np.random.default_rng(7)
    made: list[Atoms] = []
    bases = [
        bulk("Si", cubic=True) * (2, 1, 1),
        bulk("Cu", cubic=True) * (2, 2, 1),
        bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (2, 1, 1),
        bulk("MgO", "rocksalt", a=4.21, cubic=True) * (2, 2, 1),
        bulk("Fe", cubic=True) * (3, 2, 2),
        bulk("GaAs", "zincblende", a=5.65, cubic=True) * (2, 2, 1),
        bulk("CsCl", "cesiumchloride", a=4.12) * (3, 2, 2),
        bulk("Ti") * (3, 3, 2),
    ]
    while len(made) < n:
        atoms = bases[len(made) % len(bases)].copy()
        # Vacancies spread the sizes.
        keep = rng.permutation(len(atoms))[: max(10, len(atoms) - int(rng.integers(0, 5)))]
        atoms = atoms[np.sort(keep)]
        atoms.positions += rng.normal(0, 0.08, atoms.positions.shape)
        made.append(atoms)
    return made


def structure_of(atoms: Atoms) -> dict[str, Any]:
    found = {"numbers": atoms.numbers.tolist(), "positions": atoms.positions.tolist()}
    if atoms.pbc.any():
        found |= {"cell": atoms.cell.array.tolist(), "pbc": atoms.pbc.tolist()}
    return found


def post(url: str, path: str, body: dict[str, Any], **headers: str) -> Any:
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data, {**JSON, **headers})
    return urllib.request.urlopen(request, timeout=3600)


def metric(url: str, name: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.split("{")[0].split()[0] == name)


def steps_of(url: str, pid: int, atoms: Atoms) -> dict[str, Any]:
    """Seconds of a step of dynamics, and of what of it is spent outside the core, as the daemon's
    own times tell it, in blocks; and the processor's time of all threads."""
    md = {"ensemble": "nve", "temperature": 300, "timestep": 0.5, "steps": 10_000_000, "seed": 1}
    body = {"structures": [structure_of(atoms)], "md": md, "precision": "float32"}
    with post(url, f"/v1/models/{MODEL}/md", body, Prefer="respond-async") as answer:
        job = json.loads(answer.read())["id"]
    whole, rest, cpu = [], [], []

    def look() -> tuple[float, float, float, float]:
        steps = metric(url, "irrepd_trajectory_steps_total")
        return steps, drivers.core_seconds(url), time.perf_counter(), serving.cpu_seconds(pid)

    time.sleep(BLOCK_SECONDS)
    for _ in range(BLOCKS):
        before = look()
        time.sleep(BLOCK_SECONDS)
        after = look()
        steps, core, seconds, used = (b - a for a, b in zip(before, after))
        whole.append(seconds / steps)
        rest.append((seconds - core) / steps)
        cpu.append(used / steps)
    urllib.request.urlopen(urllib.request.Request(f"{url}/v1/jobs/{job}", method="DELETE")).close()
    return {"n_atoms": len(atoms), "whole": whole, "rest": rest, "cpu": cpu}


def first_frames(url: str) -> list[float]:
    """Seconds from the request to the first frame of a stream, of 32 atoms."""
    md = {"ensemble": "nvt", "temperature": 300, "timestep": 1.0, "steps": 1000, "every": 1}
    body = {"structures": [structure_of(copper())], "md": md}
    found = []
    for _ in range(FIRST_FRAMES):
        start = time.perf_counter()
        with post(url, f"/v1/models/{MODEL}/md", body, Accept="application/x-ndjson") as answer:
            line = json.loads(answer.readline())
            found.append(time.perf_counter() - start)
        assert line["event"] == "frame", line
    return found


def relax(url: str, pid: int, systems: list[Atoms], optimizer: str) -> dict[str, Any]:
    """Positions are relaxed in one call; gives what the peers give."""
    options = {"optimizer": optimizer, "fmax": FMAX, "max_steps": MAX_STEPS}
    structures = [structure_of(atoms) for atoms in systems]
    body = {"structures": structures, "relax": options, "precision": "float32"}
    cpu, start = serving.cpu_seconds(pid), time.perf_counter()
    with post(url, f"/v1/models/{MODEL}/relax", body) as answer:
        results = json.loads(answer.read())["results"]
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "cpu": serving.cpu_seconds(pid) - cpu,
        "energies": [one["energy"] for one in results],
        "n_steps": [one["n_steps"] for one in results],
        "converged": sum(one["converged"] for one in results),
    }


def relaxations(url: str, pid: int) -> dict[str, Any]:
    """Of all structures by the daemon, and of some by everybody, in turns."""
    systems = crystals(N_STRUCTURES)
    some = systems[:: max(1, N_STRUCTURES // N_PEER)][:N_PEER]
    sizes = [len(atoms) for atoms in systems]
    found: dict[str, Any] = {
        "n": len(systems),
        "n_peer": len(some),
        "sizes": [min(sizes), max(sizes)],
    }
    relax(url, pid, some, "lbfgs")  # the first evaluations make tables
    found["all"] = relax(url, pid, systems, "lbfgs")
    found["rows"] = []
    try:
        peer = PeerProcess("trajectories")
    except NotAvailable as error:
        found["not_available"] = str(error)
        return found
    found["versions"] = peer.versions
    peer.call("load", model=MODEL, path="", precision="float32", threads=serving.THREADS)
    structures = [{**structure_of(a), "pbc": a.pbc.tolist()} for a in some]
    for how, title, optimizer, target in PEERS:
        row: dict[str, Any] = {"title": title, "optimizer": optimizer, "target": target}
        asked = {"how": how, "optimizer": optimizer, "fmax": FMAX, "max_steps": MAX_STEPS}
        try:
            peer.call("relax", structures=structures[:2], **{**asked, "max_steps": 5})  # warm
            row["ours"] = relax(url, pid, some, optimizer)
            row["peer"] = peer.call("relax", structures=structures, **asked)
            row["again"] = relax(url, pid, some, optimizer)
        except NotAvailable as error:
            row["not_available"] = str(error)
        found["rows"].append(row)
    peer.close()
    return found


def measure(with_peers: bool = True) -> dict[str, Any]:
    model = ROOT / "build" / "models" / f"{MODEL}.safetensors"
    with serving.daemon(model) as (process, port, path):
        url = f"http://127.0.0.1:{port}"
        serving.first_answer(port, path)
        found = {
            "steps": [steps_of(url, process.pid, atoms) for atoms in (copper(), water())],
            "first": first_frames(url),
        }
        if with_peers:
            found["relaxations"] = relaxations(url, process.pid)
    return {**found, "load_1min": os.getloadavg()[0]}


def steps_table(found: dict[str, Any]) -> list[str]:
    lines = [
        "A step of dynamics of one structure, SevenNet-0, float32: all of it, and the rest that is "
        f"spent outside the core (load {found['load_1min']:.1f})\n",
        "| atoms | step us min | median | rest us min | median | max | part min | median | goal |",
        "|---" * 9 + "|",
    ]
    for row in found["steps"]:
        whole, rest = row["whole"], row["rest"]
        parts = [r / (w - r) for w, r in zip(whole, rest)]
        cells = [f"{1e6 * x:.0f}" for x in (min(whole), statistics.median(whole))]
        cells += [f"{1e6 * x:.1f}" for x in (min(rest), statistics.median(rest), max(rest))]
        cells += [f"{100 * x:.1f} %" for x in (min(parts), statistics.median(parts))]
        goal = STEPS_GOAL[row["n_atoms"]]
        lines.append(f"| {row['n_atoms']} | " + " | ".join(cells) + f" | below {goal} |")
    first = found["first"]
    lines.append(
        f"\nThe first frame of 32 atoms: {1e3 * statistics.median(first):.1f} ms after the request "
        f"(median of {len(first)}; at most {1e3 * max(first):.1f}; goal 100)"
    )
    return lines


def relaxations_table(found: dict[str, Any]) -> list[str]:
    every = found["all"]
    lines = [
        f"\n{found['n']} relaxations of {found['sizes'][0]} to {found['sizes'][1]} atoms, "
        f"SevenNet-0, float32, {serving.THREADS} threads, fmax {FMAX}, positions, L-BFGS: "
        f"{every['seconds']:.1f} s, {every['converged']} converged, "
        f"{sum(every['n_steps']) / len(every['n_steps']):.1f} steps in the mean. "
        f"Beside the peers, {found['n_peer']} of them, the same for both:\n"
    ]
    if "not_available" in found:
        return [*lines, "not available: " + found["not_available"]]
    lines += [
        found["versions"] + "\n",
        "| peer | optimizer | irrepd s | peer s | ratio | goal | irrepd CPU s | peer CPU s | "
        "CPU ratio | converged, irrepd; peer | energies differ, meV/atom, median; max |",
        "|---" * 11 + "|",
    ]
    for row in found["rows"]:
        if "not_available" in row:
            lines.append(f"| {row['title']} | not available: {row['not_available']} |" + " |" * 9)
            continue
        ours = min((row["ours"], row["again"]), key=lambda run: run["seconds"])
        peer = row["peer"]
        off = [1e3 * abs(a - b) for a, b in zip(ours["energies"], peer["energies"])]
        sizes = [len(atoms) for atoms in crystals(found["n"])]
        some = sizes[:: max(1, found["n"] // found["n_peer"])][: found["n_peer"]]
        off = [a / n for a, n in zip(off, some)]
        lines.append(
            f"| {row['title']} | {row['optimizer']} | {ours['seconds']:.2f} | "
            f"{peer['seconds']:.1f} | {peer['seconds'] / ours['seconds']:.1f} | {row['target']} | "
            f"{ours['cpu']:.2f} | {peer['cpu']:.1f} | {peer['cpu'] / ours['cpu']:.1f} | "
            f"{ours['converged']}; {peer['converged']} | "
            f"{statistics.median(off):.3f}; {max(off):.3f} |"
        )
    return lines


def table(found: dict[str, Any]) -> str:
    lines = steps_table(found)
    if "relaxations" in found:
        lines += relaxations_table(found["relaxations"])
    return "\n".join(lines)
