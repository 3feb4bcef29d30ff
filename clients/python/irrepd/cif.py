"""Crystals from CIF: cell, sites, and their images under the symmetry of the file.

Elements, symmetry and occupancies that are not understood are refused; nothing is dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from irrepd.cif_text import Block, read_blocks
from irrepd.symmetry import Operations, Symmetry, symmetry_of

# Images of a site that are one atom differ by what its coordinates were rounded; those that differ
# by more and are this near, in Angstrom, are neither one atom nor two.
_ONE_ATOM = 0.4
_ROUNDING = 1.05e-3  # of fractional coordinates, at least
_WHOLE = (0.99, 1.01)  # occupancies between these are whole


class _Sites(NamedTuple):
    labels: list[str]
    symbols: list[str]
    fractions: np.ndarray  # [n][3]
    errors: np.ndarray  # [n][3], to which they were rounded


class _Crystal(NamedTuple):
    owners: np.ndarray  # the site that each atom is an image of
    fractions: np.ndarray
    n_repeats: int  # sites that are images of earlier ones


def read(text: str) -> Iterator[Any]:
    """ase.Atoms of each data block that has atoms. ValueError, ImportError: see `symmetry_of`."""
    blocks = [
        block
        for block in read_blocks(text)
        if "_atom_site_fract_x" in block or "_atom_site_cartn_x" in block
    ]
    if not blocks:
        raise ValueError("the CIF lists no atoms: _atom_site_fract_x and the like are missing")
    for block in blocks:
        yield _atoms_of(block)


def _atoms_of(block: Block) -> Any:
    from ase import Atoms

    labels, symbols = _elements(block)
    _check_whole(block, labels)
    if "_cell_length_a" not in block:
        positions, _ = _triples(block, "cartn")
        return Atoms(symbols, positions)
    cell = _cell(block)
    if "_atom_site_fract_x" in block:
        fractions, errors = _triples(block, "fract")
    else:
        positions, errors = _triples(block, "cartn")
        fractions = positions @ np.linalg.inv(cell)
        errors = np.full_like(fractions, _ROUNDING)
    sites = _Sites(labels, symbols, fractions, errors)
    crystal = _crystal_of(sites, symmetry_of(block, cell @ cell.T), cell, block)
    symbols = [sites.symbols[i] for i in crystal.owners]
    return Atoms(symbols, scaled_positions=crystal.fractions, cell=cell, pbc=True)


# Numbers


def _number(text: str | None, tag: str) -> float:
    """A number of a tag, without the uncertainty in parentheses behind it."""
    plain = re.sub(r"\(\d*\)$", "", text or "")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", plain):
        raise ValueError(f"{tag}: '{text}' is not a number" if text else f"{tag}: a number is due")
    return float(plain)


def _rounding(text: str) -> float:
    """Half a unit of the last digit that is not zero, or the uncertainty where that is larger."""
    found = re.match(r"[+-]?\d*\.?(\d*)(?:[eE]([+-]?\d+))?(?:\((\d+)\))?", text)
    assert found is not None
    digits, power = len(found[1]), int(found[2] or 0)
    kept = len(found[1].rstrip("0"))
    unit = 10.0 ** (power - kept) / 2
    return max(unit, int(found[3] or 0) * 10.0 ** (power - digits))


def _cell(block: Block) -> np.ndarray:
    """Rows: a along x, b in the xy plane."""

    def value(tag: str) -> float:
        return _number(next(iter(block.get(tag, ())), None), tag)

    a, b, c = (value(f"_cell_length_{axis}") for axis in "abc")
    degrees = [value(f"_cell_angle_{angle}") for angle in ("alpha", "beta", "gamma")]
    cosines = [0.0 if angle == 90 else np.cos(np.radians(angle)) for angle in degrees]
    alpha, beta, gamma = cosines
    sine = np.sqrt(max(1 - gamma * gamma, 1e-300))
    y = (alpha - beta * gamma) / sine
    z = 1 - beta * beta - y * y
    if not (min(a, b, c) > 0 and z > 0):
        raise ValueError("no cell has these _cell_length_ and _cell_angle_ values")
    return np.array([[a, 0, 0], [b * gamma, b * sine, 0], [c * beta, c * y, c * np.sqrt(z)]])


def _triples(block: Block, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates [n][3], and to what they were rounded."""
    tags = [f"_atom_site_{kind}_{axis}" for axis in "xyz"]
    columns = [block.get(tag, []) for tag in tags]
    if len({len(column) for column in columns}) != 1:
        raise ValueError(f"_atom_site_{kind}_ lacks a coordinate")
    values = [[_number(text, tag) for text in column] for tag, column in zip(tags, columns)]
    errors = [[_rounding(text) for text in column] for column in columns]
    return np.array(values).T, np.array(errors).T


# Atoms


def _column(block: Block, name: str, count: int) -> list[str]:
    """Values of a tag of sites, "." where there is none."""
    values = block.get(f"_atom_site_{name}", [])
    return ["." if text == "?" else text for text in values] or ["."] * count


def _elements(block: Block) -> tuple[list[str], list[str]]:
    first = block.get("_atom_site_fract_x") or block.get("_atom_site_cartn_x") or []
    labels = _column(block, "label", len(first))
    types = _column(block, "type_symbol", len(first))
    if len(labels) != len(first) or len(types) != len(first):
        raise ValueError("_atom_site_: labels or type symbols are not those of all sites")
    known = {letters.capitalize() for letters in _words(block, "_chemical_formula_sum")}
    known |= {letters.capitalize() for letters in _words(block, "_atom_type_symbol")}
    symbols = []
    for label, kind in zip(labels, types):
        symbols.append(_of_type(kind) if kind != "." else _of_label(label, known))
    return [label if label != "." else kind for label, kind in zip(labels, types)], symbols


def _words(block: Block, tag: str) -> list[str]:
    return re.findall(r"[A-Za-z]+", " ".join(block.get(tag, ())))


def _symbol(letters: str) -> str | None:
    """The element of these letters, in any case; deuterium is hydrogen."""
    from ase.data import atomic_numbers

    name = "H" if letters.upper() in ("D", "T") else letters.capitalize()
    return name if atomic_numbers.get(name) else None


def _of_type(text: str) -> str:
    """The element of a type symbol: Na, NA, Na1+, O2-, D."""
    letters = re.match(r"[A-Za-z]+", text)
    symbol = _symbol(letters[0]) if letters and len(letters[0]) <= 2 else None
    if symbol is None:
        raise ValueError(f"_atom_site_type_symbol: '{text}' is not an element")
    return symbol


def _of_label(text: str, known: set[str]) -> str:
    """The element that a label begins with: Na1, NA1 where the formula has Na, O1W, OW."""
    found = re.match(r"[A-Za-z]+", text)
    letters = found[0] if found else ""
    if letters[1:] and letters[1].islower():
        letters = letters[:2]
    one, two = _symbol(letters[:1]), _symbol(letters) if len(letters) == 2 else None
    if len(letters) == 2 and letters[1].islower() and two is None:
        one = None  # as Wa of water, which is no W
    choices = [symbol for symbol in (two, one) if symbol and len(letters) <= 2]
    if letters[1:].isupper() and len(choices) == 2:
        choices = [symbol for symbol in choices if symbol in known] or choices
    elif choices:
        choices = choices[:1]
    if len(choices) == 1:
        return choices[0]
    reason = f"may be {' or '.join(choices)}" if choices else "begins with no element"
    raise ValueError(f"_atom_site_label: '{text}' {reason}: add _atom_site_type_symbol")


def _check_whole(block: Block, labels: Sequence[str]) -> None:
    """ValueError: a site is not one whole atom that is there."""
    low, high = _WHOLE
    occupancies = _column(block, "occupancy", len(labels))
    for label, text in zip(labels, occupancies):
        if text != "." and not low < _number(text, "_atom_site_occupancy") < high:
            raise ValueError(
                f"_atom_site_occupancy of {label} is {text}: models take whole atoms, so leave one "
                "occupant to each site"
            )
    groups = set(_column(block, "disorder_group", len(labels))) - {".", "0"}
    if len(groups) > 1:
        raise ValueError(
            f"_atom_site_disorder_group: the groups {', '.join(sorted(groups))} are alternatives: "
            "leave one of them"
        )
    for label, text in zip(labels, _column(block, "calc_flag", len(labels))):
        if text.lower() == "dum":
            raise ValueError(f"{label} is a dummy (_atom_site_calc_flag dum): leave it out")
    for label, text in zip(labels, _column(block, "attached_hydrogens", len(labels))):
        if text not in (".", "0"):
            raise ValueError(
                f"{label} has {text} hydrogens that are not listed (_atom_site_attached_hydrogens)"
            )


# Images


def _crystal_of(sites: _Sites, symmetry: Symmetry, cell: np.ndarray, block: Block) -> _Crystal:
    if not symmetry.named:
        return _images(sites, symmetry.listed, cell)
    crystals = _possible(sites, symmetry.named, cell)
    if len(crystals) > 1:
        crystals = _of_formula(crystals, sites, block)
    if len(crystals) > 1:  # the origin at which sites are special
        fewest = min(len(crystal.owners) for crystal in crystals)
        crystals = [crystal for crystal in crystals if len(crystal.owners) == fewest]
    if len(crystals) > 1:
        raise ValueError(
            f"space group {symmetry.name} has two origins, and the CIF does not say which: append "
            ":1 or :2 to the symbol, or give Hall's"
        )
    (crystal,) = crystals
    if symmetry.listed.n > 1 or crystal.n_repeats:
        # The file lists fewer operations than its group has: are its sites one for each orbit?
        as_listed = _images(sites, symmetry.listed, cell)
        is_more = crystal.n_repeats > as_listed.n_repeats
        if is_more and len(crystal.owners) != len(as_listed.owners):
            raise ValueError(
                f"the CIF names space group {symmetry.name}, but neither its operations nor its "
                "atoms are those of it: list all operations, or write all atoms in P 1"
            )
    return crystal


def _possible(sites: _Sites, named: list[Operations], cell: np.ndarray) -> list[_Crystal]:
    """ValueError: with none of these groups there is a crystal."""
    crystals, faults = [], []
    for operations in named:
        try:
            crystals.append(_images(sites, operations, cell))
        except ValueError as error:
            faults.append(error)
    if not crystals:
        raise faults[0]
    return crystals


def _of_formula(crystals: list[_Crystal], sites: _Sites, block: Block) -> list[_Crystal]:
    """Those with the composition that the file tells, or all of them."""
    text = " ".join(block.get("_chemical_formula_sum", ()))
    due: dict[str, float] = {}
    for letters, count in re.findall(r"([A-Za-z]+)(\d*\.?\d*)", text):
        symbol = _symbol(letters)
        if symbol is None:
            return crystals
        due[symbol] = due.get(symbol, 0.0) + float(count or 1)
    kept = [crystal for crystal in crystals if _has_ratios(crystal, sites, due)]
    return kept or crystals


def _has_ratios(crystal: _Crystal, sites: _Sites, due: dict[str, float]) -> bool:
    symbols = [sites.symbols[i] for i in crystal.owners]
    counts = {symbol: symbols.count(symbol) for symbol in set(symbols)}
    if not due or counts.keys() != due.keys():
        return False
    ratios = [counts[symbol] / due[symbol] for symbol in due]
    return max(ratios) - min(ratios) < 0.01 * max(ratios)


def _images(sites: _Sites, operations: Operations, cell: np.ndarray) -> _Crystal:
    """Each site with its images, once each; sites that are images of earlier ones are left out.

    ValueError: images so near that they are neither one atom nor two; two elements at a site.
    """
    taken = _Taken(cell)
    owners: list[int] = []
    n_repeats = 0
    moved = np.einsum("nij,sj->sni", operations.rotations, sites.fractions)
    moved += operations.translations
    moved = np.where(np.isclose(moved % 1.0, 1.0, rtol=0, atol=1e-12), 0.0, moved % 1.0)
    spread = np.einsum("nij,sj->sni", abs(operations.rotations), sites.errors)
    for s, (label, symbol) in enumerate(zip(sites.labels, sites.symbols)):
        before = taken.find(sites.fractions[s] % 1.0, sites.errors[s])
        if before is not None:
            if sites.symbols[owners[before]] != symbol:
                raise ValueError(
                    f"{sites.labels[owners[before]]} and {label} share a site: leave one occupant "
                    "to each site"
                )
            if not taken.is_listed[before]:
                n_repeats += 1
                continue
        first = len(taken.fractions)
        for n in range(operations.n):
            same = taken.find(moved[s, n], spread[s, n], first, label)
            if same is None:
                taken.add(moved[s, n], spread[s, n], n == 0)
                owners.append(s)
    return _Crystal(np.array(owners, dtype=int), np.array(taken.fractions), n_repeats)


class _Taken:
    """Places of atoms in slices along x, so that looking one up takes no time."""

    SLICES = 100

    def __init__(self, cell: np.ndarray) -> None:
        self.fractions: list[np.ndarray] = []
        self.is_listed: list[bool] = []  # as the file has it, not an image of that
        self._errors: list[np.ndarray] = []
        self._slices: dict[int, list[int]] = {}
        self._cell = cell
        reach = _ONE_ATOM * float(np.linalg.norm(np.linalg.inv(cell)[:, 0]))
        self._reach = int(min(reach, 0.5) * self.SLICES) + 1

    def add(self, place: np.ndarray, error: np.ndarray, is_listed: bool) -> None:
        self._slices.setdefault(int(place[0] * self.SLICES), []).append(len(self.fractions))
        self.fractions.append(place)
        self.is_listed.append(is_listed)
        self._errors.append(error)

    def find(
        self, place: np.ndarray, error: np.ndarray, first: int = 0, label: str | None = None
    ) -> int | None:
        """The atom from `first` on that is at this place but for rounding.

        ValueError: an image of the site with this label is near, but not that near.
        """
        middle = int(place[0] * self.SLICES)
        steps = range(-self._reach, self._reach + 1)
        numbers = {(middle + step) % self.SLICES for step in steps}
        near = [i for number in numbers for i in self._slices.get(number, ()) if i >= first]
        if not near:
            return None
        apart = np.array([self.fractions[i] for i in near]) - place
        apart -= np.rint(apart)
        distances = np.sqrt(((apart @ self._cell) ** 2).sum(axis=1))
        bounds = np.maximum(1.05 * (np.array([self._errors[i] for i in near]) + error), _ROUNDING)
        is_same = (abs(apart) <= bounds).all(axis=1) & (distances <= _ONE_ATOM)
        if is_same.any():
            return near[int(np.where(is_same, distances, np.inf).argmin())]
        if label is not None and distances.min() < _ONE_ATOM:
            raise ValueError(
                f"images of {label} under the symmetry are {distances.min():.2g} Angstrom apart: "
                "its coordinates need more digits, or the symmetry is another one"
            )
        return None
