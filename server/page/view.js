// A structure on a canvas, in parallel projection: spheres, bonds, cell and arrows, painted from back
// to front. It paints only when something has changed.

import { colour } from "./dom.js";
import { colourOf, radiusOf } from "./elements.js";
import { addGestures } from "./gestures.js";
import { add, bondsOf, dot, length, movedImages, multiply, scale, subtract, toCartesian, withImages }
  from "./geometry.js";

const BONDS_MAX = 4000; // atoms, beyond which bonds are left out
export const ATOMS_MAX = 20000; // drawn
const EDGE_PARTS = 8; // of a cell's edge, so that it passes behind and before atoms
const SPRITES_MAX = 500;
const ROOM = 0.1; // by which the size of what moves may change before it is fitted anew
const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => [n & 1, (n >> 1) & 1, n >> 2]);

const drawnRadius = (number) => 0.22 + 0.22 * radiusOf(number);

export class View {
  /** onPick(index) is called when an atom is clicked. */
  constructor(canvas, onPick) {
    this.canvas = canvas;
    this.paint = canvas.getContext("2d");
    this.sprites = new Map();
    this.onPick = onPick;
    this.show(null);
    addGestures(canvas, this);
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  show(structure) {
    this.structure = structure;
    this.forces = null;
    this.selected = null;
    this.longest = 0;
    this.atoms = structure ? withImages(structure).slice(0, ATOMS_MAX) : [];
    this.findBonds();
    if (structure) Object.assign(this, this.bounds());
    this.reset();
  }

  /** The same atoms elsewhere, and perhaps in another cell, seen from the same side; arrows keep the
   * scale of the longest so far. */
  move(structure, forces) {
    this.structure = structure;
    this.forces = forces;
    this.longest = longestOf(forces, this.longest);
    this.atoms = movedImages(this.atoms, structure);
    this.isMoved = true;
    this.redraw();
  }

  findBonds() {
    this.bonds = this.atoms.length > BONDS_MAX ? [] : bondsOf(this.atoms, this.structure?.numbers);
  }

  /** forces [N][3]; null for none. */
  showForces(forces) {
    this.forces = forces;
    this.longest = longestOf(forces, 0);
    this.redraw();
  }

  select(index) {
    this.selected = index;
    this.redraw();
  }

  reset() {
    const flat = this.structure && !this.structure.cell; // molecules are often written flat in xy
    this.rotation = multiply(turn(0, flat ? -0.35 : -1.3), turn(2, flat ? 0.2 : -0.4));
    this.zoom = 1;
    this.redraw();
  }

  /** Turns about the screen's axes, in radians. */
  rotate(right, down) {
    this.rotation = multiply(multiply(turn(0, down), turn(1, right)), this.rotation);
    this.redraw();
  }

  zoomBy(factor) {
    this.zoom = Math.min(20, Math.max(0.2, this.zoom * factor));
    this.redraw();
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  /** The atom under a point of the canvas, or null. */
  atomAt(x, y) {
    const hits = this.atoms.map((atom) => ({ ...atom, at: this.project(atom.position) }))
      .filter(({ at, index }) => Math.hypot(at[0] - x, at[1] - y) <
        Math.max(8, drawnRadius(this.structure.numbers[index]) * this.unit));
    return hits.length ? hits.reduce((a, b) => (b.at[2] > a.at[2] ? b : a)).index : null;
  }

  /** [x, y] in CSS pixels, and the height towards the eye in Å. */
  project(position) {
    const [x, y, z] = this.rotation.map((row) => dot(row, subtract(position, this.middle)));
    return [this.width / 2 + x * this.unit, this.height / 2 - y * this.unit, z];
  }

  /** The middle of what is there, and how far it reaches from there. */
  bounds() {
    const { cell, numbers } = this.structure;
    const points = this.atoms.map((atom) => atom.position);
    if (cell) points.push(...CORNERS.map((corner) => toCartesian(corner, cell)));
    const ends = [0, 1, 2].map((axis) => points.reduce(([low, high], p) =>
      [Math.min(low, p[axis]), Math.max(high, p[axis])], [Infinity, -Infinity]));
    const middle = ends.map(([low, high]) => (low + high) / 2);
    const far = points.reduce((most, p) => Math.max(most, length(subtract(p, middle))), 0);
    return { middle, reach: far + drawnRadius(numbers[0]) + 0.3 };
  }

  /** Fits it, from all sides, into the canvas; what moves is fitted anew only now and then. */
  fit() {
    if (this.isMoved) {
      this.isMoved = false;
      this.findBonds();
      const bounds = this.bounds();
      const change = Math.abs(bounds.reach - this.reach) + length(subtract(bounds.middle, this.middle));
      if (change > ROOM * this.reach) Object.assign(this, bounds);
    }
    this.unit = (Math.min(this.width, this.height) / 1.8 / this.reach) * this.zoom;
  }

  draw() {
    const { canvas, paint } = this;
    const ratio = devicePixelRatio || 1;
    [this.width, this.height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(this.height * ratio);
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!this.structure || this.width === 0) return;
    this.fit();
    this.paper = colour("--view");
    if (this.sprites.size > SPRITES_MAX) this.sprites.clear();
    const items = [...this.atomItems(), ...this.bondItems(), ...this.cellItems(), ...this.arrowItems()];
    items.sort((a, b) => a.depth - b.depth);
    for (const item of items) item.draw();
    this.labelCell();
  }

  /** 0 for what is nearest to the eye, 4 for what is farthest. */
  fog(depth) {
    return Math.min(4, Math.max(0, Math.round((1 - depth / this.reach) * 2)));
  }

  atomItems() {
    return this.atoms.map(({ index, position }) => {
      const [x, y, depth] = this.project(position), number = this.structure.numbers[index];
      const radius = Math.max(1.5, drawnRadius(number) * this.unit);
      return { depth, draw: () => {
        const sprite = this.sprite(number, Math.round(radius * 2) / 2, this.fog(depth));
        this.paint.drawImage(sprite, x - radius, y - radius, 2 * radius, 2 * radius);
        if (index === this.selected) this.ring(x, y, radius + 3);
      } };
    });
  }

  ring(x, y, radius) {
    this.paint.beginPath();
    this.paint.arc(x, y, radius, 0, 2 * Math.PI);
    this.paint.strokeStyle = colour("--accent");
    this.paint.lineWidth = 2.5;
    this.paint.stroke();
  }

  /** A shaded ball, painted once for each element, size and fog. */
  sprite(number, radius, fog) {
    const name = `${number} ${radius} ${fog} ${this.paper}`;
    if (!this.sprites.has(name))
      this.sprites.set(name, ball(radius, (lighter) => tint(number, lighter, fog, this.paper)));
    return this.sprites.get(name);
  }

  bondItems() {
    return this.bonds.flatMap(([i, j]) => {
      const ends = [this.atoms[i], this.atoms[j]];
      const middle = scale(add(ends[0].position, ends[1].position), 0.5);
      return ends.map(({ index, position }) => {
        const number = this.structure.numbers[index], along = subtract(middle, position);
        const start = add(position, scale(along, (0.85 * drawnRadius(number)) / length(along)));
        const depth = this.project(scale(add(start, middle), 0.5))[2];
        const shade = (lighter) => tint(number, lighter, this.fog(depth), this.paper);
        return { depth, draw: () => {
          if (this.unit > 8) this.line(start, middle, 0.17 * this.unit, shade(-14));
          this.line(start, middle, Math.max(1, 0.11 * this.unit), shade(4));
        } };
      });
    });
  }

  line(from, to, width, style) {
    const [a, b] = [this.project(from), this.project(to)], { paint } = this;
    paint.beginPath();
    paint.moveTo(a[0], a[1]);
    paint.lineTo(b[0], b[1]);
    paint.lineWidth = width;
    paint.strokeStyle = style;
    paint.stroke();
  }

  cellItems() {
    const { cell } = this.structure, style = colour("--cell");
    if (!cell) return [];
    const edges = CORNERS.flatMap((corner) => [0, 1, 2].filter((axis) => corner[axis] === 0)
      .map((axis) => ({ from: toCartesian(corner, cell), along: cell[axis] })));
    return edges.flatMap(({ from, along }) => Array.from({ length: EDGE_PARTS }, (_, n) => {
      const [a, b] = [n, n + 1].map((k) => add(from, scale(along, k / EDGE_PARTS)));
      return { depth: this.project(scale(add(a, b), 0.5))[2], draw: () => this.line(a, b, 1.2, style) };
    }));
  }

  labelCell() {
    const { cell } = this.structure, { paint } = this;
    if (!cell) return;
    paint.fillStyle = colour("--soft");
    paint.font = "italic 13px system-ui, sans-serif";
    paint.textAlign = "center";
    paint.textBaseline = "middle";
    const origin = this.project([0, 0, 0]);
    cell.forEach((vector, axis) => {
      const [x, y] = this.project(vector), away = Math.hypot(x - origin[0], y - origin[1]);
      if (away < 12) return;
      paint.fillText("abc"[axis], x + (22 * (x - origin[0])) / away, y + (22 * (y - origin[1])) / away);
    });
  }

  arrowItems() {
    if (!this.forces || this.longest < 1e-5) return [];
    const factor = Math.max(1, 0.3 * this.reach) / this.longest, style = colour("--force");
    return this.atoms.slice(0, this.forces.length).flatMap(({ index, position }) => {
      const force = this.forces[index], size = length(force);
      if (size * factor * this.unit < 3) return [];
      const out = drawnRadius(this.structure.numbers[index]) / size;
      const start = add(position, scale(force, out));
      const tip = add(start, scale(force, factor));
      const depth = this.project(scale(add(start, tip), 0.5))[2];
      return [{ depth, draw: () => this.arrow(start, tip, style) }];
    });
  }

  arrow(start, tip, style) {
    const a = this.project(start), b = this.project(tip), { paint } = this;
    const away = Math.hypot(b[0] - a[0], b[1] - a[1]);
    if (away < 2) return;
    const head = Math.min(11, away * 0.6), [x, y] = [(b[0] - a[0]) / away, (b[1] - a[1]) / away];
    const neck = [b[0] - x * head, b[1] - y * head];
    paint.beginPath();
    paint.moveTo(a[0], a[1]);
    paint.lineTo(neck[0], neck[1]);
    paint.lineWidth = 3;
    paint.strokeStyle = paint.fillStyle = style;
    paint.stroke();
    paint.beginPath();
    paint.moveTo(b[0], b[1]);
    paint.lineTo(neck[0] - y * head * 0.5, neck[1] + x * head * 0.5);
    paint.lineTo(neck[0] + y * head * 0.5, neck[1] - x * head * 0.5);
    paint.fill();
  }
}

const longestOf = (forces, start) =>
  (forces ?? []).reduce((longest, force) => Math.max(longest, length(force)), start);

/** The matrix that turns about an axis of the screen. */
function turn(axis, angle) {
  const c = Math.cos(angle), s = Math.sin(angle);
  if (axis === 0) return [[1, 0, 0], [0, c, -s], [0, s, c]];
  return axis === 1 ? [[c, 0, s], [0, 1, 0], [-s, 0, c]] : [[c, -s, 0], [s, c, 0], [0, 0, 1]];
}

/** An element's colour, lighter by so much, nearer to the paper's the more fog there is. */
function tint(number, lighter, fog, paper) {
  const [hue, saturation, lightness] = colourOf(number);
  const share = 100 - 13 * fog;
  return `color-mix(in srgb, hsl(${hue} ${saturation}% ${lightness + lighter}%) ${share}%, ${paper})`;
}

function ball(radius, shadeOf) {
  const canvas = document.createElement("canvas"), ratio = devicePixelRatio || 1;
  canvas.width = canvas.height = Math.ceil(2 * radius * ratio);
  const paint = canvas.getContext("2d"), r = canvas.width / 2;
  const shade = paint.createRadialGradient(r * 0.65, r * 0.6, r * 0.05, r, r, r);
  shade.addColorStop(0, shadeOf(26));
  shade.addColorStop(0.35, shadeOf(4));
  shade.addColorStop(0.85, shadeOf(-10));
  shade.addColorStop(1, shadeOf(-26));
  paint.fillStyle = shade;
  paint.beginPath();
  paint.arc(r, r, r - 0.5, 0, 2 * Math.PI);
  paint.fill();
  return canvas;
}
