// The frames of a trajectory, as many as the page can hold, and their text.

import { symbolOf } from "./elements.js";
import { volume } from "./geometry.js";

// Of positions and forces that are kept; beyond, every second frame goes.
const NUMBERS_MAX = 6e6, FRAMES_MAX = 20000;

export class Frames {
  /** structure: that it began with. */
  constructor(structure) {
    this.structure = structure;
    const fitting = Math.floor(NUMBERS_MAX / (6 * structure.numbers.length));
    this.most = Math.min(Math.max(2, fitting), FRAMES_MAX);
    this.list = [];
    this.every = 1;
    this.told = 0;
  }

  /** Takes an event of the server's; the last one stays whatever goes. */
  add(event) {
    const { cell, pbc, numbers } = this.structure;
    const frame = { ...event, numbers, pbc, cell: event.cell ?? cell };
    if (frame.cell) frame.volume = Math.abs(volume(frame.cell));
    if (this.list.length && (this.told - 1) % this.every !== 0) this.list.pop();
    this.list.push(frame);
    this.told++;
    if (this.list.length > this.most) {
      this.list = this.list.filter((_, i) => i % 2 === 0);
      this.every *= 2;
    }
  }

  get last() {
    return this.list.at(-1);
  }

  /** Extended xyz as ASE reads it, with energies and forces; without an index, of all frames. */
  text(index) {
    const frames = index === undefined ? this.list : [this.list[index]];
    return frames.map(extxyzOf).join("");
  }
}

const flags = (pbc) => pbc.map((flag) => (flag ? "T" : "F")).join(" ");

function extxyzOf({ numbers, positions, forces, cell, pbc, energy, step, time, temperature }) {
  const pairs = [
    cell ? `Lattice="${cell.flat().join(" ")}"` : null,
    `Properties=species:S:1:pos:R:3${forces ? ":forces:R:3" : ""}`,
    `energy=${energy}`, `step=${step}`,
    time === undefined ? null : `time=${time}`,
    temperature === undefined ? null : `temperature=${temperature}`,
    `pbc="${flags(pbc)}"`,
  ];
  const rows = positions.map((position, i) =>
    `${symbolOf(numbers[i])} ${[...position, ...(forces?.[i] ?? [])].join(" ")}\n`);
  return `${numbers.length}\n${pairs.filter((pair) => pair !== null).join(" ")}\n${rows.join("")}`;
}
