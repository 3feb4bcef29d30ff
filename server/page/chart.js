// One small chart: the latest value in large print, and a line of those before it.

import { el, setText, short, svg } from "./dom.js";

const WIDTH = 240, HEIGHT = 48;

/** Appends a chart for `count` values to parent; returns its update(values, note): the latest value
 * is the last, null where there was nothing to measure; the latest that is there is printed. */
export function addChart(parent, title, unit, count) {
  const value = el("b", {}, "–");
  const area = svg("path", { class: "area" }), line = svg("path", { class: "line" });
  const frame = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  const drawing = svg("svg", { ...frame, "aria-hidden": "true" }, area, line);
  const note = el("p", { class: "note" }, " ");
  const figure = el("figure", { class: "chart" }, el("figcaption", {}, title),
    el("p", { class: "value" }, value, ` ${unit}`), drawing, note);
  parent.append(figure);

  return (values, text) => {
    setText(value, short(values.findLast((v) => v !== null) ?? null));
    setText(note, text);
    const top = Math.max(...values.map((v) => v ?? 0), 1e-9) * 1.1;
    const x = (i) => WIDTH * (1 - (values.length - 1 - i) / (count - 1));
    const y = (v) => HEIGHT - 1 - (HEIGHT - 2) * (v / top);
    const runs = unbroken(values).map((run) => run.map((i) => `${x(i)} ${y(values[i])}`));
    line.setAttribute("d", runs.map((run) => `M${run.join("L")}${run.length > 1 ? "" : "h1"}`).join(""));
    area.setAttribute("d", unbroken(values).map((run, n) =>
      `M${x(run[0])} ${HEIGHT}L${runs[n].join("L")}L${x(run.at(-1))} ${HEIGHT}Z`).join(""));
  };
}

/** The indices of runs of values that are there. */
function unbroken(values) {
  const runs = [];
  values.forEach((value, i) => {
    if (value === null) return;
    if (i > 0 && values[i - 1] !== null) runs.at(-1).push(i);
    else runs.push([i]);
  });
  return runs;
}
