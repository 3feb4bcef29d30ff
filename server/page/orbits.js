// The atoms of a crystal: each site with its images under symmetry operations. Sites are {label,
// number, place, error}: place in fractions, error to what each of them was rounded.

import { Fault } from "./fields.js";
import { length, toCartesian, toFractional } from "./geometry.js";

// Images of a site that are one atom differ by what its coordinates were rounded; those that differ by
// more and are this near, in Angstrom, are neither one atom nor two.
const ONE_ATOM = 0.4;
const ROUNDING = 1.05e-3; // of fractions, at least
const SLICES = 100;

const wrap = (x) => {
  const inside = ((x % 1) + 1) % 1;
  return inside > 1 - 1e-12 ? 0 : inside;
};

/** Places of atoms in slices along x, so that looking one up takes no time. */
class Taken {
  constructor(cell) {
    this.cell = cell;
    this.atoms = [];
    this.slices = new Map();
    const alongX = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((axis) => toFractional(axis, cell)[0]);
    this.reach = Math.floor(Math.min(ONE_ATOM * length(alongX), 0.5) * SLICES) + 1;
  }

  /** atom: {site, place, error, isListed}; isListed: as the file has it, not an image of that. */
  add(atom) {
    const slice = Math.floor(atom.place[0] * SLICES);
    if (!this.slices.has(slice)) this.slices.set(slice, []);
    this.slices.get(slice).push(this.atoms.length);
    this.atoms.push(atom);
  }

  /** The atom from `first` on that is at this place but for rounding. A Fault where an image of the
   * site with this label is near, but not that near. */
  find(place, error, first = 0, label = null) {
    const middle = Math.floor(place[0] * SLICES), slices = new Set();
    for (let step = -this.reach; step <= this.reach; step++)
      slices.add((((middle + step) % SLICES) + SLICES) % SLICES);
    let best = null, nearest = Infinity;
    for (const slice of slices) for (const i of this.slices.get(slice) ?? []) {
      if (i < first) continue;
      const atom = this.atoms[i];
      const apart = atom.place.map((x, k) => x - place[k] - Math.round(x - place[k]));
      const distance = length(toCartesian(apart, this.cell));
      nearest = Math.min(nearest, distance);
      const isSame = distance <= ONE_ATOM && apart.every((x, k) =>
        Math.abs(x) <= Math.max(1.05 * (atom.error[k] + error[k]), ROUNDING));
      if (isSame && !(best?.distance <= distance)) best = { atom, distance };
    }
    if (best === null && label !== null && nearest < ONE_ATOM)
      throw new Fault(`Images of ${label} under the symmetry are ${nearest.toPrecision(2)} Å apart: its ` +
        "coordinates need more digits, or the symmetry is another one.");
    return best?.atom ?? null;
  }
}

/** {atoms, repeats}: each site with its images, once each; repeats counts the sites that are images of
 * earlier ones, and left out. */
function imagesOf(sites, operations, cell) {
  const taken = new Taken(cell);
  let repeats = 0;
  for (const site of sites) {
    const before = taken.find(site.place.map(wrap), site.error);
    if (before && before.site.number !== site.number)
      throw new Fault(`Two elements of the CIF share a site, ${before.site.label} and ${site.label}: ` +
        "leave one occupant to each site.");
    if (before && !before.isListed) {
      repeats++;
      continue;
    }
    const first = taken.atoms.length;
    operations.forEach((rows, n) => {
      const { place: [x, y, z], error } = site;
      const place = rows.map((row) => wrap(row[0] * x + row[1] * y + row[2] * z + row[3]));
      const spread = rows.map((row) => Math.abs(row[0]) * error[0] + Math.abs(row[1]) * error[1] +
        Math.abs(row[2]) * error[2]);
      if (!taken.find(place, spread, first, site.label))
        taken.add({ site, place, error: spread, isListed: n === 0 });
    });
  }
  return { atoms: taken.atoms, repeats };
}

/** The atoms [{site, place}] of a crystal. symmetry: of symmetryOf; formula: as the file tells it, a
 * Map from atomic numbers to counts, or null. */
export function atomsOf(sites, symmetry, cell, formula) {
  const { listed, named, name } = symmetry;
  if (named.length === 0) return imagesOf(sites, listed, cell).atoms;
  let crystals = possible(sites, named, cell);
  if (crystals.length > 1) crystals = withFormula(crystals, formula);
  const fewest = Math.min(...crystals.map(({ atoms }) => atoms.length));
  crystals = crystals.filter(({ atoms }) => atoms.length === fewest); // where sites are special
  if (crystals.length > 1)
    throw new Fault(`Space group ${name} has two origins, and the CIF does not say which: append :1 or :2 ` +
      "to the symbol, or give Hall’s.");
  const [crystal] = crystals;
  // The file lists fewer operations than its group has: are its sites one for each orbit?
  const asListed = imagesOf(sites, listed, cell);
  if (crystal.repeats > asListed.repeats && crystal.atoms.length !== asListed.atoms.length)
    throw new Fault(`The CIF names space group ${name}, but neither its operations nor its atoms are ` +
      "those of it: list all operations, or write all atoms in P 1.");
  return crystal.atoms;
}

function possible(sites, groups, cell) {
  const crystals = [], faults = [];
  for (const operations of groups) {
    try {
      crystals.push(imagesOf(sites, operations, cell));
    } catch (error) {
      faults.push(error);
    }
  }
  if (crystals.length === 0) throw faults[0];
  return crystals;
}

/** Those with the composition of the formula, or all of them. */
function withFormula(crystals, formula) {
  if (formula === null) return crystals;
  const kept = crystals.filter(({ atoms }) => {
    const counts = new Map();
    for (const { site } of atoms) counts.set(site.number, (counts.get(site.number) ?? 0) + 1);
    if (counts.size !== formula.size) return false;
    const ratios = [...counts].map(([number, count]) => count / (formula.get(number) ?? NaN));
    return Math.max(...ratios) - Math.min(...ratios) < 0.01 * Math.max(...ratios);
  });
  return kept.length ? kept : crystals;
}
