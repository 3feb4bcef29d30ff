// Vectors of three numbers, cells, and what the view shows besides the atoms given.

import { radiusOf } from "./elements.js";

export const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const subtract = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const scale = (a, factor) => [a[0] * factor, a[1] * factor, a[2] * factor];
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const length = (a) => Math.sqrt(dot(a, a));
export const cross = (a, b) =>
  [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const multiply = (a, b) => a.map((row) => [0, 1, 2].map((j) =>
  row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]));

/** Signed; rows of a cell are its vectors. */
export const volume = (cell) => dot(cell[0], cross(cell[1], cell[2]));

/** Fractional to Cartesian coordinates. */
export const toCartesian = (fraction, cell) =>
  add(add(scale(cell[0], fraction[0]), scale(cell[1], fraction[1])), scale(cell[2], fraction[2]));

/** Cartesian to fractional coordinates of a cell that has a volume. */
export function toFractional(position, cell) {
  const v = volume(cell);
  return [0, 1, 2].map((i) =>
    dot(position, cross(cell[(i + 1) % 3], cell[(i + 2) % 3])) / v);
}

/** The atoms to draw, [{index, position, shift}]: those given, then the images of those on a face of
 * the cell on its other side, so that a crystal looks whole; shift is in vectors of the cell. */
export function withImages({ positions, cell, pbc }) {
  const atoms = positions.map((position, index) => ({ index, position, shift: [0, 0, 0] }));
  if (!cell || Math.abs(volume(cell)) < 1e-6) return atoms;
  positions.forEach((position, index) => {
    const fraction = toFractional(position, cell);
    const steps = fraction.map((f, axis) =>
      !pbc[axis] ? [0] : Math.abs(f) < 0.005 ? [0, 1] : Math.abs(f - 1) < 0.005 ? [0, -1] : [0]);
    for (const i of steps[0]) for (const j of steps[1]) for (const k of steps[2])
      if (i || j || k)
        atoms.push({ index, position: add(position, toCartesian([i, j, k], cell)), shift: [i, j, k] });
  });
  return atoms;
}

/** The same atoms and images where these have gone, so that none appears or vanishes on the way. */
export const movedImages = (atoms, { positions, cell }) => atoms.map(({ index, shift }) => ({
  index, shift,
  position: shift.some(Boolean) ? add(positions[index], toCartesian(shift, cell)) : positions[index],
}));

const BOND = 1.15; // times the sum of the covalent radii

/** Pairs of atoms to draw a bond between, found on a grid. */
export function bondsOf(atoms, numbers) {
  const radii = atoms.map(({ index }) => radiusOf(numbers[index]) * BOND);
  const size = 2 * Math.max(...radii, 0.5);
  const boxes = new Map(), bonds = [];
  const boxOf = ({ position }) => position.map((x) => Math.floor(x / size));
  atoms.forEach((atom, i) => {
    const [x, y, z] = boxOf(atom);
    for (let dx = -1; dx <= 1; dx++) for (let dy = -1; dy <= 1; dy++) for (let dz = -1; dz <= 1; dz++)
      for (const j of boxes.get(`${x + dx} ${y + dy} ${z + dz}`) ?? []) {
        const distance = length(subtract(atom.position, atoms[j].position));
        if (distance < radii[i] + radii[j] && distance > 0.1) bonds.push([j, i]);
      }
    const name = `${x} ${y} ${z}`;
    if (!boxes.has(name)) boxes.set(name, []);
    boxes.get(name).push(i);
  });
  return bonds;
}
