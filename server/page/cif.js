// Crystals from CIF: cell, sites and the symmetry operations that the file lists.

import { readBlocks } from "./cif_text.js";
import { Fault, readElement, readNumber } from "./fields.js";
import { toCartesian, toFractional } from "./geometry.js";

const OPERATIONS = ["_space_group_symop_operation_xyz", "_space_group_symop.operation_xyz",
  "_symmetry_equiv_pos_as_xyz"];
const GROUP_NAMES = ["_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m"];
const GROUP_NUMBERS = ["_space_group_it_number", "_symmetry_int_tables_number"];
const SAME_SITE = 1e-3; // in fractional coordinates

export function parseCif(text) {
  const blocks = readBlocks(text).filter((block) =>
    block.has("_atom_site_fract_x") || block.has("_atom_site_cartn_x"));
  if (blocks.length === 0)
    throw new Fault("The CIF lists no atoms: _atom_site_fract_x and the like are missing.");
  return blocks.map(readCrystal);
}

function readCrystal(block) {
  const cell = block.has("_cell_length_a") ? readCell(block) : null;
  const numbers = readElements(block);
  if (cell === null)
    return { numbers, positions: readTriples(block, "cartn"), cell, pbc: [false, false, false] };
  const sites = block.has("_atom_site_fract_x") ? readTriples(block, "fract")
    : readTriples(block, "cartn").map((position) => toFractional(position, cell));
  const crystal = { numbers: [], positions: [], cell, pbc: [true, true, true] };
  for (const { number, orbit } of orbitsOf(sites, numbers, readOperations(block))) {
    crystal.numbers.push(...orbit.map(() => number));
    crystal.positions.push(...orbit.map((fraction) => toCartesian(fraction, cell)));
  }
  return crystal;
}

/** A number of a tag, without the uncertainty in parentheses behind it. */
const readValue = (text, tag) => readNumber(text?.replace(/\(\d*\)$/, ""), tag);

/** Rows: a along x, b in the xy plane. */
function readCell(block) {
  const read = (tag) => readValue(block.get(tag)?.[0], tag);
  const [a, b, c] = ["a", "b", "c"].map((axis) => read(`_cell_length_${axis}`));
  const cosines = ["alpha", "beta", "gamma"].map((angle) => {
    const degrees = read(`_cell_angle_${angle}`);
    return degrees === 90 ? 0 : Math.cos((degrees * Math.PI) / 180);
  });
  const [alpha, beta, gamma] = cosines, sine = Math.sqrt(1 - gamma * gamma);
  const y = (alpha - beta * gamma) / sine, z = 1 - beta * beta - y * y;
  if (!(a > 0 && b > 0 && c > 0 && z > 0))
    throw new Fault("No cell has these _cell_length_ and _cell_angle_ values.");
  return [[a, 0, 0], [b * gamma, b * sine, 0], [c * beta, c * y, c * Math.sqrt(z)]];
}

function readTriples(block, kind) {
  const columns = ["x", "y", "z"].map((axis) => {
    const tag = `_atom_site_${kind}_${axis}`;
    return (block.get(tag) ?? []).map((text) => readValue(text, tag));
  });
  return columns[0].map((_, i) => columns.map((column) => {
    if (column[i] === undefined) throw new Fault(`_atom_site_${kind}_ lacks a coordinate.`);
    return column[i];
  }));
}

function readElements(block) {
  const tag = block.has("_atom_site_type_symbol") ? "_atom_site_type_symbol" : "_atom_site_label";
  (block.get("_atom_site_occupancy") ?? []).forEach((text, i) => {
    if (/^[.?]$/.test(text) || readValue(text, "_atom_site_occupancy") > 0.99) return;
    throw new Fault(`_atom_site_occupancy of ${block.get(tag)?.[i]} is ${text}: models take whole ` +
      "atoms, so leave one occupant to each site.");
  });
  return (block.get(tag) ?? []).map((text) => {
    const symbol = /[A-Z][a-z]?/.exec(text)?.[0] ?? text;
    return readElement(symbol === "D" ? "H" : symbol, tag);
  });
}

function readOperations(block) {
  const tag = OPERATIONS.find((name) => block.has(name));
  if (tag) return block.get(tag).map((text) => readOperation(text, tag));
  const first = (tags) => tags.map((name) => block.get(name)?.[0]).find((text) => text !== undefined);
  const name = first(GROUP_NAMES), number = first(GROUP_NUMBERS);
  const isTrivial = (text, trivial) => text === undefined || /^[.?]$/.test(text) ||
    text.replace(/\s/g, "").toUpperCase() === trivial;
  if (!isTrivial(number, "1") || !isTrivial(name, "P1"))
    throw new Fault(`The CIF names space group ${name ?? number} but lists no symmetry operations ` +
      `(${OPERATIONS[0]}): add them, or write all atoms in P 1.`);
  return [readOperation("x,y,z", "P 1")];
}

/** "-x+1/2, y, z" as three rows [x, y, z, shift]. */
function readOperation(text, tag) {
  const parts = text.toLowerCase().replace(/\s/g, "").split(",");
  const term = String.raw`(?:[xyz]|\d*\.?\d+(?:\/\d+)?)`;
  const sum = new RegExp(`^[+-]?${term}(?:[+-]${term})*$`);
  if (parts.length !== 3 || !parts.every((part) => sum.test(part)))
    throw new Fault(`${tag}: “${text}” is not a symmetry operation.`);
  return parts.map((part) => {
    const row = [0, 0, 0, 0];
    for (const [, sign, axis, top, bottom = 1] of
      part.matchAll(/([+-]?)(?:([xyz])|([\d.]+)(?:\/(\d+))?)/g))
      row[axis ? "xyz".indexOf(axis) : 3] += (sign === "-" ? -1 : 1) * (axis ? 1 : top / bottom);
    return row;
  });
}

const wrap = (x) => ((x % 1) + 1) % 1;

const isSameSite = (a, b) => a.every((x, i) => {
  const apart = x - b[i];
  return Math.abs(apart - Math.round(apart)) < SAME_SITE;
});

/** Sites of all orbits in slices along x, so that looking one up takes no time. */
class Taken {
  static SLICES = 500; // wider than SAME_SITE
  slices = new Map();

  add(site, number) {
    const slice = Math.floor(site[0] * Taken.SLICES);
    if (!this.slices.has(slice)) this.slices.set(slice, []);
    this.slices.get(slice).push({ site, number });
  }

  find(site) {
    const slice = Math.floor(wrap(site[0]) * Taken.SLICES), { SLICES } = Taken;
    return [slice - 1, slice, slice + 1]
      .flatMap((near) => this.slices.get((near + SLICES) % SLICES) ?? [])
      .find((other) => isSameSite(other.site, site));
  }
}

/** Each site with its images under the operations, once each; sites that repeat an earlier one are
 * left out. */
function orbitsOf(sites, numbers, operations) {
  const taken = new Taken();
  return sites.flatMap((site, i) => {
    const before = taken.find(site), number = numbers[i];
    if (before && before.number !== number)
      throw new Fault("Two elements of the CIF share a site: leave one occupant to each site.");
    if (before) return [];
    const orbit = [];
    for (const rows of operations) {
      const image = rows.map((r) => wrap(r[0] * site[0] + r[1] * site[1] + r[2] * site[2] + r[3]));
      if (!orbit.some((other) => isSameSite(other, image))) orbit.push(image);
    }
    for (const image of orbit) taken.add(image, number);
    return [{ number, orbit }];
  });
}
