"""Evaluates the frames of a file over replicas of the daemon, by Ray.

    python3 irrepd_ray.py FILE --url http://a:8421 --url http://b:8421 --model sevennet-0 > energies

Prints a line for each frame: energy (eV) and longest force (eV/Angstrom), or `error` and why; the
exit status is 1 where there are such. The workers need the package irrepd. In a script of your own:
`for result in evaluate(structures, ...)`.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import ray

from irrepd import Result
from irrepd.frames import read
from irrepd.replicas import batches, evaluate_batch

# A task waits for a daemon: one core of Ray's can look after several.
CORES_OF_A_TASK = 0.25


def evaluate(
    structures: Iterable[Any], model: str, urls: Sequence[str], ahead: int | None = None
) -> Iterator[Result]:
    """Results in the order of the structures, with at most `ahead` batches under way."""
    task = ray.remote(num_cpus=CORES_OF_A_TASK, max_retries=3)(evaluate_batch)
    most = ahead or max(2, int(2 * ray.cluster_resources()["CPU"] / CORES_OF_A_TASK))
    under_way: deque[Any] = deque()
    for i, batch in enumerate(batches(structures)):
        under_way.append(task.remote(batch, model, tuple(urls), i))
        while len(under_way) >= most:
            yield from ray.get(under_way.popleft())
    while under_way:
        yield from ray.get(under_way.popleft())


def main() -> int:
    parser = argparse.ArgumentParser(description="Evaluates the frames of a file, by Ray.")
    parser.add_argument("file", help="anything that ASE reads")
    parser.add_argument("--url", action="append", required=True, help="of a replica; repeat it")
    parser.add_argument("--model", default="sevennet-0")
    parser.add_argument("--address", help="of a Ray cluster; default: one on this machine")
    options = parser.parse_args()
    ray.init(address=options.address, log_to_driver=False, include_dashboard=False)
    frames = (atoms for atoms, _ in read(options.file, ":", None))
    failures = 0
    for result in evaluate(frames, options.model, options.url):
        failures += not result.ok
        if result.ok:
            print(f"{result['energy']:.9f} {result.max_force:.9f}")
        else:
            print("error", result.problem)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
