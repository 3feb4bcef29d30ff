// A text to the structures in it. Each is {numbers [N], positions [N][3] in Å, cell [3][3] or null,
// pbc [3]}; what cannot be read is a Fault that names the line or field.

import { parseCif } from "./cif.js";
import { parseExtxyz } from "./extxyz.js";
import { Fault } from "./fields.js";
import { parseJson } from "./json.js";
import { checkDistances } from "./overlap.js";
import { parsePoscar } from "./poscar.js";

const NUMBER = String.raw`[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eEdD][-+]?\d+)?`;
const THREE_NUMBERS = new RegExp(`^\\s*${NUMBER}\\s+${NUMBER}\\s+${NUMBER}(?!\\s+${NUMBER})`);
const BEGINS_WITH_NUMBER = new RegExp(`^\\s*${NUMBER}(\\s|$)`);

/** {format, frames} of a text whose format shows in it. A Fault also when atoms of the last frame, which
 * is the one that is shown, overlap. */
export function parse(text) {
  const found = read(text.replace(/^\uFEFF/, ""));
  found.frames.forEach(checkNumbers);
  checkDistances(found.frames.at(-1));
  return found;
}

/** Numbers that can be read may be too large for what is made of them. */
function checkNumbers({ positions, cell }) {
  if (![...positions, ...(cell ?? [])].every((vector) => vector.every(Number.isFinite)))
    throw new Fault("A number is too large: positions and cells are in Å.");
}

function read(text) {
  const lines = text.split(/\r?\n/, 5);
  const isPoscar = lines.length === 5 && lines.slice(2).every((line) => THREE_NUMBERS.test(line));
  if (/^\s*[{[]/.test(text)) return { format: "JSON", frames: parseJson(text) };
  if (/^\s*\d+\s*$/.test(text.trimStart().split(/\r?\n/, 1)[0]) &&
    !(isPoscar && BEGINS_WITH_NUMBER.test(lines[1])))
    return { format: "extxyz", frames: parseExtxyz(text) };
  if (/^\s*(data_|_cell_|_atom_)/im.test(text)) return { format: "CIF", frames: parseCif(text) };
  if (isPoscar) return { format: "POSCAR", frames: parsePoscar(text) };
  throw new Fault("This looks like none of the formats. extxyz begins with the number of atoms, " +
    "CIF with data_, JSON with a brace; a POSCAR has the scale in line 2 and the cell in lines 3 to 5.");
}
