// JSON: what POST /v1/models/{m}/predict takes, one structure or a list of them; what ASE writes;
// and pymatgen's Structure and Molecule.

import { numberOf } from "./elements.js";
import { Fault } from "./fields.js";

export function parseJson(text) {
  let root;
  try {
    root = JSON.parse(text);
  } catch (error) {
    throw new Fault(`The JSON cannot be read: ${error.message}.`);
  }
  const [list, name] = listOf(root);
  if (list.length === 0) throw new Fault("The JSON holds no structure.");
  return list.map((item, i) => readStructure(item, `${name}[${i}]`));
}

function listOf(root) {
  if (Array.isArray(root)) return [root, ""];
  if (Array.isArray(root.structures)) return [root.structures, "structures"];
  if (Array.isArray(root.ids)) return [root.ids.map((id) => root[id]), "ids"];
  return [[root], "structure"];
}

function readStructure(item, where) {
  const given = Array.isArray(item?.sites) ? ofPymatgen(item, where) : item ?? {};
  const numbers = plain(given.numbers), positions = plain(given.positions);
  const vectors = plain(given.cell) ?? null;
  const cell = vectors?.flat?.().every((x) => x === 0) ? null : vectors; // ASE's way to say none
  if (!Array.isArray(numbers) || numbers.length === 0)
    throw new Fault(`${where}.numbers is not a list of atomic numbers.`);
  checkEach(numbers, isAtomicNumber, `${where}.numbers`, "an atomic number from 1 to 118");
  if (!Array.isArray(positions)) throw new Fault(`${where}.positions is not a list of [x, y, z].`);
  checkEach(positions, isVector, `${where}.positions`, "[x, y, z]");
  if (positions.length !== numbers.length)
    throw new Fault(`${where} has ${numbers.length} numbers but ${positions.length} positions.`);
  if (cell !== null && !(isList(cell, isVector) && cell.length === 3))
    throw new Fault(`${where}.cell is not three vectors [x, y, z].`);
  const pbc = plain(given.pbc) ?? Array(3).fill(cell !== null);
  if (!(isList(pbc, (flag) => typeof flag === "boolean") && pbc.length === 3))
    throw new Fault(`${where}.pbc is not three of true or false.`);
  return { numbers, positions, cell, pbc };
}

function checkEach(list, isItem, where, what) {
  const index = list.findIndex((item) => !isItem(item));
  if (index >= 0)
    throw new Fault(`${where}[${index}] is ${String(JSON.stringify(list[index])).slice(0, 80)}, not ${what}.`);
}

const isList = (value, isItem) => Array.isArray(value) && value.every(isItem);
const isVector = (value) => isList(value, Number.isFinite) && value.length === 3;
const isAtomicNumber = (value) => Number.isInteger(value) && value >= 1 && value <= 118;

/** ASE's {"__ndarray__": [shape, type, numbers]}, also inside its cell, as nested lists. */
function plain(value) {
  if (value?.array !== undefined) return plain(value.array);
  if (!Array.isArray(value?.__ndarray__)) return value;
  const [shape, , flat] = value.__ndarray__;
  if (shape?.length !== 2 || !Array.isArray(flat)) return flat;
  if (!shape.every((n) => Number.isInteger(n) && n > 0) || shape[0] * shape[1] !== flat.length)
    throw new Fault(`An array of ${flat.length} numbers has not the shape ${JSON.stringify(shape)}.`);
  return Array.from({ length: shape[0] }, (_, i) => flat.slice(i * shape[1], (i + 1) * shape[1]));
}

function ofPymatgen(item, where) {
  const numbers = item.sites.map((site, i) => {
    const only = site.species?.length === 1 && (site.species[0].occu ?? 1) === 1;
    const number = only ? numberOf(String(site.species[0].element).replace(/\d*[+-]$/, "")) : null;
    if (number === null) throw new Fault(`${where}.sites[${i}].species is not one whole element.`);
    return number;
  });
  const { matrix = null, pbc } = item.lattice ?? {};
  return { numbers, positions: item.sites.map((site) => site.xyz), cell: matrix, pbc };
}
