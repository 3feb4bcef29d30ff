"""Checkpoints that their authors publish: where they lie, under which licence, how to cite them.

Addresses are those of the authors' own packages: nequix 0.4.5 (calculator.py) and mace-torch 0.3.16
(calculators/foundations_models.py). None of these publishes a sha256, nor a size.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

ASL = "ASL"  # Academic Software License: no commercial use

_NEQUIX = "https://github.com/atomicarchitects/nequix/raw"
_MACE = "https://github.com/ACEsuit/mace-mp/releases/download"
_FOUNDATIONS = "https://github.com/ACEsuit/mace-foundations/releases/download"
_OFF = "https://raw.githubusercontent.com/ACEsuit/mace-off/main/mace_off23"
_KOKER = "T. Koker, M. Kotak, T. Smidt, arXiv:2508.16067 (2025)"
_PFT = "T. Koker et al., arXiv:2601.07742 (2026)"
_BATATIA = "I. Batatia et al., arXiv:2401.00096 (2023)"
_KOVACS = "D. P. Kovacs et al., arXiv:2312.15211 (2023)"


@dataclass(frozen=True)
class Published:
    """A checkpoint. size in bytes and sha256 are checked where the authors tell them."""

    name: str
    url: str
    license: str
    citation: str
    functional: str
    aliases: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None

    @property
    def is_free(self) -> bool:
        return self.license != ASL

    @property
    def file_name(self) -> str:
        return self.url.rpartition("/")[2]


def _nequix(name: str, commit: str, citation: str = _PFT) -> Published:
    url = f"{_NEQUIX}/{commit}/models/{name}.nqx"
    return Published(name, url, "CC-BY-4.0", citation, "PBE(+U)")


def _mace(name: str, path: str, alias: str, license: str = "MIT", functional: str = "PBE(+U)",
          base: str = _MACE) -> Published:  # fmt: skip
    return Published(name, f"{base}/{path}", license, _BATATIA, functional, (alias,))


def _off(size: str) -> Published:
    url = f"{_OFF}/MACE-OFF23_{size}.model"
    return Published(f"mace-off23-{size}", url, ASL, _KOVACS, "wB97M-D3(BJ)", (f"off23-{size}",))


_MP, _OMAT = "7c2854de8e754b1a60274c7d9d2e014989ed632e", "9c852a9c4cce69ae5e75bc5a2cf670be21ff8c28"
CATALOGUE: tuple[Published, ...] = (
    _nequix("nequix-mp-1", _MP, _KOKER),
    _nequix("nequix-mp-1-pft", _MP),
    _nequix("nequix-mp-1-pft-no-cotrain", _MP),
    _nequix("nequix-omat-1", _OMAT),
    _nequix("nequix-oam-1", _OMAT),
    _nequix("nequix-oam-1-pft", _OMAT),
    _mace("mace-mp-0-small", "mace_mp_0/2023-12-10-mace-128-L0_energy_epoch-249.model", "small"),
    _mace("mace-mp-0-medium", "mace_mp_0/2023-12-03-mace-128-L1_epoch-199.model", "medium"),
    _mace("mace-mp-0-large", "mace_mp_0/MACE_MPtrj_2022.9.model", "large"),
    _mace("mace-mp-0b-small", "mace_mp_0b/mace_agnesi_small.model", "small-0b"),
    _mace("mace-mp-0b-medium", "mace_mp_0b/mace_agnesi_medium.model", "medium-0b"),
    _mace("mace-mp-0b2-small", "mace_mp_0b2/mace-small-density-agnesi-stress.model", "small-0b2"),
    _mace("mace-mp-0b2-medium", "mace_mp_0b2/mace-medium-density-agnesi-stress.model",
          "medium-0b2"),
    _mace("mace-mp-0b2-large", "mace_mp_0b2/mace-large-density-agnesi-stress.model", "large-0b2"),
    _mace("mace-mp-0b3-medium", "mace_mp_0b3/mace-mp-0b3-medium.model", "medium-0b3"),
    _mace("mace-mpa-0-medium", "mace_mpa_0/mace-mpa-0-medium.model", "medium-mpa-0"),
    _mace("mace-omat-0-small", "mace_omat_0/mace-omat-0-small.model", "small-omat-0", ASL),
    _mace("mace-omat-0-medium", "mace_omat_0/mace-omat-0-medium.model", "medium-omat-0", ASL),
    _mace("mace-matpes-pbe-0", "mace_matpes_0/MACE-matpes-pbe-omat-ft.model", "matpes-pbe-0", ASL,
          "PBE", _FOUNDATIONS),
    _mace("mace-matpes-r2scan-0", "mace_matpes_0/MACE-matpes-r2scan-omat-ft.model",
          "matpes-r2scan-0", ASL, "r2SCAN", _FOUNDATIONS),
    _off("small"),
    _off("medium"),
    _off("large"),
)  # fmt: skip

# Other names of models that `make models` makes.
_LOCAL_ALIASES = {"7net-0": "sevennet-0", "sevennet": "sevennet-0", "7net-l3i5": "sevennet-l3i5"}


def canonical(name: str) -> str:
    """The name of a model under one of its other names; any other name as it is."""
    for entry in CATALOGUE:
        if name in entry.aliases:
            return entry.name
    return _LOCAL_ALIASES.get(name, name)


def find(name: str) -> Published:
    """The checkpoint of a name or alias; ValueError, with near names, where there is none."""
    wanted = canonical(name)
    for entry in CATALOGUE:
        if entry.name == wanted:
            return entry
    known = [*(e.name for e in CATALOGUE), *(alias for e in CATALOGUE for alias in e.aliases)]
    near = did_you_mean(name, known)
    raise ValueError(f"no published model '{name[:80]}'{near}; --list shows all")


def did_you_mean(name: str, known: list[str]) -> str:
    """A phrase with the names that are near, or nothing."""
    near = difflib.get_close_matches(name[:80].lower(), known, n=3, cutoff=0.6)
    return f": did you mean {' or '.join(near)}?" if near else ""
