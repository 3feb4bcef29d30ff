// Elements and numbers as people read them.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** A new element with attributes; children are elements or texts, null is left out. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Sets a text only when it has changed, so that selections and screen readers are left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Three digits that count: 0.0123, 1.23, 123, 12,300. */
export function short(value) {
  if (value === null || !Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 1e-3) return minus(value.toExponential(1));
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  const rounded = Number(value.toPrecision(3));
  return minus(rounded.toLocaleString("en", { maximumFractionDigits: Math.max(0, 2 - digits) }));
}

/** A fixed number of decimals, so that columns line up. */
export function fixed(value, decimals) {
  const text = value.toFixed(decimals);
  return minus(Number(text) === 0 ? text.replace("-", "") : text);
}

const minus = (text) => text.replace("-", "−");

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  for (; count >= 1000 && power < units.length - 1; power++) count /= 1000;
  return `${short(count)} ${units[power]}`;
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

export const plural = (count, noun) =>
  `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** What the page is painted with, from style.css. */
export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
