"""What a file is that is none of PyTorch's zip archives, for a message that helps."""

from __future__ import annotations

import os
from collections.abc import Iterable

_RESAVE = "load and save it anew with torch 1.6 or later"
_COMPILED = (
    "a compiled model has no layers to read. Convert the checkpoint, pickled model or nequip "
    "package that it was made from"
)
# By how a file begins.
_BEGINNINGS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself: fetch it (git lfs "
     "pull, or the hub's download link)"),
    (b"<!doctype html", "a web page, not the file behind it: download it anew"),
    (b"<html", "a web page, not the file behind it: download it anew"),
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "a file of torch.save from before torch 1.6 "
     f"(or by _use_new_zipfile_serialization=False): {_RESAVE}"),
    (b"\x80", f"a pickle without an archive around it: {_RESAVE}"),
    (b"\x1f\x8b", "a file that gzip compressed: gunzip it first"),
    (b"\xfd7zXZ", "a file that xz compressed: unxz it first"),
    (b"\x28\xb5\x2f\xfd", "a file that zstd compressed: unzstd it first"),
    (b"BZh", "a file that bzip2 compressed: bunzip2 it first"),
    (b"\x89HDF", "an HDF5 file, not a checkpoint"),
    (b"\x7fELF", "a shared library or program (nequip-compile makes such models): " + _COMPILED),
)  # fmt: skip
# By an entry that a zip archive has below its first folder, or that ends so.
_ENTRIES = (
    ("constants.pkl", "a TorchScript archive (nequip-compile, nequip-deploy, mace's LAMMPS models, "
     "sevenn's deployed ones, torch.jit.save): " + _COMPILED),
    ("archive_format", f"an archive of torch.export or AOTInductor (.pt2): {_COMPILED}"),
    ("metadata.json", "an ONNX or Keras archive, not a checkpoint"),
)  # fmt: skip


def kind_of_file(path: str | os.PathLike[str]) -> str:
    """In one phrase, from how the file begins; "" if nothing is known of it."""
    with open(path, "rb") as file:
        head = file.read(512)
        size = file.seek(0, os.SEEK_END)
    if not head:
        return "an empty file"
    if 0 < int.from_bytes(head[:8], "little") < size and head[8:9] == b"{":
        return (
            "a safetensors file: one that irrepd.convert wrote is a model file already; one of "
            "MACE v1, which is not released and whose format may change, is not read: convert the "
            ".model file"
        )
    for beginning, kind in _BEGINNINGS:
        if head.lstrip(b" \t\r\n").lower().startswith(beginning.lower()):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return f"a zip archive that ends too early (it has {size} bytes): copy or download it anew"
    if head[257:262] == b"ustar":
        return f"a tar archive: unpack it first; if it is of torch.save before torch 1.6, {_RESAVE}"
    if not any(head.lstrip(b"\0")):
        return "a file of zeros"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return "a text file, not a checkpoint"
    return ""


def kind_of_archive(entries: Iterable[str]) -> str:
    """What a zip archive is, from its entries; "" if it may be a checkpoint."""
    names = {name.partition("/")[2] or name for name in entries}
    for entry, kind in _ENTRIES:
        if entry in names:
            return kind
    if any(name.endswith(".npy") for name in names):
        return "an archive of numpy arrays, not a checkpoint"
    return ""
