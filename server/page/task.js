// What is to be done with the structure: calculate it, relax it, run dynamics, or find its vibrations, and how.

import { byId } from "./dom.js";
import { Fault } from "./fields.js";

const RELAX = {
  optimizer: "relax-optimizer", fmax: "relax-fmax", max_steps: "relax-steps", cell: "relax-cell",
  pressure: "relax-pressure", mask: "relax-mask", symmetry: "relax-symmetry",
};
const MD = {
  ensemble: "md-ensemble", temperature: "md-temperature", timestep: "md-timestep", steps: "md-steps",
  every: "md-every", thermostat: "md-thermostat", barostat: "md-barostat", coupling: "md-coupling",
  pressure: "md-pressure", seed: "md-seed",
};
const AXES = "xyz";
const VERBS = { predict: "Calculate", relax: "Relax", md: "Run", hessian: "Calculate" };

/** "predict", "relax", "md" or "hessian". */
export const kindOf = () => document.querySelector("#task input:checked").value;

const moves = (kind) => kind === "relax" || kind === "md";

/** Calls onChange() when something of it has changed. */
export function startTask(onChange) {
  for (const id of ["task", "relax-options", "md-options"])
    byId(id).addEventListener("input", () => {
      showTask();
      onChange();
    });
  showTask();
}

/** Shows the options that matter; structure: that they are for, where there is one. */
export function showTask(structure) {
  const kind = kindOf();
  if (structure !== undefined) showCells(structure?.pbc.every(Boolean) ?? true);
  byId("relax-options").hidden = kind !== "relax";
  byId("md-options").hidden = kind !== "md";
  byId("more").hidden = kind !== "predict";
  byId("precision-box").hidden = kind === "hessian"; // always float64
  byId("fixed-box").hidden = !moves(kind);
  byId("go").textContent = VERBS[kind];
  const cell = byId("relax-cell").value, ensemble = byId("md-ensemble").value;
  enable("relax-pressure", cell === "volume" || cell === "full");
  enable("relax-mask", cell === "full");
  enable("md-thermostat", ensemble !== "nve");
  for (const id of ["md-pressure", "md-barostat", "md-coupling"]) enable(id, ensemble === "npt");
  showThermostats(ensemble === "npt" && byId("md-barostat").value === "mtk");
}

/** What changes the cell needs three periodic axes. */
function showCells(isPeriodic) {
  for (const [id, plain] of [["relax-cell", "fixed"], ["md-ensemble", "nvt"]]) {
    for (const option of byId(id).options)
      if (!["fixed", "nve", "nvt"].includes(option.value)) option.disabled = !isPeriodic;
    if (byId(id).selectedOptions[0].disabled) byId(id).value = plain;
  }
}

/** MTK goes with chains of Nosé and Hoover alone. */
function showThermostats(isMtk) {
  for (const option of byId("md-thermostat").options) option.disabled = isMtk && option.value !== "nose-hoover";
  if (isMtk) byId("md-thermostat").value = "nose-hoover";
}

function enable(id, isUsed) {
  byId(id).disabled = !isUsed;
  byId(id).parentElement.hidden = !isUsed;
}

/** The options as the server takes them; null of what has none. */
export function taskOptions() {
  const kind = kindOf();
  if (kind === "predict" || kind === "hessian") return null;
  const options = {};
  for (const [name, id] of Object.entries(kind === "relax" ? RELAX : MD)) {
    const input = byId(id);
    if (!input.disabled && input.value !== "") options[name] = valueOf(input);
  }
  return kind === "relax" ? options : { ...options, properties: ["positions", "forces"] };
}

function valueOf(input) {
  if (input.id === "relax-mask") return maskOf(input.value);
  if (input.type === "checkbox") return input.checked;
  return input.type === "number" ? Number(input.value) : input.value;
}

/** Words such as "xx xy" as [3][3] booleans, symmetric. */
const maskOf = (words) => [...AXES].map((a) => [...AXES].map((b) => words.includes(a + b) || words.includes(b + a)));

/** The indices of atoms that stay, of a structure of n, in order; a Fault says what is wrong. */
export function fixedAtoms(n) {
  const text = moves(kindOf()) ? byId("fixed").value : "", found = new Set();
  for (const part of text.split(/[\s,]+/).filter((word) => word !== "")) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part);
    const first = Number(range?.[1]), last = Number(range?.[2] ?? range?.[1]);
    if (!range || last < first)
      throw new Fault(`Atoms that stay: “${part}” is no index, nor a range such as 0-3.`);
    if (last >= n) throw new Fault(`Atoms that stay: there is no atom ${last}; they count from 0 to ${n - 1}.`);
    for (let i = first; i <= last; i++) found.add(i);
  }
  return [...found].sort((a, b) => a - b);
}

/** The dispersion that is chosen, or null; an empty object is what the model's card names, or PBE's. */
export function chosenDispersion() {
  const method = byId("dispersion").value, functional = byId("functional").value.trim();
  if (!method) return null;
  if (functional) return { method, functional };
  return method === "d3bj" ? {} : { method };
}
