"""Elements of LAMMPS' atom types, which its files seldom name; and what the readers share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

MASS_NEAR = 0.1  # u; a mass this near to that of an element tells the element


def types_of(symbols: Sequence[str]) -> dict[int, str]:
    """Types 1, 2, ... with their elements. ValueError: a symbol is none."""
    from ase.data import atomic_numbers

    for symbol in symbols:
        if not atomic_numbers.get(symbol):
            raise ValueError(f"--species: '{symbol}' is no symbol of an element, as Si is")
    return dict(enumerate(symbols, 1))


def needs_species(i: int, number: int) -> ValueError:
    return ValueError(
        f"atom {i} is of type {number}, and the file does not say of which element: name the "
        "elements of types 1, 2, ... by --species, as in --species Si O"
    )


def element_of(types: Mapping[int, str], number: int, i: int) -> str:
    if number not in types:
        raise ValueError(f"atom {i} is of type {number}, but --species names {len(types)}")
    return types[number]


def elements_of_masses(masses: Iterable[float]) -> list[str] | None:
    """Of each mass, in u, the element; None: some are not those of elements."""
    import numpy as np
    from ase.data import atomic_masses, chemical_symbols

    found = []
    for mass in masses:
        apart = np.abs(np.asarray(atomic_masses[1:]) - mass)
        number = int(apart.argmin()) + 1
        if not apart[number - 1] <= MASS_NEAR:
            return None
        found.append(chemical_symbols[number])
    return found


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
