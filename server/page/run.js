// A relaxation or dynamics as it comes: its frames in the view, its numbers in plots.

import { Refused, follow } from "./api.js";
import { byId, el, fixed, plural, setText, short } from "./dom.js";
import { Frames } from "./frames.js";
import { length } from "./geometry.js";
import { addPlot } from "./plot.js";
import { fact, showFailure } from "./result.js";

const GPA = 160.21766208; // in an eV/Å³
const PLOTS = {
  relax: [["energy", "Energy", "eV", 5], ["fmax", "Largest gradient", "eV/Å", 4], ["volume", "Volume", "Å³", 2]],
  md: [["energy", "Energy", "eV", 4], ["temperature", "Temperature", "K", 1], ["volume", "Volume", "Å³", 2]],
};

export class Run {
  /** onFrame(frame) is called with each frame that is to be looked at, onUse(text) with one to go on from. */
  constructor(onFrame, onUse) {
    this.onFrame = onFrame;
    byId("stop").addEventListener("click", () => this.stop());
    byId("seek").addEventListener("input", ({ target }) => this.look(Number(target.value)));
    byId("download").addEventListener("click", () => this.download());
    byId("use").addEventListener("click", () => onUse(this.frames.text(this.at)));
  }

  stop() {
    this.isStopped = true;
    this.abort?.abort();
  }

  /** Forgets what there was. */
  clear() {
    this.stop();
    this.frames = null;
    byId("run").hidden = byId("stop").hidden = true;
    byId("run-facts").replaceChildren();
  }

  /** Runs to the end, or until it is stopped; throws what has gone wrong before the first frame. False: another
   * has taken its place. */
  async start(structure, kind, path, body) {
    this.clear();
    Object.assign(this, { frames: new Frames(structure), kind, plots: null, at: undefined, shownLast: -1,
      end: null, fault: null, isStopped: false, isComplete: false });
    const frames = this.frames, abort = (this.abort = new AbortController());
    const begun = performance.now();
    byId("stop").hidden = false;
    try {
      for await (const event of follow(path, { body, signal: abort.signal })) {
        if (this.frames !== frames) return false;
        this.take(event, performance.now() - begun);
      }
      if (!this.isComplete) this.fail(new Error("The server has broken its answer off."));
    } catch (error) {
      if (this.frames !== frames) return false;
      if (error.name !== "AbortError") this.fail(error);
    } finally {
      if (this.frames === frames) byId("stop").hidden = true;
    }
    this.paint();
    return true;
  }

  take(event, milliseconds) {
    this.milliseconds = milliseconds;
    if (event.event === "frame") this.frames.add(event);
    else if (event.structure === undefined) this.isComplete = true;
    else if (event.event === "error") this.fail(problemOf(event));
    else this.end = event;
    this.schedule();
  }

  /** Before any frame it is the caller's; afterwards the frames stay, with the reason. */
  fail(error) {
    this.isComplete = true;
    if (!this.frames.list.length) throw error;
    this.fault = error;
  }

  schedule() {
    this.painting ??= requestAnimationFrame(() => {
      this.painting = null;
      this.paint();
    });
  }

  /** The newest frame, unless one looks at another. */
  paint() {
    if (!this.frames?.list.length) return;
    byId("run").hidden = false;
    const last = this.frames.list.length - 1;
    byId("seek").max = last;
    this.look(this.isLive() ? last : Math.min(this.at, last));
    this.showFacts();
  }

  isLive = () => this.at === undefined || this.at >= this.shownLast;

  look(index) {
    const { list } = this.frames;
    [this.at, this.shownLast] = [index, list.length - 1];
    byId("seek").value = index;
    const time = list[index].time === undefined ? "" : `, ${short(list[index].time)} fs`;
    setText(byId("seen"), `Step ${list[index].step.toLocaleString("en")}${time}`);
    byId("seek").setAttribute("aria-valuetext", byId("seen").textContent);
    this.showPlots(index);
    this.onFrame(list[index]);
  }

  showPlots(index) {
    const { list } = this.frames, steps = list.map(({ step }) => step);
    if (!this.plots) {
      byId("plots").replaceChildren();
      this.plots = PLOTS[this.kind].filter(([name]) => list[0][name] !== undefined)
        .map(([name, ...words]) => ({ name, update: addPlot(byId("plots"), ...words) }));
    }
    for (const { name, update } of this.plots) update(steps, list.map((frame) => frame[name]), index);
  }

  showFacts() {
    const { last, every, told } = this.frames, now = this.end ?? last;
    const forces = now.forces?.map(length) ?? [];
    const rate = (1000 * last.step) / this.milliseconds;
    const thinned = every > 1 ? `; every ${every}th frame of ${told} is kept here` : "";
    byId("run-facts").replaceChildren(
      ...fact("State", this.stateOf(), `step ${last.step.toLocaleString("en")}${rate ? `, ${short(rate)} steps/s` : ""}${thinned}`),
      ...fact("Energy", `${fixed(now.energy, 6)} eV`, this.kind === "md"
        ? `with motion ${fixed(now.energy + now.kinetic_energy, 6)} eV`
        : `${fixed(now.energy - this.frames.list[0].energy, 6)} eV since the start`),
      ...(forces.length ? fact("Largest force", `${fixed(Math.max(...forces), 4)} eV/Å`, "the arrows are to scale") : []),
      ...this.pressureOf(now));
    byId("run-fault").replaceChildren();
    byId("run-fault").hidden = !this.fault;
    if (this.fault) showFailure(byId("run-fault"), this.fault);
  }

  stateOf() {
    if (this.fault) return "Failed";
    if (this.end) return this.kind === "md" ? "Done" : this.end.converged ? "Converged" : "Not converged";
    return this.isStopped ? "Stopped" : "Running";
  }

  pressureOf({ pressure, stress }) {
    const value = pressure ?? (stress ? (-(stress[0][0] + stress[1][1] + stress[2][2]) / 3) * GPA : undefined);
    return value === undefined ? [] : fact("Pressure", `${fixed(value, 3)} GPa`, "positive when the cell is compressed");
  }

  download() {
    const blob = new Blob([this.frames.text()], { type: "chemical/x-xyz" });
    const link = el("a", { href: URL.createObjectURL(blob), download: `${this.kind}.extxyz` });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  /** In words, for those who do not see it. */
  summary() {
    return `${this.stateOf()} after ${plural(this.frames.last?.step ?? 0, "step")}.`;
  }
}

/** What has befallen the structure, with the step that was complete. */
function problemOf({ error, step }) {
  const after = step ? ` This was after step ${step}.` : "";
  return new Refused(error.status, { ...error, detail: `${error.detail ?? error.title}${after}` });
}
