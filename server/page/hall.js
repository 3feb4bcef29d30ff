// The operations of a space group from its Hall symbol: S. R. Hall, Acta Cryst. A37, 517 (1981);
// International Tables for Crystallography, volume B, section A1.4.2.3.

import { Fault } from "./fields.js";

const PARTS = 24; // translations are counted in these
const MOST = 192; // operations of a group

const CENTRINGS = {
  P: [], A: [[0, 12, 12]], B: [[12, 0, 12]], C: [[12, 12, 0]], I: [[12, 12, 12]],
  F: [[0, 12, 12], [12, 0, 12], [12, 12, 0]], R: [[16, 8, 8], [8, 16, 16]],
  S: [[8, 8, 16], [16, 16, 8]], T: [[8, 16, 8], [16, 8, 16]], H: [[16, 8, 0], [8, 16, 0]],
};
const SHIFTS = { a: [12, 0, 0], b: [0, 12, 0], c: [0, 0, 12], n: [12, 12, 12], u: [6, 0, 0],
  v: [0, 6, 0], w: [0, 0, 6], d: [6, 6, 6] };

// Rotations about z; those about x and y are the same with axes exchanged in a circle.
const ABOUT_Z = {
  1: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], 2: [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
  3: [[0, -1, 0], [1, -1, 0], [0, 0, 1]], 4: [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
  6: [[1, -1, 0], [1, 0, 0], [0, 0, 1]],
  "'": [[0, -1, 0], [-1, 0, 0], [0, 0, -1]], '"': [[0, 1, 0], [1, 0, 0], [0, 0, -1]],
};
const DIAGONAL = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]; // threefold, about a + b + c

/** Operations as rows [x, y, z, shift], the identity first. */
export function operationsOfHall(symbol) {
  const { generators, origin } = readHall(symbol);
  const moved = generators.map(({ rotation, shift }) => ({ rotation,
    shift: shift.map((t, i) => t + origin[i] - along(rotation[i], origin)) }));
  return close(moved, symbol).map(({ rotation, shift }) =>
    rotation.map((row, i) => [...row, shift[i] / PARTS]));
}

const along = (row, vector) => row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2];
const wrap = (t) => ((t % PARTS) + PARTS) % PARTS;

const product = (a, b) => ({
  rotation: a.rotation.map((row) => [0, 1, 2].map((j) => along(row, b.rotation.map((r) => r[j])))),
  shift: a.rotation.map((row, i) => wrap(along(row, b.shift) + a.shift[i])),
});

/** All products of the generators. */
function close(generators, symbol) {
  const group = new Map();
  const add = (operation) => {
    const wrapped = { rotation: operation.rotation, shift: operation.shift.map(wrap) };
    const key = JSON.stringify(wrapped);
    if (!group.has(key)) group.set(key, wrapped);
    if (group.size > MOST) fail(symbol);
  };
  add({ rotation: ABOUT_Z[1], shift: [0, 0, 0] });
  for (const operation of group.values()) // a Map goes on with what is added on the way
    for (const generator of generators) add(product(operation, generator));
  return [...group.values()];
}

function fail(symbol) {
  throw new Fault(`“${symbol}” is no Hall symbol of a space group.`);
}

function readHall(symbol) {
  const text = symbol.trim().replace(/_/g, " ");
  const found = /^(-?)\s*([PABCIFRSTH])((?:\s+[^\s(]+)*)\s*(?:\(\s*(-?\d+)\s+(-?\d+)\s+(-?\d+)\s*\))?$/i
    .exec(text) ?? fail(symbol);
  const [, minus, lattice, rest] = found, origin = found.slice(4).map((t) => Number(t ?? 0));
  const generators = CENTRINGS[lattice.toUpperCase()].map((shift) => ({ rotation: ABOUT_Z[1], shift }));
  if (minus) generators.push({ rotation: negative(ABOUT_Z[1]), shift: [0, 0, 0] });
  const before = [];
  for (const word of rest.trim().split(/\s+/).filter((text) => text !== ""))
    generators.push(readRotation(word.toLowerCase(), before, symbol));
  return { generators, origin: origin.map((t) => (t * PARTS) / 12) };
}

const negative = (rotation) => rotation.map((row) => row.map((x) => -x || 0));

/** before: order and axis of each rotation read so far; this one is added. */
function readRotation(word, before, symbol) {
  const [, minus, digit, axisGiven, screw, letters] =
    /^(-?)([12346])([xyz'"*]?)([1-5]?)([abcnuvwd]*)$/.exec(word) ?? fail(symbol);
  const order = Number(digit);
  const axis = axisGiven || usualAxis(order, before);
  const rotation = rotationOf(order, axis, before.at(-1)?.axis, symbol);
  const shift = [0, 0, 0];
  for (const letter of letters) SHIFTS[letter].forEach((t, i) => (shift[i] += t));
  if (screw) {
    const place = "xyz".indexOf(axis);
    if (place < 0 || Number(screw) >= order) fail(symbol);
    shift[place] += (PARTS * Number(screw)) / order;
  }
  if (order > 1) before.push({ order, axis: "xyz".includes(axis) ? axis : before.at(-1)?.axis ?? "z" });
  return { rotation: minus ? negative(rotation) : rotation, shift };
}

/** The axis that is not written: z first; then x after 2 and 4, a - b after 3 and 6; then a + b + c. */
function usualAxis(order, before) {
  if (order === 1 || before.length === 0) return "z";
  if (before.length === 1 && order === 2) return before[0].order % 3 === 0 ? "'" : "x";
  return order === 3 ? "*" : "z";
}

function rotationOf(order, axis, last, symbol) {
  if (axis === "*") return order === 3 ? DIAGONAL : fail(symbol);
  const isAcross = axis === "'" || axis === '"';
  if (isAcross && order !== 2) fail(symbol);
  const turns = { x: 2, y: 1, z: 0 }[isAcross ? last ?? "z" : axis];
  const about = ABOUT_Z[isAcross ? axis : order];
  return [0, 1, 2].map((i) => [0, 1, 2].map((j) => about[(i + turns) % 3][(j + turns) % 3]));
}
