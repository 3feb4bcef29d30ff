"""What upstream codes changed from release to release, as far as a conversion depends on it.

A checkpoint of options and weights means what the release that wrote it made of them. Every rule by
release is here, with the first release that has it and the place where upstream says so. Where a
file holds pickled modules instead, their classes and attributes say what they are, and no rule is
needed (mace-torch, schnetpack, packages of nequip).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from irrepd.convert.state import described
from irrepd.errors import FormatError

Version = tuple[int, int, int]


class ReleaseWarning(UserWarning):
    """A file of a release that this converter has not been tested with."""


@dataclass(frozen=True)
class Change:
    """`what` is as it is since `release`."""

    code: str
    release: Version
    what: str
    source: str
    stages_before: tuple[str, ...] = ()  # of `release`, if it is known which lack the change


NEQUIP_SCATTER = Change(
    "nequip", (0, 8, 0),
    "a convolution's tensor product is 'tp_scatter.tp' (before: 'tp')",
    "CHANGELOG.md 0.8.0: InteractionBlock refactored; nequip/nn/_tp_scatter_base.py",
)  # fmt: skip
NEQUIP_HIDDEN_ORDER = Change(
    "nequip", (0, 16, 0),
    "hidden irreps are ordered by degree, then parity (before: by parity, then degree)",
    "nequip/model/nequip_models.py, commit 81c8484a",
)  # fmt: skip
NEQUIP_NATURAL_PARITY = Change(
    "nequip", (0, 16, 0),
    "without parity, harmonics and features of degree l have parity (-1)^l (before: all even)",
    "nequip/model/nequip_models.py, commit c213fb31",
)  # fmt: skip
NEQUIP_ZBL_CUTOFF = Change(
    "nequip", (0, 17, 0),
    "the ZBL term has a cutoff function of its own, p = 6 unless given (before: the network's)",
    "nequip/nn/pair_potential.py, commit 97356717",
)  # fmt: skip
ALLEGRO_SCALAR_EMBED = Change(
    "allegro", (0, 5, 0),
    "the MLP of the two-body embedding is a module of its own, 'parity' is a flag, and the readout "
    "has a nonlinearity (before: 'scalar_embed', 'parity_setting', none)",
    "CHANGELOG.md 0.5.0; allegro/model/allegro_models.py",
)  # fmt: skip
MACE_WHOLE_POWER = Change(
    "mace", (0, 3, 5),
    "the power p of a polynomial cutoff is cut to a whole number (before: taken as it is)",
    "mace/modules/radial.py, PolynomialCutoff; files do not tell their release",
)  # fmt: skip
SEVENN_ZERO_DEGREE = Change(
    "sevenn", (0, 9, 5),
    "'lmax_edge' and 'lmax_node' of 0 mean 'lmax' (before: 0)",
    "sevenn/model_build.py",
)  # fmt: skip
SEVENN_UNIT_HARMONICS = Change(
    "sevenn", (0, 10, 0),
    "harmonics are of the unit direction unless '_normalize_sph' says otherwise (before: times r^l "
    "unless it does)",
    "sevenn/scripts/backward_compatibility.py, patch_old_config",
)  # fmt: skip
SEVENN_SORTED_FILTERS = Change(
    "sevenn", (0, 11, 0),
    "filters are stored sorted by the irrep of the output (before: in nested order)",
    "sevenn/scripts/backward_compatibility.py, patch_state_dict_if_old",
    stages_before=("dev0",),
)  # fmt: skip

# The newest releases that the tests know: (major, minor). Later ones of the same minor release
# have not changed what a file means in any of these codes.
NEWEST = {"nequip": (0, 19), "allegro": (0, 8), "sevenn": (0, 13), "schnetpack": (2, 2)}


@dataclass(frozen=True)
class Release:
    """Of one code; `version` None: the file does not say it."""

    code: str
    version: Version | None = None
    stage: str = ""  # "dev0", "rc1", "post1"; "" for the release itself
    text: str = ""  # as the file has it

    def has(self, change: Change) -> bool:
        """Whether this release has the change; FormatError where that cannot be told."""
        assert change.code == self.code
        since = ".".join(map(str, change.release))
        if self.version is None:
            raise FormatError(
                f"the file does not tell the version of {self.code} that wrote it, which counts: "
                f"since {since}, {change.what}"
            )
        if self.version == change.release and self.stage and not self.stage.startswith("post"):
            if change.stages_before:
                return self.stage not in change.stages_before
            raise FormatError(
                f"{self} lies before {since}, and may have its change or not: {change.what}"
            )
        return self.version >= change.release

    @property
    def is_newer_than_known(self) -> bool:
        return self.version is not None and self.version[:2] > NEWEST[self.code]

    def refuse_newer(self, advice: str = "") -> None:
        """For files whose options mean what the release makes of them."""
        if self.is_newer_than_known:
            raise FormatError(f"{self._too_new()}" + (f"; {advice}" if advice else ""))

    def warn_of_newer(self) -> None:
        """For files that say of themselves what they are."""
        if self.is_newer_than_known:
            warnings.warn(
                f"{self._too_new()}: compare some energies with upstream's",
                ReleaseWarning,
                stacklevel=2,
            )

    def _too_new(self) -> str:
        known = ".".join(map(str, NEWEST[self.code]))
        return f"{self} is newer than this converter, which knows {known}"

    def __str__(self) -> str:
        if self.version is None:
            return f"{self.code} of an unknown release"
        return f"{self.code} {self.text}"


def release_of(code: str, text: Any) -> Release:
    """Of a version such as "0.12.1" or "0.9.3.post1"; None is an unknown one."""
    if text is None:
        return Release(code)
    pattern = r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[.\-_]?([a-z]{1,8}\d{0,8}))?(?:\+.*)?"
    match = re.fullmatch(pattern, text) if isinstance(text, str) and len(text) < 100 else None
    if match is None:
        raise FormatError(f"version {described(text)} of {code} is not understood")
    numbers = int(match[1]), int(match[2]), int(match[3] or 0)
    return Release(code, numbers, match[4] or "", text)


def releases_of(versions: Any) -> dict[str, Release]:
    """By code, of a file's table of versions; unknown ones where it has none."""
    table = versions if isinstance(versions, Mapping) else {}
    return {code: release_of(code, table.get(code)) for code in NEWEST}
