"""A progress bar on standard error."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_EVERY = 0.1  # seconds between drawings
_WIDTH = 30


class Progress:
    """Counts structures and draws, where `stream` (default: standard error) is a terminal."""

    def __init__(self, total: int | None, stream: TextIO | None = None):
        self.total, self.done, self.atoms = total, 0, 0
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = self._stream.isatty()
        self._begin = self._drawn = time.monotonic()
        self._fraction: float | None = None
        self._first = 0.0  # the fraction from which it began, resuming a run that was cut off

    def step(self, n_atoms: int = 0, fraction: float | None = None) -> None:
        """One more structure; fraction: of all the work, where the total is not known."""
        if self.done == 0 and fraction is not None:
            self._first, self._begin = fraction, time.monotonic()
        self.done += 1
        self.atoms += n_atoms
        self._fraction = fraction
        if self._is_shown and time.monotonic() - self._drawn >= _EVERY:
            self._draw()

    def close(self) -> None:
        if self._is_shown:
            self._draw()
            print(file=self._stream, flush=True)

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        print("\r" + self.line(self._drawn - self._begin), end="", file=self._stream, flush=True)

    def line(self, seconds: float) -> str:
        """What is drawn after so many seconds."""
        rate = self.done / max(seconds, 1e-9)
        fraction = self.done / self.total if self.total else self._fraction
        count = f"{self.done}/{self.total}" if self.total else str(self.done)
        end = f"{count}  {rate:.3g}/s"
        if self.atoms:
            end += f"  {self.atoms / max(seconds, 1e-9):.3g} atoms/s"
        if fraction is None:
            return f"{end}    "
        fraction = min(max(fraction, 0.0), 1.0)
        made = fraction - self._first
        left = seconds * (1 - fraction) / made if made > 0 else 0.0
        bar = ("#" * int(_WIDTH * fraction)).ljust(_WIDTH, ".")
        return f"[{bar}] {end}  {_clock(left)} left    "


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
