// VASP's POSCAR and CONTCAR, of version 5 and, with the elements in the first line, of version 4.

import { numberOf } from "./elements.js";
import { Fault, readElement, readNumber, readVector, wordsOf } from "./fields.js";
import { toCartesian, volume } from "./geometry.js";

export function parsePoscar(text) {
  const lines = text.split(/\r?\n/);
  const rows = [2, 3, 4].map((i) => readVector(wordsOf(lines[i]), `Line ${i + 1}, cell`));
  const factors = readScale(lines[1], rows);
  const stretch = (vector) => vector.map((x, axis) => x * factors[axis]);
  const cell = rows.map(stretch);
  const namesElements = !/^\d/.test(wordsOf(lines[5])[0] ?? "");
  const names = namesElements ? wordsOf(lines[5]) : elementsOfTitle(lines[0]);
  let at = namesElements ? 6 : 5;
  const numbers = readNumbers(names, wordsOf(lines[at]?.split("!")[0]), at + 1, lines.length);
  at++;
  if (/^\s*s/i.test(lines[at])) at++; // selective dynamics
  const mode = (lines[at] ?? "").trim();
  if (!/^[a-z]/i.test(mode))
    throw new Fault(`Line ${at + 1}: “${mode}” is neither Direct nor Cartesian.`);
  const positions = numbers.map((_, i) => {
    const vector = readVector(wordsOf(lines[at + 1 + i]), `Line ${at + 2 + i}, position`);
    return /^[ck]/i.test(mode) ? stretch(vector) : toCartesian(vector, cell);
  });
  return [{ numbers, positions, cell, pbc: [true, true, true] }];
}

/** One factor or three above 0; a single negative one is the volume that the cell shall have. */
function readScale(line, rows) {
  const words = wordsOf(line);
  const end = words.findIndex((word) => Number.isNaN(Number(word.replace(/d/i, "e"))));
  const factors = words.slice(0, end < 0 ? words.length : end)
    .map((word) => readNumber(word, "Line 2, scale"));
  const [factor] = factors;
  if (factors.length === 3 && factors.every((one) => one > 0)) return factors;
  const one = factor > 0 ? factor : Math.cbrt(-factor / Math.abs(volume(rows)));
  if (factors.length !== 1 || !(one > 0 && Number.isFinite(one)))
    throw new Fault(`Line 2: “${words.join(" ")}” is no scale: one number is due, which is not 0, or three ` +
      "above it.");
  return [one, one, one];
}

/** The elements that a comment such as "Si O2" or "SrTiO3" names, in its order. */
function elementsOfTitle(title) {
  return (title.match(/[A-Z][a-z]?/g) ?? []).filter((symbol) => numberOf(symbol) !== null);
}

function readNumbers(names, counts, line, most) {
  if (names.length < counts.length || counts.length === 0)
    throw new Fault(`Line ${line}: ${counts.length} counts for ${names.length} elements; the line ` +
      "before names them, or the first line.");
  let left = most;
  return counts.flatMap((text, i) => {
    const count = readNumber(text, `Line ${line}, counts`);
    if (!Number.isInteger(count) || count < 0 || count > 1e6)
      throw new Fault(`Line ${line}: “${text}” is not a number of atoms.`);
    left -= count;
    if (left < 0)
      throw new Fault(`Line ${line} announces more atoms than the text has lines.`);
    const number = readElement(names[i].split(/[_/]/)[0], `Line ${line - 1}, element ${i + 1}`);
    return Array(count).fill(number);
  });
}
