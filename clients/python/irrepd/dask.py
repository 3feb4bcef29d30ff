"""Many structures over replicas of the daemon, by Dask (`pip install 'dask[distributed]'`).

Dask moves batches; daemons compute. A batch goes to one of the replicas in turn, and to the next
one while that does not answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from irrepd.client import DEFAULT_URL, PROPERTIES, Dispersion
from irrepd.journal import fingerprint
from irrepd.replicas import BATCH_ATOMS, BATCH_STRUCTURES, as_urls, batches, evaluate_batch
from irrepd.results import Result

if TYPE_CHECKING:
    import dask.bag
    import distributed


def evaluate(
    structures: Iterable[Any],
    model: str = "sevennet-0",
    urls: str | Sequence[str] = (DEFAULT_URL,),
    *,
    cluster: distributed.Client | None = None,
    properties: Sequence[str] = PROPERTIES[:3],
    precision: str | None = None,
    priority: str | None = None,
    dispersion: Dispersion = None,
    head: str | None = None,
    committee: Sequence[str] | None = None,
    batch_structures: int = BATCH_STRUCTURES,
    batch_atoms: int = BATCH_ATOMS,
    ahead: int | None = None,
) -> Iterator[Result]:
    """The results of an iterable's structures, in their order, as they come.

    structures, model, properties, precision, priority, dispersion, head, committee: as for
    `irrepd.evaluate`.
    urls: of the replicas as the workers reach them, or one that serves them all. cluster: default
    the current client of dask.distributed. batch_structures, batch_atoms: what a task holds at
    most; it should take a second or so, as Dask takes milliseconds for each. ahead: tasks under
    way, by default two for each thread of the cluster. Memory holds about that many batches. A
    batch whose worker dies is computed again.
    """
    from distributed import get_client

    if min(batch_structures, batch_atoms) < 1 or (ahead is not None and ahead < 1):
        raise ValueError("batch_structures, batch_atoms and ahead must be at least 1")
    where = get_client() if cluster is None else cluster
    most = ahead or 2 * max(1, sum(where.nthreads().values()))
    options: dict[str, Any] = {"properties": tuple(properties), "precision": precision}
    options.update(
        {"priority": priority, "dispersion": dispersion, "head": head, "committee": committee}
    )
    tasks = batches(structures, batch_structures, batch_atoms)

    def run() -> Iterator[Result]:
        under_way: deque[Any] = deque()
        try:
            for i, batch in enumerate(tasks):
                task = where.submit(
                    evaluate_batch, batch, model, as_urls(urls), i, **options, pure=False
                )
                under_way.append(task)
                while len(under_way) >= most:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        finally:
            where.cancel(list(under_way))

    return run()


def map_bag(
    bag: dask.bag.Bag,
    model: str = "sevennet-0",
    urls: str | Sequence[str] = (DEFAULT_URL,),
    *,
    properties: Sequence[str] = PROPERTIES[:3],
    precision: str | None = None,
    priority: str | None = None,
    dispersion: Dispersion = None,
    head: str | None = None,
    committee: Sequence[str] | None = None,
    batch_structures: int = BATCH_STRUCTURES,
    batch_atoms: int = BATCH_ATOMS,
) -> dask.bag.Bag:
    """A bag of the results of a bag's structures, in their order; lazy, as bags are.

    A partition's structures are read, and its results made, one batch after the other.
    """

    def evaluate_partition(structures: Iterable[Any]) -> Iterator[Result]:
        for i, batch in enumerate(batches(structures, batch_structures, batch_atoms)):
            yield from evaluate_batch(
                batch,
                model,
                as_urls(urls),
                fingerprint(batch[0]) + i,  # partitions begin at different replicas
                properties=tuple(properties),
                precision=precision,
                priority=priority,
                dispersion=dispersion,
                head=head,
                committee=committee,
            )

    return bag.map_partitions(evaluate_partition)
