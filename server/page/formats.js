// A text to the structures in it. Each is {numbers [N], positions [N][3] in Å, cell [3][3] or null,
// pbc [3]}; what cannot be read is a Fault that names the line or field.

import { parseCif } from "./cif.js";
import { parseExtxyz } from "./extxyz.js";
import { Fault } from "./fields.js";
import { parseJson } from "./json.js";
import { parsePoscar } from "./poscar.js";

const THREE_NUMBERS = /^\s*([-+\d.eEdD]+\s+){2}[-+\d.eEdD]+/;

/** {format, frames} of a text whose format shows in it. */
export function parse(text) {
  const lines = text.split(/\r?\n/, 5);
  if (/^\s*[{[]/.test(text)) return { format: "JSON", frames: parseJson(text) };
  if (/^\s*\d+\s*$/.test(lines[0])) return { format: "extxyz", frames: parseExtxyz(text) };
  if (/^\s*(data_|_cell_|_atom_)/im.test(text)) return { format: "CIF", frames: parseCif(text) };
  if (lines.slice(2, 5).every((line) => THREE_NUMBERS.test(line)) && lines.length === 5)
    return { format: "POSCAR", frames: parsePoscar(text) };
  throw new Fault("This looks like none of the formats. extxyz begins with the number of atoms, " +
    "CIF with data_, JSON with a brace; a POSCAR has the scale in line 2 and the cell in lines 3 to 5.");
}
