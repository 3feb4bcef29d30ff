"""A network namespace at the end of a cable, for faults between a client and the daemon."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator

CLONE_NEWNET = 0x40000000


class NotPermitted(Exception):
    """Here no namespaces can be made; says why."""


def run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise NotPermitted(f"{command[0]} is not installed") from None
    except subprocess.CalledProcessError as error:
        raise NotPermitted(f"{' '.join(command)}: {error.stderr.strip()}") from None


class Cable:
    """Two ends: `near` is an address of this machine, `far` one in the namespace."""

    def __init__(self, number: int):
        self.name = f"irrepd{number}"
        self.near, self.far = (f"198.18.{number % 250}.{i}" for i in (1, 2))
        self._inside = ("ip", "netns", "exec", self.name)

    def lay(self) -> None:
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.name, "type", "veth", "peer", "far", "netns", self.name)
        run("ip", "address", "add", f"{self.near}/30", "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        run(*self._inside, "ip", "address", "add", f"{self.far}/30", "dev", "far")
        run(*self._inside, "ip", "link", "set", "far", "up")
        run(*self._inside, "nft", "add", "table", "ip", "faults")
        for hook in ("input", "output"):
            chain = f"{{ type filter hook {hook} priority 0; }}"
            run(*self._inside, "nft", "add", "chain", "ip", "faults", hook, chain)

    def remove(self) -> None:
        for command in (("ip", "link", "delete", self.name), ("ip", "netns", "delete", self.name)):
            subprocess.run(command, capture_output=True)

    def rule(self, hook: str, rule: str) -> None:
        """A rule of nft for what comes to the far end (input), or leaves it (output)."""
        run(*self._inside, "nft", "add", "rule", "ip", "faults", hook, *rule.split())

    def heal(self) -> None:
        run(*self._inside, "nft", "flush", "table", "ip", "faults")
        self.up(True)

    def up(self, is_up: bool) -> None:
        run(*self._inside, "ip", "link", "set", "far", "up" if is_up else "down")

    def socket(self) -> socket.socket:
        """A TCP socket at the far end."""
        made: list[socket.socket] = []
        failed: list[OSError] = []

        def make() -> None:
            """Only this thread enters the namespace; the socket stays in it."""
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{self.name}") as file:
                if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                    failed.append(OSError(ctypes.get_errno(), "setns"))
                    return
            made.append(socket.socket())

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if failed:
            raise NotPermitted(str(failed[0]))
        return made[0]


@contextlib.contextmanager
def laid() -> Iterator[Cable]:
    """A cable for as long as it is needed. NotPermitted where there can be none."""
    if shutil.which("ip") is None or shutil.which("nft") is None:
        raise NotPermitted("iproute2 and nftables are not installed")
    cable = Cable(os.getpid() % 100000)
    try:
        cable.lay()
        cable.socket().close()
        yield cable
    finally:
        cable.remove()
