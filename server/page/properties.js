// The properties that can be asked for beside those that the page shows always.

import { ask } from "./api.js";
import { byId, el } from "./dom.js";

export const ALWAYS = ["energy", "forces", "stress"];

const dims = new Map(); // name: how many dimensions a row has, of those that are offered

/** Fills the list from the metadata of a model, when it is opened first. */
export async function offerProperties(model) {
  if (dims.size || !byId("more").open || !model) return;
  const { outputs } = await ask(`v2/models/${encodeURIComponent(model)}`);
  const offered = outputs.filter(({ name }) => name !== "status" && !ALWAYS.includes(name));
  for (const { name, shape } of offered) dims.set(name, shape.length - 1);
  byId("properties").replaceChildren(...offered.map(({ name }) =>
    el("label", {}, el("input", { type: "checkbox", value: name }), ` ${name}`)));
}

export const chosenProperties = () =>
  [...byId("properties").querySelectorAll("input:checked")].map((box) => box.value);

/** Whether there is a value for each atom: it is nested deeper than a row is. */
export const isByAtom = (name, value) => depth(value) > dims.get(name);

const depth = (value) => (Array.isArray(value) ? 1 + depth(value[0]) : 0);
