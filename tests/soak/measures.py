"""What many clients, bulk requests, idle attackers and ten times the capacity do to the others.

Each measure starts a daemon of its own, prints its figures, and returns what was not as it must be.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import select
import selectors
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from daemon import PREDICT, ROOT, Daemon, read_raw
from traffic import body_of, head

LOAD = ROOT / "build" / "bench" / "load"
STEADY = "sevennet-0"
SECONDS = 6.0
ROUNDS = 3
N_LORIS = 1000
LORIS_MS = 10_000
N_BULK = 100_000
BULK_BATCH_MS = 50
FLOOD_BATCH_MS = 100
FLOOD_CLIENTS, FLOOD_STRUCTURES = 16, 16
TIMES_CAPACITY = 10
PAIR = {
    "numbers": [14, 14],
    "positions": [[0.12345678, 0.12345678, 0.12345678], [0.12345678, 0.12345678, 2.37654321]],
}


def copper(seed: int, n: int = 2) -> dict[str, Any]:
    """4 n^3 atoms in a cubic cell, displaced by a rule of the seed."""
    a = 3.61
    corners = [(0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)]
    sites = [
        (x + u, y + v, z + w)
        for x in range(n)
        for y in range(n)
        for z in range(n)
        for u, v, w in corners
    ]
    positions = [
        [a * x + 0.05 * math.sin(seed + 3 * i + k) for k, x in enumerate(site)]
        for i, site in enumerate(sites)
    ]
    cell = [[n * a if i == k else 0.0 for k in range(3)] for i in range(3)]
    return {"numbers": [29] * len(sites), "positions": positions, "cell": cell}


@contextlib.contextmanager
def daemon(folder: Path, name: str, *flags: str) -> Iterator[Daemon]:
    made = Daemon(sub(folder, name), *flags).wait_ready()
    try:
        yield made
    finally:
        made.end()


def sub(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def load_begin(
    made: Daemon, body: bytes, clients: int, seconds: float, folder: Path
) -> subprocess.Popen[str]:
    """build/bench/load: so many clients that ask for one thing again and again."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(body)
    command = [str(LOAD), str(made.port), PREDICT, file.name, str(clients), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def load_end(begun: subprocess.Popen[str]) -> dict[str, float]:
    """What they got."""
    told, errors = begun.communicate()
    assert begun.returncode == 0, errors
    return json.loads(told)


def load(made: Daemon, body: bytes, clients: int, seconds: float, folder: Path) -> dict[str, float]:
    return load_end(load_begin(made, body, clients, seconds, folder))


def many_clients(folder: Path) -> list[str]:
    """64 clients of one structure each against one client of batches of 64."""
    one = body_of(copper(0))
    batch = body_of(*(copper(seed) for seed in range(64)))
    with daemon(folder, "many", "--workers", "2") as made:
        rates: dict[str, list[float]] = {"clients": [], "batches": []}
        for _ in range(ROUNDS):
            rates["clients"].append(load(made, one, 64, SECONDS, folder)["per_second"])
            rates["batches"].append(64 * load(made, batch, 1, SECONDS, folder)["per_second"])
    clients, batches = median(rates["clients"]), median(rates["batches"])
    print(
        f"32 atoms of Cu: 64 clients {clients:.0f} structures/s, one client's batches of 64 "
        f"{batches:.0f}: {clients / batches:.3f} times"
    )
    return [] if clients >= batches else ["64 clients get less than one client's batches"]


class Loris:
    """Clients that send a head, a byte now and then, and never come to its end."""

    def __init__(self, made: Daemon):
        self.lasted: list[float] = []
        self.begun: dict[socket.socket, float] = {}
        self.ends = selectors.DefaultSelector()
        for _ in range(N_LORIS):
            peer = made.connect()
            peer.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            self.begun[peer] = time.monotonic()
            self.ends.register(peer, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        """Twenty of them send a byte every 50 ms; all listen."""
        waiting: list[socket.socket] = []
        while self.begun:
            for key, _ in self.ends.select(0.05):
                self._ended(key.fileobj)  # type: ignore[arg-type]
            waiting = waiting or list(self.begun)
            for peer in waiting[:20]:
                with contextlib.suppress(OSError):
                    peer.send(b"a")
            del waiting[:20]

    def _ended(self, peer: socket.socket) -> None:
        """An answer, 408, or the end of the connection has come."""
        self.lasted.append(time.monotonic() - self.begun.pop(peer))
        self.ends.unregister(peer)
        peer.close()


def slow_loris(folder: Path) -> list[str]:
    """The 99th percentile of eight clients, without and with a thousand that never finish."""
    body = body_of(copper(0))
    flags = ("--workers", "2", "--max-connections", "4096", "--request-timeout-ms", str(LORIS_MS))
    quiet, beset, lasted = [], [], []
    with daemon(folder, "loris", *flags) as made:
        load(made, body, 8, 1.0, folder)
        for _ in range(ROUNDS):
            quiet.append(load(made, body, 8, SECONDS, folder)["p99_ms"])
            loris = Loris(made)
            beset.append(load(made, body, 8, SECONDS, folder)["p99_ms"])
            loris.thread.join()
            lasted += loris.lasted
    before, after = median(quiet), median(beset)
    print(
        f"8 clients, 99th percentile: {before:.1f} ms alone, {after:.1f} ms beside {N_LORIS} slow "
        f"ones ({after / before - 1:+.1%}), which lasted {max(lasted):.1f} s at most"
    )
    wrong = []
    if after > 1.1 * before:
        wrong.append("slow clients raise the 99th percentile of others by more than a tenth")
    if max(lasted) > LORIS_MS / 1000 + 2:
        wrong.append("slow clients were not closed by their deadline")
    return wrong


def bulk(folder: Path) -> list[str]:
    """An interactive client beside one request of 100,000 structures."""
    flags = ("--workers", "2", "--max-structures", str(N_BULK), "--max-queue", str(2 * N_BULK))
    flags += ("--max-batch-ms", str(BULK_BATCH_MS), "--max-body-bytes", "64M")
    whole = b'{"structures":[' + b",".join([json.dumps(PAIR).encode()] * N_BULK) + b"]}"
    latencies = []
    with daemon(folder, "bulk", *flags) as made, made.connect() as peer:
        load(made, body_of(copper(0)), 1, 1.0, folder)  # measures
        peer.sendall(head(STEADY, len(whole), {}) + whole)
        made.wait_for(lambda: made.metric("queue_structures") > 0, "the queue")
        while not select.select([peer], [], [], 0.01)[0]:
            begun = time.monotonic()
            answer = made.predict(body_of(copper(len(latencies))))
            latencies.append(1e3 * (time.monotonic() - begun))
            assert answer.status == 200
        peer.settimeout(300)
        assert read_raw(peer).status == 200
    p99 = percentile(latencies)
    print(
        f"beside {N_BULK} structures in batches of {BULK_BATCH_MS} ms: 99th percentile of "
        f"{len(latencies)} small requests {p99:.0f} ms, {p99 / BULK_BATCH_MS:.2f} batches"
    )
    wrong = p99 > 2 * BULK_BATCH_MS
    return ["a bulk request holds up others for over two batches"] if wrong else []


def flood(folder: Path) -> list[str]:
    """Two interactive clients of two atoms beside requests of bulk, which wait for seconds."""
    crowd = [copper(seed) for seed in range(FLOOD_STRUCTURES)]
    n_most = FLOOD_CLIENTS * FLOOD_STRUCTURES
    bulk_body = body_of(*crowd, priority="bulk")
    wrong = []
    flags = ("--workers", "2", "--max-batch-ms", str(FLOOD_BATCH_MS))
    with daemon(folder, "flood", *flags) as made:
        load(made, body_of(copper(0)), 1, 1.0, folder)  # measures
        beset = load_begin(made, bulk_body, FLOOD_CLIENTS, 4 * SECONDS, folder)
        made.wait_for(lambda: made.metric("queue_structures") > n_most / 2, "the queue")
        time.sleep(2.0)  # until bulk has waited for its patience
        got = load(made, body_of(PAIR), 2, 2 * SECONDS, folder)
        waiting = made.metric("queue_structures")
        crowded = load_end(beset)
    p99 = got["p99_ms"]
    print(
        f"flood of {FLOOD_CLIENTS} bulk requests of {len(crowd)} ({waiting:.0f} structures wait, "
        f"{crowded['p99_ms']:.0f} ms) in batches of {FLOOD_BATCH_MS} ms: 99th percentile of "
        f"{got['per_second'] * 2 * SECONDS:.0f} interactive answers {p99:.0f} ms, "
        f"{p99 / FLOOD_BATCH_MS:.2f} batches"
    )
    if p99 > 2 * FLOOD_BATCH_MS:
        wrong.append("a flood of bulk holds up interactive requests for over two batches")
    return wrong


def percentile(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


# Ten times what it can do.

OVERLOAD = ("--workers", "2", "--max-queue", "64", "--max-queue-client", "64")
OVERLOAD += ("--memory-budget", "256M", "--max-connections", "4096")
RESIDENT_MORE = 512 << 20  # the budget, models' and connections' own


class Watch:
    """The most memory that a daemon holds meanwhile."""

    def __init__(self, made: Daemon):
        self.path = Path(f"/proc/{made.process.pid}/status")
        self.before = self.most = self._resident()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _resident(self) -> int:
        return int(re.search(r"VmRSS:\s+(\d+)", self.path.read_text())[1]) << 10  # type: ignore[index]

    def _run(self) -> None:
        while not self.over.wait(0.05):
            self.most = max(self.most, self._resident())

    def end(self) -> list[str]:
        self.over.set()
        self.thread.join()
        print(f"  memory: {self.before >> 20} MiB before, {self.most >> 20} MiB at most")
        return [] if self.most < self.before + RESIDENT_MORE else ["memory beyond its bound"]


def capacity(made: Daemon, body: bytes, folder: Path) -> float:
    return load(made, body, 16, SECONDS / 2, folder)["per_second"]


def wrk(folder: Path) -> list[str]:
    """wrk asks again at once whatever it gets: far beyond ten times the capacity."""
    body = folder / "wrk.json"
    body.write_bytes(body_of(copper(0)))
    with daemon(folder, "wrk", *OVERLOAD) as made:
        able = capacity(made, body.read_bytes(), folder)
        before = answers_told(made)
        watch = Watch(made)
        command = ["wrk", "-t", "2", "-c", "1000", "-d", f"{SECONDS:.0f}s", "--timeout", "60s"]
        command += ["-s", str(ROOT / "tests" / "soak" / "count.lua"), f"{made.url}{PREDICT}"]
        done = subprocess.run([*command, "--", str(body)], capture_output=True, text=True)
        wrong = watch.end()
        assert done.returncode == 0, done.stdout + done.stderr
        counted, errors = counts_of(done.stdout)
        made.wait_for(lambda: made.metric("queue_structures") == 0, "the end of the queue")
        told = answers_told(made) - before
        left = made.metric("requests_cancelled_total", reason="disconnect")
    rate = sum(counted.values()) / SECONDS
    print(
        f"wrk: {rate:.0f} requests/s at a capacity of {able:.0f}; {dict(counted)} counted by wrk; "
        f"{dict(told)} and {left:.0f} that left by the daemon"
    )
    if rate < TIMES_CAPACITY * able:
        wrong.append(f"only {rate / able:.1f} times the capacity was asked for")
    if set(counted) - {200, 429, 503} or errors:
        wrong.append(f"other answers, or none: {counted}, {errors} errors of sockets")
    # The answers that were on their way when wrk ended are the daemon's alone, one a connection.
    for status, n in counted.items():
        if not n <= told[status] <= n + 1000:
            wrong.append(f"{n} answers {status} came, the daemon says {told[status]}")
    return wrong


def answers_told(made: Daemon) -> Counter[int]:
    route = "/v1/models/{m}/predict"
    codes = (200, 429, 503)
    return Counter(
        {
            code: int(made.metric("http_requests_total", route=route, code=str(code)))
            for code in codes
        }
    )


def counts_of(text: str) -> tuple[Counter[int], int]:
    """What count.lua prints."""
    counted = {int(a): int(b) for a, b in re.findall(r"^status (\d+): (\d+)$", text, re.M)}
    errors = re.search(r"^socket errors: (\d+)$", text, re.M)
    return Counter(counted), int(errors[1]) if errors else -1


def replay(folder: Path) -> list[str]:
    """Requests that come at their times, ten times as many as can be done, answered or not."""
    body = body_of(copper(0, 3))
    with daemon(folder, "replay", *OVERLOAD) as made:
        able = capacity(made, body, folder)
        watch = Watch(made)
        n = int(TIMES_CAPACITY * able * SECONDS)
        statuses, wrong = asyncio.run(replay_at(made, body, n, n / SECONDS))
        wrong += watch.end()
        told = made.metric("inference_structures_total", outcome="ok")
    print(f"replay: {n} requests at {n / SECONDS:.0f}/s, capacity {able:.0f}: {dict(statuses)}")
    if sum(statuses.values()) != n:
        wrong.append(f"{n} requests, {sum(statuses.values())} answers")
    if set(statuses) - {200, 429, 503} or statuses[200] == 0 or told < statuses[200]:
        wrong.append(f"answers {dict(statuses)}, {told:.0f} structures computed")
    return wrong


async def replay_at(
    made: Daemon, body: bytes, n: int, rate: float
) -> tuple[Counter[int], list[str]]:
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    request = head(STEADY, len(body), {}) + body

    async def one(at: float) -> None:
        await asyncio.sleep(at - time.monotonic())
        try:
            reader, writer = await asyncio.open_connection(made.host, made.port)
            writer.write(request)
            top = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(re.search(r"content-length: (\d+)", top)[1])  # type: ignore[index]
            answer = json.loads(await reader.readexactly(size))
            status = int(top.split()[1])
            statuses[status] += 1
            if status == 200 and answer["results"][0]["status"] != "ok":
                wrong.append("an accepted request without numbers")
            if status != 200 and "retry-after: " not in top:
                wrong.append(f"{status} without Retry-After")
            writer.close()
        except (OSError, asyncio.IncompleteReadError) as error:
            wrong.append(repr(error))

    begin = time.monotonic() + 0.5
    await asyncio.gather(*(one(begin + i / rate) for i in range(n)))
    return statuses, wrong[:10]


MEASURES: list[Callable[[Path], list[str]]] = [
    many_clients,
    slow_loris,
    bulk,
    flood,
    wrk,
    replay,
]
