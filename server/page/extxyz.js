// Extended XYZ, and plain XYZ: a count, a line of key=value pairs, then one line an atom.

import { Fault, readElement, readNumber, readVector, wordsOf } from "./fields.js";

const PAIR = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|\{([^}]*)\}|\[([^\]]*)\]|(\S+))/g;
const TRUE = /^(t|true|1)$/i, FALSE = /^(f|false|0)$/i;

export function parseExtxyz(text) {
  const lines = text.split(/\r?\n/);
  const frames = [];
  for (let at = 0; at < lines.length && lines[at].trim() !== "";) {
    const count = readCount(lines[at], at + 1);
    if (at + 2 + count > lines.length)
      throw new Fault(`Line ${at + 1} announces ${count} atoms, but the text ends before.`);
    frames.push(readFrame(lines, at + 1, count));
    at += 2 + count;
    while (/^VEC\d/.test(lines[at])) at++;
  }
  return frames;
}

function readCount(line, number) {
  const count = Number(line.trim());
  if (!Number.isInteger(count) || count < 1)
    throw new Fault(`Line ${number}: “${line.trim()}” is not a number of atoms.`);
  return count;
}

function readFrame(lines, at, count) {
  const where = `Line ${at + 1}`;
  const info = readInfo(lines[at]);
  const columns = readColumns(info.properties ?? "species:S:1:pos:R:3", where);
  const cell = info.lattice === undefined ? null : readLattice(info.lattice, where);
  const frame = { numbers: [], positions: [], cell, pbc: readPbc(info.pbc, cell, where) };
  for (let i = at + 1; i <= at + count; i++) {
    const words = wordsOf(lines[i]);
    frame.numbers.push(readElement(words[columns.element], `Line ${i + 1}, element`));
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
