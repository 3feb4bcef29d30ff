// What the readers of the formats share: faults that say where, numbers, symbols.

import { numberOf } from "./elements.js";

/** A text that cannot be read; the message is for people. */
export class Fault extends Error {}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eEdD][+-]?\d+)?$/;

/** The number in a text; `where` begins the message otherwise. */
export function readNumber(text, where) {
  const value = NUMBER.test(text ?? "") ? Number(text.replace(/d/i, "e")) : NaN;
  if (Number.isFinite(value)) return value;
  throw new Fault(text === undefined ? `${where}: a number is missing.`
    : `${where}: “${text}” is not a number.`);
}

export const readVector = (words, where) => [0, 1, 2].map((i) => readNumber(words[i], where));

export function readElement(text, where) {
  const number = numberOf(text ?? "");
  if (number === null) throw new Fault(`${where}: “${text ?? ""}” is not an element.`);
  return number;
}

export const wordsOf = (line) => (line ?? "").trim().split(/\s+/).filter((word) => word !== "");
