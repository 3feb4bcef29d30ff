// The form: a text becomes a structure in the view, and a prediction, relaxation, dynamics or vibrations on
// request.

import { Refused, ask } from "./api.js";
import { byId, el, fixed, plural, setText } from "./dom.js";
import { formula, symbolOf } from "./elements.js";
import { EXAMPLES } from "./examples.js";
import { Fault } from "./fields.js";
import { parse } from "./formats.js";
import { length } from "./geometry.js";
import { checkDistances } from "./overlap.js";
import { chosenProperties, offerProperties } from "./properties.js";
import { showModes } from "./modes.js";
import { showAnswer, showFailure } from "./result.js";
import { Run } from "./run.js";
import { curlLines, pathOf, pythonLines, requestOf } from "./snippets.js";
import { chosenDispersion, fixedAtoms, kindOf, showTask, startTask, taskOptions } from "./task.js";
import { ATOMS_MAX, View } from "./view.js";

const TYPING_MS = 250; // without a key, before a text is read
const FILE_MAX = 5e6; // bytes
const CODE_MAX = 20000; // characters shown; all are copied

export function startForm() {
  const form = new Form();
  return { setModels: (cards) => form.setModels(cards), refresh: () => form.showCode() };
}

class Form {
  constructor() {
    this.view = new View(byId("view"), (index) => this.pick(index));
    this.run = new Run((frame) => this.showFrame(frame), (text) => this.setText(text));
    [this.cards, this.words, this.isBusy] = [[], "", false];
    startTask(() => this.showCode());
    this.addInputs();
    this.addDrop();
    for (const [name, text] of Object.entries(EXAMPLES)) {
      const button = el("button", { type: "button" }, name);
      button.addEventListener("click", () => this.setText(text));
      byId("examples").append(" ", button);
    }
    byId("predict").addEventListener("submit", (event) => {
      event.preventDefault();
      this.go();
    });
  }

  addInputs() {
    byId("text").addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.read(), TYPING_MS);
    });
    byId("file").addEventListener("change", ({ target }) => {
      if (target.files[0]) this.open(target.files[0]);
      target.value = "";
    });
    byId("frame").addEventListener("change", ({ target }) => {
      const last = this.frames.length;
      target.value = Math.min(last, Math.max(1, Math.round(Number(target.value)) || last));
      this.useFrame(this.frames[target.value - 1]);
    });
    for (const id of ["model", "head", "precision", "properties", "dispersion", "functional", "fixed"])
      byId(id).addEventListener("change", () => this.changed());
    byId("more").addEventListener("toggle", () => this.offer());
    byId("zoom-in").addEventListener("click", () => this.view.zoomBy(1.25));
    byId("zoom-out").addEventListener("click", () => this.view.zoomBy(0.8));
    byId("view-reset").addEventListener("click", () => this.view.reset());
    for (const button of document.querySelectorAll("[data-copy]"))
      button.addEventListener("click", () => this.copy(button));
  }

  /** Files may be dropped anywhere; texts drop into the text area by themselves. */
  addDrop() {
    const onDrag = (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      byId("drop").classList.toggle("over", event.type === "dragover");
      if (event.type === "drop") this.open(event.dataTransfer.files[0]);
    };
    for (const type of ["dragover", "dragleave", "drop"]) addEventListener(type, onDrag);
  }

  async open(file) {
    if (file.size > FILE_MAX)
      this.fail(`${file.name} is larger than this page takes (5 MB); python3 -m irrepd evaluates any file.`);
    else this.setText(await file.text());
  }

  setText(text) {
    byId("text").value = text;
    this.read();
  }

  /** Reads the text; the last frame of several is shown, as ASE does. */
  read() {
    this.typing = clearTimeout(this.typing);
    const text = byId("text").value;
    byId("frame-box").hidden = true;
    if (text.trim() === "") {
      this.use(null);
      this.say("Coordinates and cell are in Å.");
      return;
    }
    try {
      const { format, frames } = parse(text);
      [this.format, this.frames] = [format, frames];
    } catch (error) {
      this.fail(error instanceof Fault ? error.message : `This text cannot be read: ${error.message}`);
      return;
    }
    byId("frame-box").hidden = this.frames.length === 1;
    byId("frame").value = byId("frame").max = this.frames.length;
    setText(byId("frames"), `of ${this.frames.length}`);
    this.use(this.frames.at(-1));
  }

  /** A frame of several; parse has looked for overlaps in the last one alone. */
  useFrame(frame) {
    try {
      checkDistances(frame);
      this.use(frame);
    } catch (error) {
      this.fail(error.message);
    }
  }

  say(text, isError = false) {
    setText(byId("parsed"), text);
    byId("parsed").classList.toggle("error", isError);
    byId("text").setAttribute("aria-invalid", String(isError));
  }

  fail(message) {
    this.use(null);
    this.say(message, true);
  }

  use(structure) {
    this.structure = this.shown = structure;
    this.view.show(structure);
    showTask(structure);
    byId("view-empty").hidden = structure !== null;
    setText(byId("picked"), "");
    if (structure) this.say(`${this.format}: ${describe(structure)}`);
    byId("view").setAttribute("aria-label", structure ? describe(structure) : "No structure yet");
    this.changed();
  }

  /** What was answered is not about this structure, model or precision any more. */
  changed() {
    [this.words, this.isBusy] = ["", false];
    this.abort?.abort();
    this.run.clear();
    byId("answer").hidden = true;
    byId("answer").replaceChildren();
    byId("functional-box").hidden = !byId("dispersion").value;
    if (this.shown !== this.structure) this.view.move(this.structure, null);
    this.shown = this.structure;
    this.view.showForces(null);
    this.forces = null;
    this.showModels();
    this.showCode();
  }

  async offer() {
    try {
      await offerProperties(byId("model").value);
    } catch (error) {
      setText(byId("properties"), error.message);
    }
  }

  setModels(cards) {
    this.cards = cards.filter((card) => card.state !== "failed");
    const chosen = byId("model").value;
    byId("model").replaceChildren(...this.cards.map(({ name }) => el("option", { value: name }, name)));
    const widest = this.cards.reduce((best, card) =>
      ((card.elements?.length ?? 0) > (best?.elements?.length ?? -1) ? card : best), null);
    const isKept = this.cards.some(({ name }) => name === chosen);
    byId("model").value = isKept ? chosen : widest?.name ?? "";
    this.showModels();
    this.showCode();
    this.offer();
  }

  /** Which elements of the structure each model does not know, and what is still missing. */
  showModels() {
    const used = [...new Set(this.structure?.numbers ?? [])];
    for (const option of byId("model").options) {
      const known = this.cards.find(({ name }) => name === option.value)?.atomic_numbers;
      const lacking = known ? used.filter((number) => !known.includes(number)).map(symbolOf) : [];
      setText(option, option.value + (lacking.length ? ` (not for ${lacking.join(", ")})` : ""));
    }
    const chosen = this.cards.find(({ name }) => name === byId("model").value);
    setText(byId("model-about"), chosen?.description ?? "");
    showHeads(chosen);
    byId("go").disabled = this.isBusy || !this.structure || !byId("model").value;
    setText(byId("hint"), !this.structure ? "A structure is needed first."
      : byId("model").value ? this.words : "No model can be asked now.");
  }

  showCode() {
    const model = byId("model").value;
    byId("code").hidden = !this.structure || !model;
    if (byId("code").hidden) return;
    const task = this.task();
    byId("code").hidden = !task;
    if (!task) return;
    const given = [this.structure, model, task];
    this.code = { curl: curlLines(...given), python: pythonLines(...given) };
    for (const [id, text] of Object.entries(this.code)) {
      const rest = text.length > CODE_MAX ? "\n… (Copy takes all of it)" : "";
      setText(byId(id), text.slice(0, CODE_MAX) + rest);
    }
  }

  /** Browsers give the clipboard to https and localhost only; elsewhere the text is selected. */
  async copy(button) {
    const id = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(this.code[id]);
      setText(button, "Copied");
    } catch {
      setText(byId(id), this.code[id]);
      getSelection().selectAllChildren(byId(id));
      setText(button, "Selected: press Ctrl+C");
    }
    setTimeout(() => setText(button, "Copy"), 3000);
  }

  /** As snippets.js has it; null where a field is wrong, which the hint says. */
  task() {
    let fixed;
    try {
      fixed = fixedAtoms(this.structure.numbers.length);
    } catch (error) {
      setText(byId("hint"), error.message);
      return null;
    }
    return { kind: kindOf(), options: taskOptions(), fixed, head: byId("head").value,
      precision: byId("precision").value, properties: chosenProperties(), dispersion: chosenDispersion() };
  }

  async go() {
    if (this.typing) this.read();
    const model = byId("model").value, { structure } = this, task = structure && this.task();
    if (!task || !model) return;
    this.changed();
    this.sayOfRun(task.options ? "Running …" : "Calculating …", true);
    let words;
    try {
      words = await (task.options ? this.move(model, structure, task) : this.predict(model, structure, task));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error instanceof Refused && error.status === 401) byId("key-box").open = true;
      showFailure(byId("answer"), error);
      words = "Not calculated: see below.";
    }
    if (words) this.sayOfRun(words, false);
  }

  /** What becomes of what was asked for; it stays when the models change. */
  sayOfRun(words, isBusy) {
    [this.words, this.isBusy] = [words, isBusy];
    this.showModels();
  }

  async predict(model, structure, task) {
    const abort = (this.abort = new AbortController()), begun = performance.now();
    const body = requestOf(structure, task);
    const answer = await ask(pathOf(model, task.kind), { body, signal: abort.signal });
    if (task.kind === "hessian") showModes(byId("answer"), answer, (mode) => this.view.showForces(mode));
    else this.show(answer, performance.now() - begun);
    return "Done.";
  }

  /** Relaxes it, or runs dynamics; null where another run has taken its place. */
  async move(model, structure, task) {
    const isOurs = await this.run.start(structure, task.kind, pathOf(model, task.kind), requestOf(structure, task));
    return isOurs ? this.run.summary() : null;
  }

  /** A frame of a run, in the place of the structure that was given. */
  showFrame(frame) {
    this.shown = frame;
    this.forces = frame.forces ?? null;
    this.view.move(frame, this.forces);
    if (this.view.selected !== null) this.pick(this.view.selected);
  }

  show(answer, milliseconds) {
    this.forces = answer.results[0].forces;
    this.view.showForces(this.forces);
    showAnswer(byId("answer"), answer, this.structure, milliseconds, (index) => this.pick(index));
  }

  pick(index) {
    this.view.select(index);
    setText(byId("picked"), index === null ? "" : this.describeAtom(index));
  }

  describeAtom(index) {
    const at = this.shown.positions[index].map((x) => fixed(x, 3)).join(", ");
    const force = this.forces ? `, force ${fixed(length(this.forces[index]), 4)} eV/Å` : "";
    return `Atom ${index}, ${symbolOf(this.structure.numbers[index])}, at ${at} Å${force}`;
  }
}

/** The heads of a model that has several; which one is asked is always to be seen. */
function showHeads(card) {
  const heads = card?.heads ?? [], shown = [...byId("head").options].map(({ value }) => value);
  byId("head-box").hidden = heads.length === 0;
  if (heads.join("\n") === shown.join("\n")) return;
  byId("head").replaceChildren(...heads.map((name) => el("option", { value: name }, name)));
  byId("head").value = card?.default_head ?? heads[0] ?? "";
}

function describe({ numbers, cell, pbc }) {
  const axes = ["a", "b", "c"].filter((_, axis) => pbc[axis]).join(", ");
  const part = numbers.length > ATOMS_MAX ? ` (${ATOMS_MAX.toLocaleString("en")} drawn)` : "";
  const size = cell ? `, cell ${cell.map((vector) => fixed(length(vector), 3)).join(" × ")} Å` : "";
  return `${formula(numbers)}, ${plural(numbers.length, "atom")}${part}${size}, ` +
    (axes ? `periodic along ${axes}` : "not periodic");
}
