// The symmetry operations of a crystal, from the tags of a CIF that list or name them. An operation is
// three rows [x, y, z, shift].

import { Fault } from "./fields.js";
import { operationsOfHall } from "./hall.js";
import { settingsOfName, settingsOfNumber } from "./space_groups.js";

const LISTS = ["_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz",
  "_space_group_symop_magn_operation_xyz"];
const CENTRINGS = "_space_group_symop_magn_centering_xyz";
const CODE = "_space_group_it_coordinate_system_code";
const HALL = /^_(symmetry|space_group)(_space_group)?_name_hall$/;
const NAME = /^_(symmetry|space_group)_(space_group_|pdbx_)?(full_space_group_)?name_h[-_]?m/;
const NUMBER = /^_(symmetry|space_group)_(space_group_)?(int_tables|it|group_it)_number$/;
// Tags that tell of symmetry in a way that is not understood here, and those that tell nothing more.
const OTHER =
  /^_(symmetry|space_group)_.*(name|number|symop|operation|equiv|ssg)|^_cell_modulation_dimension$/;
const HARMLESS = /(_id|_patterson_name.*|_mxmymz)$/;
const NOTHING = ["0", "C1^1", "1.1", "1.1.1"]; // what no symmetry is called besides P 1
const NEAR = 2e-3; // of shifts
const MOST = 192 * 27; // operations; any group has fewer

export const IDENTITY = [[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]];

/** {listed, named, name}. named: settings that the name may mean, each with more operations than
 * listed, of which listed is a part; none where listed is all. metric: [3][3], scalar products of the
 * lattice vectors, which a setting must fit. */
export function symmetryOf(block, metric) {
  const listed = readList(block);
  const hall = valueOf(block, HALL), number = valueOf(block, NUMBER);
  const names = valuesOf(block, NAME).map(([, text]) => text);
  const given = [...names, hall, number && `number ${number}`].filter((text) => text);
  if (given.every(isTrivial)) {
    checkOthers(block, listed);
    return { listed: listed ?? IDENTITY, named: [], name: "P 1" };
  }
  const name = given.find((text) => !isTrivial(text));
  let named;
  try {
    if (given.some(isTrivial)) throw new Fault(`The CIF names two space groups: ${given.join(" and ")}.`);
    named = readNamed(block, hall, names, number, metric);
  } catch (error) {
    if (listed !== null && listed.length > 1) return { listed, named: [], name }; // tells all
    throw error;
  }
  if (listed === null) return { listed: IDENTITY, named, name };
  return { listed, name,
    named: named.filter((group) => listed.length < group.length && isPart(listed, group)) };
}

const valuesOf = (block, pattern) => [...block]
  .filter(([tag, values]) => pattern.test(tag) && !/^\s*[.?]?\s*$/.test(values[0] ?? ""))
  .map(([tag, values]) => [tag, values[0].trim()]);

const valueOf = (block, pattern) => valuesOf(block, pattern)[0]?.[1];

const isTrivial = (text) => /^P?1$/i.test(text.replace(/\s|^number/g, ""));

function checkOthers(block, listed) {
  for (const [tag, text] of valuesOf(block, OTHER)) {
    const isKnown = [...LISTS, CENTRINGS, CODE].includes(tag) || HARMLESS.test(tag) ||
      isTrivial(text) || NOTHING.includes(text);
    if (!isKnown && ((listed?.length ?? 1) === 1 || /ssg|modulation/.test(tag)))
      throw new Fault(`The symmetry is told by ${tag} “${text}”, which is not understood: add ` +
        `${LISTS[0]}, or write all atoms in P 1.`);
  }
}

// Operations that the file lists

function readList(block) {
  const tag = LISTS.find((name) => block.has(name));
  if (!tag) return null;
  const own = block.get(tag).map((text) => readOperation(text, tag));
  const centrings = block.get(CENTRINGS)?.map((text) => readOperation(text, CENTRINGS)) ?? IDENTITY;
  const count = centrings.length * own.length;
  if (count > MOST) throw new Fault(`${tag} lists ${count} operations, more than any group has.`);
  const list = new Operations();
  for (const centring of centrings) for (const operation of own) list.add(product(centring, operation));
  if (!isGroup(list))
    throw new Fault(`${tag}: the operations are no group, for products of them are missing: list all.`);
  return list.all;
}

/** Whether products of them are among them: those with generators, of which a group has few. */
function isGroup(list) {
  const generators = [];
  let reached = new Operations(IDENTITY);
  for (const operation of list.all) {
    if (reached.has(operation)) continue;
    generators.push(operation);
    reached = new Operations(IDENTITY);
    for (const one of reached.all) // goes on with what is added on the way
      for (const generator of generators) {
        const next = product(one, generator);
        if (!list.has(next)) return false;
        reached.add(next);
      }
  }
  return list.has(IDENTITY[0]);
}

const AMOUNT = String.raw`(?:\d+(?:\.\d+)?|\.\d+)(?:\/\d+)?`;
const TERM = String.raw`(?:(?:${AMOUNT}\*?)?[xyz]|${AMOUNT})`;
const SUM = new RegExp(`^[+-]?${TERM}(?:[+-]${TERM})*$`);
const PART = /([+-]?)(?:(\d+(?:\.\d+)?|\.\d+)(?:\/(\d+))?)?\*?([xyz]?)/g;

/** "-x+1/2, y, z", in files of magnetic structures with a sign of time behind it. */
function readOperation(text, tag) {
  const parts = text.toLowerCase().replace(/\s/g, "").split(",");
  if (parts.length === 4 && tag.includes("magn") && /^([+-]1|1)$/.test(parts[3])) parts.pop();
  const rows = parts.map((part) => (SUM.test(part) ? readRow(part) : null));
  const isGood = rows.length === 3 && rows.every((row) =>
    row?.slice(0, 3).every((x) => Number.isInteger(x) && Math.abs(x) <= 2));
  if (!isGood || Math.abs(determinant(rows)) !== 1)
    throw new Fault(`${tag}: “${text}” is not a symmetry operation.`);
  return rows;
}

function readRow(part) {
  const row = [0, 0, 0, 0];
  for (const [whole, sign, top, bottom = 1, axis] of part.matchAll(PART)) {
    if (whole === "") continue;
    row[axis ? "xyz".indexOf(axis) : 3] += ((sign === "-" ? -1 : 1) * (top ?? 1)) / bottom;
  }
  return row;
}

const determinant = ([a, b, c]) => a[0] * (b[1] * c[2] - b[2] * c[1]) -
  a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);

const wrap = (x) => ((x % 1) + 1) % 1;

/** First b, then a. */
const product = (a, b) => a.map((row) => [0, 1, 2, 3].map((j) => {
  const sum = row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j];
  return j < 3 ? sum : wrap(sum + row[3]);
}));

const keyOf = (rows) => rows.map((row) => row.slice(0, 3).map((x) => x + 2).join("")).join("");

/** Operations, each once. */
class Operations {
  constructor(list = []) {
    this.all = [];
    this.shifts = new Map();
    for (const rows of list) this.add(rows);
  }

  has(rows) {
    return (this.shifts.get(keyOf(rows)) ?? []).some((shift) =>
      rows.every((row, i) => Math.abs(row[3] - shift[i] - Math.round(row[3] - shift[i])) < NEAR));
  }

  add(rows) {
    if (this.has(rows)) return;
    const key = keyOf(rows);
    if (!this.shifts.has(key)) this.shifts.set(key, []);
    this.shifts.get(key).push(rows.map((row) => row[3]));
    this.all.push(rows);
  }
}

function isPart(few, many) {
  const group = new Operations(many);
  return few.every((rows) => group.has(rows));
}

// Groups that the file names

/** The settings that fit the cell, one but for two origins that the file leaves open. */
function readNamed(block, hall, names, number, metric) {
  const code = block.get(CODE)?.[0]?.replace(/^[.?]$/, "") ?? "";
  const settings = names.map((name) => settingsOfName(name, code));
  if (number !== undefined) {
    const isAlone = names.length === 0 && hall === undefined;
    settings.push(settingsOfNumber(number, isAlone ? code : ""));
  }
  const [first = [], ...others] = settings;
  const numbers = new Set(first.map((setting) => setting.number));
  if (others.some((other) => !other.some((setting) => numbers.has(setting.number))))
    throw new Fault(`The CIF names two space groups: ${names.join(" and ")}, number ${number}.`);
  const groups = first.map((setting) => ({ name: setting.name, group: operationsOfHall(setting.hall) }));
  let named = groups;
  if (hall !== undefined) {
    const group = operationsOfHall(hall);
    if (groups.length && groups.every((other) => other.group.length !== group.length))
      throw new Fault(`The CIF names two space groups: ${hall} and ${names.join(" and ") || number}.`);
    named = [{ name: hall, group }];
  }
  const fitting = named.filter(({ group }) => fits(group, metric));
  if (fitting.length === 0)
    throw new Fault(`The cell has not the symmetry of space group ${names[0] ?? hall ?? number}.`);
  // Of settings with other axes the first is the standard; origins stay open.
  return fitting.filter(({ name }) => name === fitting[0].name).map(({ group }) => group);
}

/** Whether the lattice vectors keep their lengths and angles, but for two percent. */
function fits(group, metric) {
  const sizes = metric.map((row, i) => Math.sqrt(row[i]));
  return group.every((rows) => [0, 1, 2].every((i) => [0, 1, 2].every((j) => {
    let moved = 0;
    for (let k = 0; k < 3; k++)
      for (let l = 0; l < 3; l++) moved += rows[k][i] * metric[k][l] * rows[l][j];
    return Math.abs(moved - metric[i][j]) < 0.02 * sizes[i] * sizes[j];
  })));
}
