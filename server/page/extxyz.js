// Extended XYZ, and plain XYZ: a count, a line of key=value pairs, then one line an atom.

import { Fault, readElement, readNumber, readVector, wordsOf } from "./fields.js";

const PAIR = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|\{([^}]*)\}|\[([^\]]*)\]|(\S+))/g;
const TRUE = /^(t|true|1)$/i, FALSE = /^(f|false|0)$/i;

export function parseExtxyz(text) {
  const lines = text.split(/\r?\n/);
  const frames = [];
  for (let at = 0; at < lines.length;) {
    if (lines[at].trim() === "") {
      at++;
      continue;
    }
    const count = readCount(lines[at], at + 1);
    if (at + 2 + count > lines.length)
      throw new Fault(`Line ${at + 1} announces ${count} atoms, but the text ends before.`);
    const end = at + 2 + count;
    let after = end;
    while (/^\s*VEC/.test(lines[after])) after++;
    frames.push(readFrame(lines, at + 1, count, readVectors(lines.slice(end, after), end + 1)));
    at = after;
  }
  return frames;
}

function readCount(line, number) {
  const count = Number(line.trim());
  if (!Number.isInteger(count) || count < 1)
    throw new Fault(`Line ${number}: “${line.trim()}” is not a number of atoms.`);
  return count;
}

/** The cell of lines VEC1 to VEC3 behind the atoms, as in ADF's dialect; axes without one are zero. */
function readVectors(lines, first) {
  const rows = lines.map((line, i) => {
    const [name, ...words] = wordsOf(line), where = `Line ${first + i}`;
    if (name !== `VEC${i + 1}` || i > 2 || words.length !== 3)
      throw new Fault(`${where}: “${line.trim()}” is not VEC${i + 1} with three numbers.`);
    return readVector(words, `${where}, ${name}`);
  });
  return rows;
}

function readFrame(lines, at, count, vectors) {
  const where = `Line ${at + 1}`;
  const isOfLammps = /^\s*Atoms\. Timestep:/.test(lines[at]);
  const info = readInfo(lines[at]);
  if (vectors.length && (info.lattice !== undefined || info.properties !== undefined))
    throw new Fault(`${where}: there are Lattice or Properties, and lines VEC1 to VEC3 as well.`);
  const columns = readColumns(info.properties ?? "species:S:1:pos:R:3", where);
  const cell = vectors.length ? [0, 1, 2].map((i) => vectors[i] ?? [0, 0, 0])
    : info.lattice === undefined ? null : readLattice(info.lattice, where);
  const pbc = vectors.length ? [0, 1, 2].map((i) => i < vectors.length) : readPbc(info.pbc, cell, where);
  const frame = { numbers: [], positions: [], cell, pbc };
  for (let i = at + 1; i <= at + count; i++) {
    const words = wordsOf(lines[i]), name = words[columns.element];
    if (isOfLammps && /^\d+$/.test(name ?? ""))
      throw new Fault(`Line ${i + 1}: ${name} is a type of LAMMPS’, not an element: name elements by ` +
        "dump_modify element.");
    frame.numbers.push(readElement(name, `Line ${i + 1}, element`));
    frame.positions.push(
      readVector(words.slice(columns.position), `Line ${i + 1}, position`));
  }
  return frame;
}

function readInfo(line) {
  const info = {};
  for (const [, key, ...values] of line.matchAll(PAIR))
    info[key.toLowerCase()] = values.find((value) => value !== undefined);
  return info;
}

/** Where the words of element and position stand in a line, from name:type:width triples. */
function readColumns(properties, where) {
  const parts = properties.split(":");
  const starts = {};
  let start = 0;
  for (let i = 0; i + 2 < parts.length; i += 3) {
    starts[parts[i].toLowerCase()] = start;
    start += readNumber(parts[i + 2], `${where}, Properties`);
  }
  const element = starts.species ?? starts.z ?? starts.numbers;
  const position = starts.pos ?? starts.positions;
  if (element === undefined || position === undefined)
    throw new Fault(`${where}: Properties lacks species or pos.`);
  return { element, position };
}

function readLattice(text, where) {
  const words = wordsOf(text.replaceAll(",", " "));
  if (words.length !== 9) throw new Fault(`${where}: Lattice has ${words.length} numbers, not 9.`);
  return [0, 3, 6].map((i) => readVector(words.slice(i), `${where}, Lattice`));
}

function readPbc(text, cell, where) {
  if (text === undefined) return Array(3).fill(cell !== null);
  const words = wordsOf(text.replaceAll(",", " "));
  if (words.length !== 3 || !words.every((word) => TRUE.test(word) || FALSE.test(word)))
    throw new Fault(`${where}: pbc is “${text}”, not three of T or F.`);
  return words.map((word) => TRUE.test(word));
}
