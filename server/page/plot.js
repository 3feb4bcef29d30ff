// A quantity along a trajectory: a line between its least and largest value, and where one looks.

import { el, fixed, setText, short, svg } from "./dom.js";

const WIDTH = 300, HEIGHT = 90, EDGE = 3;
const POINTS_MAX = 600; // drawn

/** Appends a plot to parent; returns its update(xs, ys, at): the values of all frames, and which one is
 * looked at. */
export function addPlot(parent, title, unit, decimals) {
  const value = el("b", {}, "–");
  const line = svg("path", { class: "line" }), mark = svg("path", { class: "mark" });
  const frame = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  const drawing = svg("svg", { ...frame, "aria-hidden": "true" }, mark, line);
  const top = el("span", {}, " "), bottom = el("span", {}, " ");
  const figure = el("figure", { class: "plot" }, el("figcaption", {}, title),
    el("p", { class: "value" }, value, ` ${unit}`),
    el("div", { class: "plane" }, el("p", { class: "ends note" }, top, bottom), drawing));
  parent.append(figure);

  return (xs, ys, at) => {
    setText(value, fixed(ys[at], decimals));
    const [low, high] = rangeOf(ys);
    setText(top, label(high, high - low));
    setText(bottom, label(low, high - low));
    const width = xs.at(-1) - xs[0] || 1, height = high - low || 1;
    const x = (i) => round(EDGE + ((xs[i] - xs[0]) / width) * (WIDTH - 2 * EDGE));
    const y = (i) => round(HEIGHT - EDGE - (high > low ? (ys[i] - low) / height : 0.5) * (HEIGHT - 2 * EDGE));
    line.setAttribute("d", `M${shown(ys).map((i) => `${x(i)} ${y(i)}`).join("L")}${ys.length > 1 ? "" : "h1"}`);
    mark.setAttribute("d", `M${x(at)} 0V${HEIGHT}`);
  };
}

const round = (value) => Math.round(value * 100) / 100;

/** Enough digits that both ends of a range differ. */
function label(value, range) {
  if (!(range > 0)) return short(value);
  return fixed(value, Math.min(8, Math.max(0, 2 - Math.floor(Math.log10(range)))));
}

const rangeOf = (values) =>
  values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);

/** The indices of those that are drawn: of each stretch of many its least and its largest value, so that
 * no peak is lost. */
function shown(ys) {
  if (ys.length <= POINTS_MAX) return ys.map((_, i) => i);
  const stretch = Math.ceil((2 * ys.length) / POINTS_MAX), kept = [0];
  for (let start = 0; start < ys.length; start += stretch) {
    let low = start, high = start;
    for (let i = start; i < Math.min(start + stretch, ys.length); i++) {
      if (ys[i] < ys[low]) low = i;
      if (ys[i] > ys[high]) high = i;
    }
    kept.push(Math.min(low, high), Math.max(low, high));
  }
  return [...kept, ys.length - 1];
}
