#!/usr/bin/env python3
"""Stops daemons under load: every request that a client has sent gets an answer. `make drains`.

Clients ask again and again, on connections that they keep or close, and connect again when they
are told to, until nobody listens any more. What counts is what they get once they are connected:
an answer, a 503 among them, or none.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import signal
import ssl
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from authority import Authority
from authority import flags as tls_flags
from daemon import DAEMON, MODELS, PATIENCE

CLIENTS = 48
SECONDS = 0.7  # of load before the signal
PATH = "/v1/models/schnet-small/predict"
BODY = b'{"structures":[{"numbers":[8,1,1],"positions":[[0,0,0],[0.96,0,0],[-0.24,0.93,0]]}]}'
KINDS = ("tcp", "unix", "tls")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Tally:
    answers: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Door:
    """A daemon that listens in one of several ways."""

    def __init__(self, folder: Path, kind: str, authority: Authority):
        self.kind = kind
        self.path = str(folder / "socket")
        self.context: ssl.SSLContext | None = authority.context() if kind == "tls" else None
        listen = f"unix:{self.path}" if kind == "unix" else "127.0.0.1:0"
        self.command = [str(DAEMON), "--models", str(MODELS), "--listen", listen, "--workers", "2"]
        self.command += ["--drain-timeout-ms", str(int(1000 * PATIENCE))]
        if kind == "tls":
            self.command += tls_flags(authority.issue("drains"))
        self.log = folder / "log"
        self.port = 0

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while (line := await self.process.stdout.readline()) != b"irrepd: ready\n":
                found = re.search(rb"listening on https?://127.0.0.1:(\d+)", line)
                self.port = int(found[1]) if found else self.port
                assert line, self.log.read_text()

    async def connect(self) -> Streams:
        if self.kind == "unix":
            return await asyncio.open_unix_connection(self.path)
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)


async def ask(streams: Streams, tally: Tally, closes: bool) -> bool:
    """One request and its answer; whether the connection may be used again."""
    reader, writer = streams
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"{'Connection: close' if closes else 'X-Kept: yes'}\r\nContent-Length: {len(BODY)}"
    writer.write(f"{head}\r\n\r\n".encode() + BODY)
    try:
        top = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"\r\nContent-Length: (\d+)", top)
        assert length is not None
        await reader.readexactly(int(length[1]))
    except (OSError, asyncio.IncompleteReadError) as error:
        tally.lost.append(repr(error))
        return False
    status = int(top.split()[1])
    tally.answers[status] += 1
    last = "\r\nConnection: close" in top
    if status == 503 and not last:
        tally.wrong.append("503 without Connection: close")
    return not last


async def client(door: Door, tally: Tally, seed: int) -> None:
    """Asks until nobody listens."""
    rule = random.Random(seed)
    while True:
        try:
            streams = await door.connect()
        except OSError:
            return
        kept = True
        while kept:
            kept = await ask(streams, tally, rule.random() < 0.1)
            if rule.random() < 0.3:
                await asyncio.sleep(rule.random() * 0.05)
        streams[1].close()
        with contextlib.suppress(OSError):
            await streams[1].wait_closed()


async def drain(door: Door, tally: Tally, seed: int) -> None:
    await door.start()
    clients = [asyncio.ensure_future(client(door, tally, 1000 * seed + i)) for i in range(CLIENTS)]
    await asyncio.sleep(SECONDS + 0.001 * (seed * 37 % 100))
    door.process.send_signal(signal.SIGTERM)
    status = await asyncio.wait_for(door.process.wait(), 2 * PATIENCE)
    if status != 0:
        tally.wrong.append(f"the daemon ended with {status}: {door.log.read_text()[-1000:]}")
    await asyncio.wait_for(asyncio.gather(*clients), PATIENCE)


def drains(folder: Path, n: int = 30) -> list[str]:
    """So many drains, by TCP, a Unix socket and TLS in turn; what was not as it must be."""
    tally = Tally()
    authority = Authority(folder)
    for i in range(n):
        door = Door(folder, KINDS[i % len(KINDS)], authority)
        asyncio.run(drain(door, tally, i))
    by_status = dict(sorted(tally.answers.items()))
    print(
        f"{n} drains under {CLIENTS} clients: {sum(by_status.values())} answers {by_status}, "
        f"{len(tally.lost)} requests lost"
    )
    wrong = [f"lost: {lost}" for lost in tally.lost[:10]] + tally.wrong[:10]
    if set(tally.answers) - {200, 503}:
        wrong.append(f"other answers: {dict(tally.answers)}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--drains", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="irrepd-drains-") as folder:
        wrong = drains(Path(folder), arguments.drains)
    print("\n".join(wrong) if wrong else "all as it must be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
