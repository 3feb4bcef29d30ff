// Atoms that are too near to be two.

import { Fault } from "./fields.js";
import { cross, dot, length, scale, subtract, toCartesian, toFractional, volume } from "./geometry.js";

const DISTANCE_MIN = 0.1; // Å; IRREP_DISTANCE_MIN of the server

// Boxes are four times as long. Of four grids, each a quarter of a box beside the one before, a pair
// closer than DISTANCE_MIN is cut apart by at most one along each axis, so one grid has it in a box.
const GRIDS = 4;

/** A Fault when two atoms, or images of them, are closer than the server takes. */
export function checkDistances({ positions, cell, pbc }) {
  const basis = basisOf(cell, pbc);
  if (basis === null) return; // the server says that a cell is flat
  const places = positions.map((position) => toFractional(position, basis));
  const counts = basis.map((_, i) => {
    const face = length(cross(basis[(i + 1) % 3], basis[(i + 2) % 3]));
    const count = Math.abs(volume(basis)) / face / (GRIDS * DISTANCE_MIN);
    return pbc[i] ? Math.max(Math.floor(count), 1) : count;
  });
  for (let grid = 0; grid < GRIDS; grid++) {
    const boxes = new Map();
    places.forEach((place, i) => {
      const key = keyOf(place, counts, pbc, grid / GRIDS);
      if (!boxes.has(key)) boxes.set(key, []);
      for (const j of boxes.get(key)) checkPair(places, j, i, basis, pbc);
      boxes.get(key).push(i);
    });
  }
}

/** A number that is the same for places in one box of a grid, and seldom for others. */
function keyOf(place, counts, pbc, shift) {
  const [x, y, z] = place.map((fraction, i) => {
    const box = Math.floor(fraction * counts[i] + shift);
    return pbc[i] ? box - counts[i] * Math.floor(box / counts[i]) : box;
  });
  return Math.imul(x, 73856093) ^ Math.imul(y, 19349663) ^ Math.imul(z, 83492791);
}

function checkPair(places, first, second, basis, pbc) {
  const apart = subtract(places[second], places[first]).map((x, i) => (pbc[i] ? x - Math.round(x) : x));
  const distance = length(toCartesian(apart, basis));
  if (distance < DISTANCE_MIN)
    throw new Fault(`Atoms ${first} and ${second} are ${distance.toPrecision(3)} Å apart: they overlap, ` +
      `for at least ${DISTANCE_MIN} Å is accepted.`);
}

/** The periodic vectors, with perpendicular unit vectors for the rest; null: no volume. */
function basisOf(cell, pbc) {
  const basis = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  const periodic = [0, 1, 2].filter((axis) => pbc[axis]);
  if (periodic.length > 0 && cell === null) return null;
  for (const axis of periodic) basis[axis] = cell[axis];
  if (periodic.length === 2) {
    const rest = 3 - periodic[0] - periodic[1];
    basis[rest] = unit(cross(cell[periodic[0]], cell[periodic[1]]));
  } else if (periodic.length === 1) {
    const [axis] = periodic, along = unit(cell[axis]);
    const least = along.map(Math.abs).indexOf(Math.min(...along.map(Math.abs)));
    const other = unit(cross(along, [0, 1, 2].map((i) => Number(i === least))));
    basis[(axis + 1) % 3] = other;
    basis[(axis + 2) % 3] = cross(along, other);
  }
  const size = length(basis[0]) * length(basis[1]) * length(basis[2]);
  return Math.abs(volume(basis)) > 1e-9 * size ? basis : null;
}

const unit = (vector) => scale(vector, 1 / Math.sqrt(dot(vector, vector)));
