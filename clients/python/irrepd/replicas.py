"""A batch of structures by one of several replicas: what engines for bulk work call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from irrepd.client import DEFAULT_URL, PROPERTIES, Client, Dispersion
from irrepd.errors import ConnectionFailed
from irrepd.results import Result
from irrepd.stream import batches_of, evaluate
from irrepd.structures import Entry, Intake

BATCH_STRUCTURES = 1000
BATCH_ATOMS = 20000
_PATIENCE = 5.0  # seconds for a replica that has gone, before another one is asked


def batches(
    structures: Iterable[Any],
    batch_structures: int = BATCH_STRUCTURES,
    batch_atoms: int = BATCH_ATOMS,
) -> Iterator[list[Entry]]:
    """Lists of a request's entries; structures: as for `irrepd.evaluate`."""
    return batches_of(map(Intake(), structures), batch_atoms, batch_structures)


def as_urls(urls: str | Sequence[str]) -> tuple[str, ...]:
    return (urls,) if isinstance(urls, str) else tuple(urls)


def evaluate_batch(
    batch: Sequence[Any],
    model: str = "sevennet-0",
    urls: str | Sequence[str] = (DEFAULT_URL,),
    first: int = 0,
    *,
    properties: Sequence[str] = PROPERTIES[:3],
    precision: str | None = None,
    priority: str | None = None,
    dispersion: Dispersion = None,
    head: str | None = None,
    committee: Sequence[str] | None = None,
) -> list[Result]:
    """Results of a batch, by the replica urls[first % len(urls)], or by the next that answers.

    urls: of the replicas, or one that serves them all. properties, precision, priority, dispersion,
    head, committee: see `Client.predict`.
    Connections stay open for the next batch of the process; a key comes from IRREPD_KEY.
    ConnectionFailed: none answers.
    """
    urls = as_urls(urls)
    if not urls:
        raise ValueError("urls must name at least one daemon")
    patience = _PATIENCE if len(urls) > 1 else None
    options: dict[str, Any] = {"properties": properties, "precision": precision}
    options.update(
        {"priority": priority, "dispersion": dispersion, "head": head, "committee": committee}
    )
    for i in range(len(urls)):
        client = _client(urls[(first + i) % len(urls)], patience)
        try:
            return list(evaluate(batch, model, client, **options))
        except ConnectionFailed:
            if i == len(urls) - 1:
                raise
    raise AssertionError("unreachable")


@lru_cache(maxsize=256)
def _client(url: str, patience: float | None) -> Client:
    return Client(url) if patience is None else Client(url, patience=patience)
