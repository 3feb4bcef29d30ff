// What the server answered: energy, stress, timing, forces; or why it did not.

import { Refused } from "./api.js";
import { el, fixed, plural, short } from "./dom.js";
import { symbolOf } from "./elements.js";
import { length } from "./geometry.js";
import { ALWAYS, isByAtom } from "./properties.js";

const GPA = 160.21766208; // in an eV/Å³
const ROWS_MAX = 500;

/** onPick(index) is called for the row of an atom. */
export function showAnswer(box, answer, structure, milliseconds, onPick) {
  const [result] = answer.results;
  const sizes = result.forces.map(length);
  const most = sizes.reduce((best, size, i) => (size > sizes[best] ? i : best), 0);
  const count = structure.numbers.length;
  box.replaceChildren(
    el("dl", { class: "facts" },
      ...fact("Energy", `${fixed(result.energy, 6)} eV`, `${fixed(result.energy / count, 6)} eV per atom`),
      ...fact("Largest force", `${fixed(sizes[most], 4)} eV/Å`,
        `on atom ${most}, ${symbolOf(structure.numbers[most])}; the arrows are to scale`),
      ...pressure(result.stress),
      ...(result.dispersion_energy === undefined ? []
        : fact("Dispersion", `${fixed(result.dispersion_energy, 6)} eV`, "is in it; forces and stress have their parts")),
      ...fact("Time", `${short(answer.timing.compute_ms)} ms`, timing(answer.timing, result, milliseconds))),
    el("div", { class: "columns" }, forceTable(result.forces, sizes, structure.numbers, onPick),
      result.stress ? stressTable(result.stress) : null,
      ...Object.keys(answer.units).filter((name) => isShownApart(name)).map((name) =>
        valueTable(name, answer.units[name], result[name], structure.numbers))));
  box.className = "";
  box.hidden = false;
}

const isShownApart = (name) => ![...ALWAYS, "dispersion_energy"].includes(name);

export const fact = (name, value, note) =>
  [el("div", {}, el("dt", {}, name), el("dd", {}, el("b", {}, value)), el("dd", { class: "note" }, note))];

function pressure(stress) {
  if (!stress) return fact("Stress", "none", "it needs a cell that is periodic along all three axes");
  const value = (-(stress[0][0] + stress[1][1] + stress[2][2]) / 3) * GPA;
  return fact("Pressure", `${fixed(value, 3)} GPa`, "positive when the cell is compressed");
}

function timing({ queue_ms, batch_structures }, { n_edges }, milliseconds) {
  return `computing ${plural(n_edges, "edge")}, in a batch of ${batch_structures}; waited ` +
    `${short(queue_ms)} ms; ${short(milliseconds)} ms with the way there and back`;
}

function forceTable(forces, sizes, numbers, onPick) {
  const rows = forces.slice(0, ROWS_MAX).map((force, i) => {
    const button = el("button", { type: "button", title: "Show this atom" }, String(i));
    button.addEventListener("click", () => onPick(i));
    return el("tr", {}, el("th", { scope: "row" }, button), el("td", {}, symbolOf(numbers[i])),
      ...[...force, sizes[i]].map((x) => el("td", { class: "number" }, fixed(x, 4))));
  });
  const more = forces.length - rows.length;
  const heads = ["Atom", "Element", "x", "y", "z", "size"].map((name, i) =>
    el("th", { scope: "col", class: i > 1 ? "number" : "" }, name));
  return table("Forces, eV/Å; atoms count from 0", heads, rows,
    more > 0 ? `The first ${ROWS_MAX} atoms; the curl line gives the other ${more.toLocaleString("en")}.`
      : "");
}

function stressTable(stress) {
  const rows = stress.map((row, i) => el("tr", {}, el("th", { scope: "row" }, "xyz"[i]),
    ...row.map((x) => el("td", { class: "number" }, fixed(x, 5))),
    ...row.map((x) => el("td", { class: "number" }, fixed(x * GPA, 2)))));
  const heads = [el("td"), ...["eV/Å³", "GPa"].map((unit) =>
    el("th", { scope: "colgroup", colspan: "3", class: "number" }, unit))];
  return table("Stress, tension positive", heads, rows, "");
}

/** Of any property: a row for each atom, or for the first axis of a tensor. */
function valueTable(name, unit, value, numbers) {
  const title = `${name}, ${unit}`;
  const cells = (row) => [row].flat(2).map((x) => el("td", { class: "number" }, short(x)));
  const head = (text) => el("th", { scope: "row" }, text);
  if (!isByAtom(name, value)) {
    const list = Array.isArray(value) ? value : [value].filter((x) => x !== null);
    const rows = list.map((row, i) => el("tr", {}, head("xyz"[i]), ...cells(row)));
    return table(title, [], rows, value === null ? "none" : "");
  }
  const rows = value.slice(0, ROWS_MAX).map((row, i) =>
    el("tr", {}, head(String(i)), el("td", {}, symbolOf(numbers[i])), ...cells(row)));
  const components = [value[0]].flat(2).length === 9 ? ["xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz"] : [];
  const heads = ["Atom", "Element", ...components].map((text, i) =>
    el("th", { scope: "col", class: i > 1 ? "number" : "" }, text));
  return table(title, components.length ? heads : [], rows,
    value.length > ROWS_MAX ? `The first ${ROWS_MAX} atoms.` : "");
}

function table(title, heads, rows, note) {
  return el("div", {}, el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": title },
    el("table", {}, el("caption", {}, title), el("thead", {}, el("tr", {}, ...heads)),
      el("tbody", {}, ...rows))), note ? el("p", { class: "note" }, note) : null);
}

export function showFailure(box, error) {
  const isRefused = error instanceof Refused;
  const fields = isRefused ? error.pointers.map(nameOf) : [];
  box.replaceChildren(el("div", {},
    el("p", {}, el("b", {}, isRefused ? `${capital(error.title)} (${error.status})` : "No answer")),
    el("p", {}, error.message),
    fields.length ? el("p", {}, `Field: ${fields.join("; ")}`) : null,
    error.retryAfter ? el("p", {}, `Try again in ${plural(error.retryAfter, "second")}.`) : null));
  box.className = "error";
  box.hidden = false;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** "#/structures/0/numbers/3" as "numbers[3]", the field of the only structure; "#/md/steps" as "md.steps". */
const nameOf = (pointer) => pointer.replace(/^#\/(structures\/0\/)?/, "").replace(/\/(\d+)/g, "[$1]").replace(/\//g, ".");
