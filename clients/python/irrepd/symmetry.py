"""The symmetry operations of a crystal, from the tags of a CIF that list or name them.

Groups that are named only (Hall's symbol, Hermann and Mauguin's, a number) need the tables of gemmi
(`pip install 'irrepd[cif]'`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from irrepd.cif_text import Block

_LISTS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_magn_operation_xyz",
)
_CENTRINGS = "_space_group_symop_magn_centering_xyz"
_HALL = re.compile(r"_(symmetry|space_group)(_space_group)?_name_hall$")
_NAME = re.compile(r"_(symmetry|space_group)_(space_group_|pdbx_)?(full_space_group_)?name_h[-_]?m")
_NUMBER = re.compile(r"_(symmetry|space_group)_(space_group_)?(int_tables|it|group_it)_number$")
_CODE = "_space_group_it_coordinate_system_code"
# Tags that tell of symmetry in a way that is not understood here, and those that tell nothing more.
_OTHER = re.compile(
    r"_(symmetry|space_group)_.*(name|number|symop|operation|equiv|ssg)|_cell_modulation_dimension$"
)
_HARMLESS = re.compile(r"(_id|_patterson_name.*|_mxmymz)$")
_NOTHING = ("0", "C1^1", "1.1", "1.1.1")  # what no symmetry is called besides P 1
_DOUBLE_GLIDES = (39, 41, 64, 67, 68)  # groups with two glides across the axis of their centring
_NEAR = 2e-3  # of translations
_TERM = r"(?:(?:\d*\.?\d+(?:/\d+)?\*?)?[xyz]|\d*\.?\d+(?:/\d+)?)"
_SUM = re.compile(rf"[+-]?{_TERM}(?:[+-]{_TERM})*")
_PART = re.compile(r"([+-]?)(?:(\d*\.?\d+)(?:/(\d+))?)?\*?([xyz]?)")


class Operations(NamedTuple):
    """x -> rotations[n] x + translations[n], in fractional coordinates."""

    rotations: np.ndarray  # [n][3][3], whole numbers
    translations: np.ndarray  # [n][3], from 0 to below 1

    @property
    def n(self) -> int:
        return len(self.rotations)


class Symmetry(NamedTuple):
    """What a file says; `listed` has fewer operations than each of `named`."""

    listed: Operations
    named: list[Operations]  # settings that the name may mean; empty: `listed` is all
    name: str


IDENTITY = Operations(np.eye(3, dtype=int)[None], np.zeros((1, 3)))


def symmetry_of(block: Block, metric: np.ndarray) -> Symmetry:
    """metric: [3][3], scalar products of the lattice vectors, which a setting must fit.

    ValueError: operations that are none, or a group that is not known; ImportError: it is named
    only, and there is no gemmi.
    """
    listed = _listed(block)
    hall, number = _value(block, _HALL), _value(block, _NUMBER)
    names = [text for _, text in _values(block, _NAME)]
    given = [text for text in (*names, hall, number and f"number {number}") if text]
    is_trivial = [_is_trivial(text) for text in given]
    if all(is_trivial):
        _check_others(block, listed)
        return Symmetry(listed or IDENTITY, [], "P 1")
    name = given[is_trivial.index(False)]
    try:
        if any(is_trivial):
            raise ValueError(f"the CIF names two space groups: {' and '.join(given)}")
        named = _named(block, hall, names, number, metric)
    except (ImportError, ValueError):
        if listed is not None and listed.n > 1:  # they tell all that is needed
            return Symmetry(listed, [], name)
        raise
    if listed is None:
        return Symmetry(IDENTITY, named, name)
    larger = [group for group in named if listed.n < group.n and _is_part(listed, group)]
    return Symmetry(listed, larger, name)


def _values(block: Block, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for tag, values in block.items():
        if pattern.match(tag) and values and values[0].strip() not in (".", "?", ""):
            yield tag, values[0].strip()


def _value(block: Block, pattern: re.Pattern[str]) -> str | None:
    return next((text for _, text in _values(block, pattern)), None)


def _is_trivial(text: str) -> bool:
    return re.sub(r"\s|^number", "", text).upper() in ("P1", "1")


def _check_others(block: Block, listed: Operations | None) -> None:
    """ValueError: the file tells of symmetry by tags that are not understood."""
    known = (*_LISTS, _CENTRINGS, _CODE)
    for tag, text in _values(block, _OTHER):
        is_known = tag in known or _HARMLESS.search(tag) or _NAME.match(tag) or _NUMBER.match(tag)
        if is_known or _is_trivial(text) or text in _NOTHING:
            continue
        if listed is None or listed.n == 1 or "ssg" in tag or "modulation" in tag:
            raise ValueError(
                f"the symmetry is told by {tag} '{text}', which is not understood: add "
                f"{_LISTS[0]}, or write all atoms in P 1"
            )


# Operations that the file lists


def _listed(block: Block) -> Operations | None:
    tag = next((name for name in _LISTS if name in block), None)
    if tag is None:
        return None
    found = [_operation(text, tag) for text in block[tag]]
    if _CENTRINGS in block:
        centrings = [_operation(text, _CENTRINGS) for text in block[_CENTRINGS]]
        found = [(r @ rotation, (r @ shift + t)) for r, t in centrings for rotation, shift in found]
    operations = Operations(
        np.array([rotation for rotation, _ in found]),
        np.array([shift for _, shift in found]) % 1.0,
    )
    _check_group(operations, tag)
    return operations


def _operation(text: str, tag: str) -> tuple[np.ndarray, np.ndarray]:
    """ "-x+1/2, y, z", in files of magnetic structures with a sign of time behind it."""
    parts = re.sub(r"\s", "", text.lower()).split(",")
    if len(parts) == 4 and "magn" in tag and parts[3] in ("+1", "-1", "1"):
        parts = parts[:3]
    rotation, shift = np.zeros((3, 3)), np.zeros(3)
    is_good = len(parts) == 3 and all(_SUM.fullmatch(part) for part in parts)
    for i, part in enumerate(parts if is_good else ()):
        for sign, top, bottom, axis in _PART.findall(part):
            value = float(top or bool(axis)) / float(bottom or 1) * (-1 if sign == "-" else 1)
            if axis:
                rotation[i, "xyz".index(axis)] += value
            else:
                shift[i] += value
    is_whole = (abs(rotation) <= 2).all() and (rotation == np.rint(rotation)).all()
    if not is_good or not is_whole or abs(round(np.linalg.det(rotation))) != 1:
        raise ValueError(f"{tag}: '{text[:80]}' is not a symmetry operation")
    return rotation.astype(int), shift


def _keys(rotations: np.ndarray) -> np.ndarray:
    """A number for each rotation, equal for equal ones."""
    return (rotations.reshape(-1, 9) + 2) @ 5 ** np.arange(9)


def _has(group: Operations, rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:
    """Which operations the group has."""
    same = _keys(rotations)[:, None] == _keys(group.rotations)[None]
    apart = translations[:, None] - group.translations[None]
    return (same & (abs(apart - np.rint(apart)) < _NEAR).all(axis=2)).any(axis=1)


def _check_group(listed: Operations, tag: str) -> None:
    if listed.n > 192 * 27:
        raise ValueError(f"{tag} lists {listed.n} operations, more than any group has")
    for rotation, shift in zip(*listed):
        rotations = rotation @ listed.rotations
        translations = (listed.translations @ rotation.T + shift) % 1.0
        if not _has(listed, rotations, translations).all():
            raise ValueError(
                f"{tag}: the operations are no group, for products of them are missing: list all"
            )


def _is_part(few: Operations, many: Operations) -> bool:
    return bool(_has(many, few.rotations, few.translations).all())


# Groups that the file names


def _named(
    block: Block, hall: str | None, names: list[str], number: str | None, metric: np.ndarray
) -> list[Operations]:
    """The settings that fit the cell, one but for two origins that the file leaves open."""
    try:
        import gemmi
    except ImportError:
        what = next(iter(names), None) or hall or f"number {number}"
        raise ImportError(
            f"the CIF names space group {what} but does not list its operations: for the tables "
            "of groups pip install 'irrepd[cif]', which is gemmi"
        ) from None
    code = _value(block, re.compile(re.escape(_CODE))) or ""
    settings = [_settings_of_name(gemmi, name, code) for name in names]
    if number is not None:
        settings.append(_settings_of_number(gemmi, number, code, bool(names or hall)))
    for other in settings[1:]:
        if {x.number for x in settings[0]}.isdisjoint(x.number for x in other):
            raise ValueError(
                f"the CIF names two space groups: {' and '.join(names)}, number {number}"
            )
    if hall is not None:
        group = _of_hall(gemmi, hall)
        if settings and all(_of_hall(gemmi, x.hall).n != group.n for x in settings[0]):
            raise ValueError(
                f"the CIF names two space groups: {hall} and {', '.join(names) or number}"
            )
        fitting = [(hall, group)]
    else:
        fitting = [(x.hm, _of_hall(gemmi, x.hall)) for x in settings[0]]
    fitting = [(name, group) for name, group in fitting if _fits(group, metric)]
    if not fitting:
        raise ValueError(
            f"the cell has not the symmetry of space group {next(iter(names), hall or number)}"
        )
    # Of settings with other axes the first is the standard; origins stay open.
    return [group for name, group in fitting if name == fitting[0][0]]


def _of_hall(gemmi: Any, symbol: str) -> Operations:
    try:
        found = list(gemmi.symops_from_hall(symbol.replace("_", " ")))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"'{symbol}' is no Hall symbol: {error}") from None
    rotations = np.array([op.rot for op in found], dtype=int) // gemmi.Op.DEN
    translations = np.array([op.tran for op in found], dtype=float) / gemmi.Op.DEN
    return Operations(rotations, translations % 1.0)


def _fits(group: Operations, metric: np.ndarray) -> bool:
    moved = np.einsum("nki,kl,nlj->nij", group.rotations, metric, group.rotations)
    lengths = np.sqrt(np.diag(metric))
    return bool((abs(moved - metric) < 0.02 * np.outer(lengths, lengths)).all())


def _compact(name: str) -> str:
    return re.sub(r"[\s_()]", "", name).lower()


def _split(name: str) -> tuple[str, str]:
    """A symbol and the setting behind it, as in "F d -3 m :2", "R -3 m H" or "F d -3 m Z"."""
    found = re.match(r"(.+?)\s*(?::\s*(\w+)|\(?origin(?: choice)? ?([12])\)?|\s([SZHR]))$", name)
    if not found:
        return name, ""
    choice = found[2] or found[3] or found[4]
    return found[1], {"S": "1", "Z": "2"}.get(choice.upper(), choice.upper())


def short_symbol(name: str) -> str:
    """ "P n m a" of the full symbol "P 21/n 21/m 21/a", "F d -3 m" of "F 41/d -3 2/m"."""
    lattice, *axes = name.replace("_", "").split()
    if len(axes) < 2 or ("1" in axes and axes[0] != "-3"):
        return name
    is_cubic = axes[1] == "-3"
    is_flat = all(re.fullmatch(r"21?/\w", axis) for axis in axes)
    shortened = [
        re.sub(r"^[246][1-5]?/", "", axis) if i > 0 or is_cubic or is_flat else axis
        for i, axis in enumerate(axes)
    ]
    return " ".join([lattice, *shortened])


def _is_named(setting: Any, names: set[str]) -> bool:
    own = {_compact(setting.hm), _compact(setting.short_name())}
    if 3 <= setting.number <= 15:  # "P 21/c" of "P 1 21/c 1"
        own.add(_compact("".join(part for part in setting.hm.split() if part != "1")))
    if setting.number >= 195:
        own |= {name.replace("-3", "3") for name in own}  # as until 1983
    if setting.number in _DOUBLE_GLIDES:  # as since 1992
        parts = setting.hm.split()
        parts[1 + "ABC".index(parts[0])] = "e"
        own.add(_compact("".join(parts)))
    return not own.isdisjoint(names)


def _settings_of_name(gemmi: Any, given: str, code: str) -> list[Any]:
    name, choice = _split(given)
    if re.match(r"H ?-?3", name):  # as the Protein Data Bank calls R on hexagonal axes
        name, choice = "R" + name[1:], "H"
    names = {_compact(name), _compact(short_symbol(name))}
    found = [x for x in gemmi.spacegroup_table() if _is_named(x, names)]
    if not found:
        raise ValueError(
            f"the space group's symbol '{given}' is not known: give Hall's symbol, list the "
            f"operations ({_LISTS[0]}), or write all atoms in P 1"
        )
    return _chosen(found, choice or code)


def _settings_of_number(gemmi: Any, text: str, code: str, is_named: bool) -> list[Any]:
    found = [x for x in gemmi.spacegroup_table() if text.isdigit() and x.number == int(text)]
    if not found:
        raise ValueError(f"'{text}' is no number of a space group")
    return found if is_named else _chosen(found, code)


def _chosen(found: list[Any], choice: str) -> list[Any]:
    kept = [x for x in found if str(x.qualifier).upper() == choice.upper()]
    kept += [x for x in found if str(x.ext).upper() == choice.upper()]
    return kept if choice and kept else found
