"""Bodies in gzip and zstd: Content-Encoding, both ways."""

from __future__ import annotations

import gzip
import importlib
import zlib
from typing import Any

from irrepd.errors import ConnectionFailed

CODINGS = ("gzip", "zstd")
_GZIP_LEVEL = 1  # numbers hardly become smaller by higher ones
_GZIP_ONLY = 31  # wbits: the largest window, behind a header of gzip
_ZSTD_MODULES = ("compression.zstd", "zstandard", "backports.zstd")


def checked(coding: str | None) -> str | None:
    """ValueError: there is no such coding. ImportError: nothing here can do it."""
    if coding is not None and coding not in CODINGS:
        raise ValueError(f"compress must be one of {', '.join(CODINGS)} or None, not {coding!r}")
    if coding == "zstd":
        _zstd()
    return coding


def accepted(coding: str) -> str:
    """The Accept-Encoding of who sends in a coding."""
    return "gzip" if coding == "gzip" else "zstd, gzip;q=0.5"


def encoded(coding: str, data: bytes) -> bytes:
    if coding == "gzip":
        return gzip.compress(data, _GZIP_LEVEL, mtime=0)
    return bytes(_zstd().compress(data))


def decoded(coding: str | None, data: bytes) -> bytes:
    """ConnectionFailed: it is no whole stream, or of a coding that was not asked for."""
    if coding is None or coding.lower() == "identity":
        return data
    try:
        if coding.lower() == "gzip":
            return _whole(zlib.decompressobj(_GZIP_ONLY), data)
        if coding.lower() == "zstd":
            stream = _zstd().ZstdDecompressor()
            is_other = hasattr(stream, "decompressobj")  # zstandard's
            return _whole(stream.decompressobj() if is_other else stream, data)
    except ConnectionFailed:
        raise
    except Exception as error:  # each module has its own
        raise ConnectionFailed(f"a damaged answer in {coding}: {error}") from error
    raise ConnectionFailed(f"an answer in {coding}, which nobody has asked for")


def _whole(stream: Any, data: bytes) -> bytes:
    found = bytes(stream.decompress(data))
    if not stream.eof or stream.unused_data:
        raise ConnectionFailed("an answer that is not one whole stream of its coding")
    return found


def _zstd() -> Any:
    """A module with compress and decompress, Python's own or another."""
    for name in _ZSTD_MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError("compress='zstd' needs Python 3.14 or zstandard: pip install zstandard")
