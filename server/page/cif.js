// Crystals from CIF: cell, sites, and their images under the symmetry that the file lists or names.

import { readBlocks } from "./cif_text.js";
import { numberOf } from "./elements.js";
import { Fault, readNumber } from "./fields.js";
import { dot, toCartesian, toFractional } from "./geometry.js";
import { atomsOf } from "./orbits.js";
import { symmetryOf } from "./symmetry.js";

const ROUNDING = 1.05e-3; // of fractions from Cartesian coordinates

export function parseCif(text) {
  const blocks = readBlocks(text).filter((block) =>
    block.has("_atom_site_fract_x") || block.has("_atom_site_cartn_x"));
  if (blocks.length === 0)
    throw new Fault("The CIF lists no atoms: _atom_site_fract_x and the like are missing.");
  return blocks.map(readCrystal);
}

function readCrystal(block) {
  const hasCell = [...block.keys()].some((tag) => /^_cell_(length|angle)_/.test(tag));
  const cell = hasCell || block.has("_atom_site_fract_x") ? readCell(block) : null;
  const { labels, numbers } = readElements(block);
  if (numbers.length === 0) throw new Fault("The CIF’s loop_ of _atom_site_ tags has no rows.");
  checkWhole(block, labels);
  if (cell === null) {
    const positions = readTriples(block, "cartn").map(({ values }) => values);
    return { numbers, positions, cell, pbc: [false, false, false] };
  }
  const sites = (block.has("_atom_site_fract_x") ? readTriples(block, "fract")
    : readTriples(block, "cartn").map(({ values }) =>
      ({ values: toFractional(values, cell), errors: Array(3).fill(ROUNDING) })))
    .map(({ values, errors }, i) =>
      ({ label: labels[i], number: numbers[i], place: values, error: errors }));
  const metric = cell.map((a) => cell.map((b) => dot(a, b)));
  const atoms = atomsOf(sites, symmetryOf(block, metric), cell, readFormula(block));
  return { numbers: atoms.map(({ site }) => site.number),
    positions: atoms.map(({ place }) => toCartesian(place, cell)), cell, pbc: [true, true, true] };
}

/** A number of a tag, without the uncertainty in parentheses behind it. */
const readValue = (text, tag) => readNumber(text?.replace(/\(\d*\)$/, ""), tag);

/** Half a unit of the last digit that is not zero, or the uncertainty where that is larger. */
function roundingOf(text) {
  const [, digits = "", power = 0, uncertainty = 0] =
    /^[+-]?\d*\.?(\d*)(?:[eE]([+-]?\d+))?(?:\((\d+)\))?/.exec(text);
  const kept = digits.replace(/0+$/, "").length;
  return Math.max(10 ** (power - kept) / 2, uncertainty * 10 ** (power - digits.length));
}

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

/** [{values, errors}]: coordinates of each site, and to what they were rounded. */
function readTriples(block, kind) {
  const columns = ["x", "y", "z"].map((axis) => {
    const tag = `_atom_site_${kind}_${axis}`;
    return (block.get(tag) ?? []).map((text) =>
      ({ value: readValue(text, tag), error: roundingOf(text) }));
  });
  return columns[0].map((_, i) => {
    const parts = columns.map((column) => {
      if (column[i] === undefined) throw new Fault(`_atom_site_${kind}_ lacks a coordinate.`);
      return column[i];
    });
    return { values: parts.map(({ value }) => value), errors: parts.map(({ error }) => error) };
  });
}

/** Values of a tag of sites, "." where there is none. */
function columnOf(block, name, count) {
  const values = block.get(`_atom_site_${name}`) ?? Array(count).fill(".");
  return values.map((text) => (text === "?" ? "." : text));
}

function readElements(block) {
  const { length } = block.get("_atom_site_fract_x") ?? block.get("_atom_site_cartn_x");
  const labels = columnOf(block, "label", length), types = columnOf(block, "type_symbol", length);
  if (labels.length !== length || types.length !== length)
    throw new Fault("_atom_site_: labels or type symbols are not those of all sites.");
  const known = new Set(["_chemical_formula_sum", "_atom_type_symbol"].flatMap((tag) =>
    (block.get(tag) ?? []).join(" ").match(/[A-Za-z]+/g) ?? []).map(elementOf));
  return {
    labels: labels.map((label, i) => (label === "." ? types[i] : label)),
    numbers: types.map((type, i) => (type === "." ? ofLabel(labels[i], known) : ofType(type))),
  };
}

/** The atomic number of these letters, in any case; deuterium is hydrogen. */
const elementOf = (letters) => (/^[DT]$/i.test(letters) ? 1 : /^\d/.test(letters) ? null : numberOf(letters));

/** The element of a type symbol: Na, NA, Na1+, O2-, D. */
function ofType(text) {
  const [letters] = /^[A-Za-z]+/.exec(text) ?? [""];
  const number = letters === "" || letters.length > 2 ? null : elementOf(letters);
  if (number === null) throw new Fault(`_atom_site_type_symbol: “${text}” is not an element.`);
  return number;
}

/** The element that a label begins with: Na1, NA1 where the formula has Na, O1W, OW. */
function ofLabel(text, known) {
  let [letters] = /^[A-Za-z]+/.exec(text) ?? [""];
  const isCased = /^.[a-z]/.test(letters);
  if (isCased) letters = letters.slice(0, 2);
  const two = letters.length === 2 ? elementOf(letters) : null;
  const one = letters === "" || (isCased && two === null) ? null : elementOf(letters[0]);
  let choices = letters.length > 2 ? [] : [two, one].filter((number) => number !== null);
  if (choices.length === 2) {
    const here = choices.filter((number) => known.has(number));
    choices = isCased ? [two] : here.length ? here : choices;
  }
  if (choices.length === 1) return choices[0];
  throw new Fault(`_atom_site_label: “${text}” ` + (choices.length
    ? "may be either of two elements" : "begins with no element") + ": add _atom_site_type_symbol.");
}

/** Counts of a formula such as "Na Cl" or "Al2 O3" by atomic number; null where there is none. */
function readFormula(block) {
  const counts = new Map();
  const text = (block.get("_chemical_formula_sum") ?? []).join(" ");
  for (const [, letters, count] of text.matchAll(/([A-Za-z]+)(\d*\.?\d*)/g)) {
    const number = elementOf(letters);
    if (number === null) return null;
    counts.set(number, (counts.get(number) ?? 0) + Number(count || 1));
  }
  return counts.size ? counts : null;
}

/** A site must be one whole atom that is there. */
function checkWhole(block, labels) {
  columnOf(block, "occupancy", labels.length).forEach((text, i) => {
    const value = text === "." ? 1 : readValue(text, "_atom_site_occupancy");
    if (!(value > 0.99 && value < 1.01))
      throw new Fault(`_atom_site_occupancy of ${labels[i]} is ${text}: models take whole atoms, so leave ` +
        "one occupant to each site.");
  });
  const groups = new Set(columnOf(block, "disorder_group", labels.length));
  groups.delete(".");
  groups.delete("0");
  if (groups.size > 1)
    throw new Fault(`_atom_site_disorder_group: the groups ${[...groups].sort().join(", ")} are ` +
      "alternatives: leave one of them.");
  columnOf(block, "calc_flag", labels.length).forEach((text, i) => {
    if (/^dum$/i.test(text))
      throw new Fault(`${labels[i]} is a dummy (_atom_site_calc_flag dum): leave it out.`);
  });
  columnOf(block, "attached_hydrogens", labels.length).forEach((text, i) => {
    if (text !== "." && text !== "0")
      throw new Fault(`${labels[i]} has ${text} hydrogens that are not listed ` +
        "(_atom_site_attached_hydrogens).");
  });
}
