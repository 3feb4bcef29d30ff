"""The zip archives that PyTorch saves: a pickle, and one uncompressed entry for each storage.

A checkpoint holds NAME/data.pkl and NAME/data/KEY; a package (torch.package), as nequip makes them,
NAME/model/eager_model.pkl, NAME/.data/KEY.storage, and source code, which is not looked at.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
from dataclasses import dataclass

import numpy as np

from irrepd.errors import FormatError
from irrepd.file_kinds import kind_of_archive, kind_of_file

ENTRIES_MAX = 1 << 16

# Bytes of storages that may be read: of each byte of the file, and besides. A storage may be read
# for each of the tensors on it.
READ_MAX, READ_BASE = 8, 1 << 28

# What zipfile raises about an archive; RuntimeError includes NotImplementedError.
_DAMAGE = zipfile.BadZipFile, EOFError, RuntimeError, ValueError, struct.error


@dataclass(eq=False)
class Storage:
    dtype: np.dtype
    key: str
    numel: int

    @property
    def n_bytes(self) -> int:
        return self.numel * self.dtype.itemsize


class Archive:
    """A PyTorch zip file, open for reading. Close it, or use it as a context manager."""

    def __init__(self, path: str | os.PathLike[str]):
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGE as error:
            what = kind_of_file(path) or str(error)
            raise FormatError(f"not a PyTorch zip checkpoint, but {what}") from None
        self._left = READ_MAX * os.path.getsize(path) + READ_BASE
        try:
            self._entries = self._checked_entries()
            self._prefix, self._pickle, self._storages, self._ending = self._layout()
            order = self._prefix + "byteorder"
            if order in self._entries and self._read(order, 16) != b"little":
                raise FormatError("a checkpoint that is not little-endian")
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def _layout(self) -> tuple[str, str, str, str]:
        """The prefix of all names, that of the pickle, and what is around a storage's key."""
        for program, storages, ending in (
            ("data.pkl", "data/", ""),
            ("model/eager_model.pkl", ".data/", ".storage"),
        ):
            pattern = r"[^/]+/" + re.escape(program)
            found = [name for name in self._entries if re.fullmatch(pattern, name)]
            if len(found) == 1:
                prefix = found[0][: -len(program)]
                return prefix, found[0], prefix + storages, ending
        raise FormatError("not a PyTorch zip checkpoint: it holds no single data.pkl")

    def _checked_entries(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if len(infos) > ENTRIES_MAX:
            raise FormatError(f"a zip archive of {len(infos)} entries")
        kind = kind_of_archive(info.filename for info in infos)
        if kind:
            raise FormatError(f"not a PyTorch zip checkpoint, but {kind}")
        entries: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                raise FormatError(f"zip entry '{info.filename}' is compressed")
            if info.flag_bits & 1 or info.filename in entries:
                raise FormatError(f"zip entry '{info.filename}' is encrypted or there twice")
            entries[info.filename] = info
        return entries

    def _read(self, name: str, limit: int) -> bytes:
        info = self._entries.get(name)
        if info is None:
            raise FormatError(f"zip entry '{name}' is missing")
        if info.file_size > limit:
            raise FormatError(f"zip entry '{name}' of {info.file_size} bytes is too large")
        try:
            data = self._zip.read(info)
        except (*_DAMAGE, OSError) as error:
            raise FormatError(f"zip entry '{name}' is damaged: {error}") from None
        if len(data) != info.file_size:
            raise FormatError(f"zip entry '{name}' is cut short")
        return data

    def pickle_bytes(self, limit: int) -> bytes:
        """The program that makes the object."""
        return self._read(self._pickle, limit)

    def text(self, name: str, limit: int) -> str:
        """A file of text beside the program, by its name below the prefix; "" where there is none.

        One that is larger than the limit or not UTF-8 counts as none.
        """
        info = self._entries.get(self._prefix + name)
        if info is None or info.file_size > limit:
            return ""
        try:
            return self._read(self._prefix + name, limit).decode()
        except UnicodeDecodeError:
            return ""

    def storage_bytes(self, storage: Storage) -> bytes:
        """The bytes of a storage that check_storage has accepted."""
        self._left -= storage.n_bytes
        if self._left < 0:
            raise FormatError("a file whose tensors share their storages more than a model would")
        return self._read(f"{self._storages}{storage.key}{self._ending}", storage.n_bytes)

    def check_storage(self, storage: Storage) -> Storage:
        """The storage, if the archive holds exactly the bytes that the pickle claims."""
        name = f"{self._storages}{storage.key}{self._ending}"
        info = self._entries.get(name)
        if info is None:
            raise FormatError(f"zip entry '{name}' is missing")
        if info.file_size != storage.n_bytes:
            raise FormatError(
                f"zip entry '{name}' has {info.file_size} bytes where the pickle claims "
                f"{storage.numel} elements of {storage.dtype.itemsize}"
            )
        return storage
