"""Downloads a file to a place beside its own, resumes what was cut off, and believes no server.

A partial file carries the validator (ETag) under which it was begun; it is gone on with only where
the server still has that, and begun anew otherwise.
"""

from __future__ import annotations

import hashlib
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

BYTES_MAX = 4 << 30
STALL_SECONDS = 60.0
TRIES = 4
_BLOCK = 1 << 18


class FetchError(OSError):
    """A file that cannot be had, or is not what it should be."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https alone, and from https to nothing else."""

    max_redirections = 5

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: E501  # fmt: skip
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise FetchError(f"the server sends one on from {req.type} to {scheme[:20]}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(
    url: str,
    target: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    md5: str | None = None,
    stall: float = STALL_SECONDS,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> None:
    """Writes the file to `target`; FetchError where it is not whole or not what is expected.

    stall: seconds without a byte after which a try ends. What arrived stays, as target.part, for
    the next try or call, unless it is found to be wrong.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise FetchError(f"'{url[:80]}' is no address of http or https")
    part = target.with_name(target.name + ".part")
    for attempt in range(1, TRIES + 1):
        before = part.stat().st_size if part.exists() else 0
        try:
            _append(url, part, size, stall, progress)
            break
        except (HTTPException, OSError) as error:
            if isinstance(error, FetchError) and not isinstance(error, _Incomplete):
                raise
            gained = (part.stat().st_size if part.exists() else 0) > before
            if attempt == TRIES:
                raise FetchError(f"{url}: {_reason(error)}; what arrived is kept") from None
            if not gained:
                time.sleep(min(attempt, 2) * min(stall, 1.0))
    try:
        _check(part, size, {"sha256": sha256, "md5": md5})
    except FetchError:
        _forget(part)
        raise
    os.replace(part, target)
    _validator(part).unlink(missing_ok=True)


class _Incomplete(FetchError):
    """A connection that ended early."""


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "the server has stopped sending"
    reason = getattr(error, "reason", None)
    return str(reason or error) or type(error).__name__


def _validator(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator(part).unlink(missing_ok=True)


def _append(
    url: str,
    part: Path,
    size: int | None,
    stall: float,
    progress: Callable[[int, int | None], None],
) -> None:
    have = part.stat().st_size if part.exists() else 0
    etag = _validator(part).read_text() if have and _validator(part).exists() else ""
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    if etag:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", etag)
    opener = urllib.request.build_opener(_Redirects)
    try:
        answer = opener.open(request, timeout=stall)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            _forget(part)
            raise _Incomplete("the server has less than arrived before; begun anew") from None
        kind = _Incomplete if error.code in (429, 500, 502, 503, 504) else FetchError
        raise kind(f"{url}: the server answers {error.code} {error.reason}") from None
    with answer:
        start = have if answer.status == 206 and _begins_at(answer, have) else 0
        if answer.status == 206 and start != have:
            _forget(part)
            raise _Incomplete("the server sends another part than was asked for")
        total = _total(answer, start)
        if (total or 0) > BYTES_MAX or (size is not None and total not in (None, size)):
            raise FetchError(f"{url}: the server has {total} bytes, not {size or BYTES_MAX}")
        found = answer.headers.get("ETag", "")
        if start == 0:
            _forget(part)
            if found and not found.startswith("W/"):
                _validator(part).write_text(found[:200])
        _copy(answer, part, start, total, size, progress)


def _begins_at(answer: Any, have: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _total(answer: Any, start: int) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if length.isascii() and length.isdigit() else None


def _copy(
    answer: Any,
    part: Path,
    start: int,
    total: int | None,
    size: int | None,
    progress: Callable[[int, int | None], None],
) -> None:
    done, limit = start, size if size is not None else BYTES_MAX
    with open(part, "ab" if start else "wb") as file:
        while True:
            block = answer.read1(_BLOCK)
            if not block:
                break
            done += len(block)
            if done > limit:
                file.close()
                _forget(part)
                raise FetchError(f"the server sends more than {limit} bytes")
            file.write(block)
            progress(done, total)
    if total is not None and done < total:
        raise _Incomplete(f"the connection ended at {done} of {total} bytes")


def _check(part: Path, size: int | None, digests: dict[str, str | None]) -> None:
    found = part.stat().st_size
    if size is not None and found != size:
        raise FetchError(f"it has {found} bytes, not {size}")
    for kind, expected in digests.items():
        if expected is None:
            continue
        digest = hashlib.new(kind, usedforsecurity=False)
        with open(part, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
        if digest.hexdigest() != expected:
            raise FetchError(f"its {kind} is {digest.hexdigest()}, not {expected}")
