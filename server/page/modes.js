// The vibrations of a structure: frequencies, and the mode that is chosen as arrows on its atoms.

import { el, fixed, plural } from "./dom.js";
import { fact } from "./result.js";

const ROWS_MAX = 500;

/** onMode(vectors) is called with the mode [N][3] that is to be seen. */
export function showModes(box, answer, onMode) {
  const [result] = answer.results;
  const moving = result.frequencies.map((value, index) => ({ value, index })).filter(({ value }) => value !== 0);
  const imaginary = moving.filter(({ value }) => value < 0).length;
  box.replaceChildren(
    el("dl", { class: "facts" },
      ...fact("Zero-point energy", `${fixed(result.zero_point_energy, 6)} eV`, "of the modes that are real"),
      ...fact("Vibrations", `${moving.length}`, `and ${plural(result.n_rigid, "rigid motion")}`),
      ...fact("Imaginary", `${imaginary}`, imaginary ? "this is no minimum of the energy" : "this is a minimum of the energy"),
      ...fact("Derivatives", result.method, result.method === "analytic" ? "of the model’s operations"
        : `of forces, at a step of ${result.step} Å`)),
    frequencyTable(moving, result.modes, onMode));
  box.className = "";
  box.hidden = false;
}

function frequencyTable(moving, modes, onMode) {
  const shown = moving.slice(-ROWS_MAX), title = "Frequencies, 1/cm; imaginary ones are negative";
  const rows = shown.map(({ value, index }) => {
    const button = el("button", { type: "button", title: "Show this mode" }, String(index));
    button.addEventListener("click", () => onMode(modes[index]));
    return el("tr", {}, el("th", { scope: "row" }, button), el("td", { class: "number" }, fixed(value, 2)));
  });
  const heads = ["Mode", "Frequency"].map((name, i) => el("th", { scope: "col", class: i ? "number" : "" }, name));
  const more = moving.length - shown.length;
  return el("div", {}, el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": title },
    el("table", {}, el("caption", {}, title), el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows))),
  el("p", { class: "note" }, (more > 0 ? `The highest ${ROWS_MAX}. ` : "") +
    "Choose one to see it: the arrows are the eigenvector of the mass-weighted Hessian."));
}
