// The table of models.

import { byId, bytes, el, short } from "./dom.js";

const STATES = { ready: "Ready", loading: "Loading", unloaded: "Not loaded", failed: "Failed" };

/** models: of /v1/status; cards: of /v1/models; rateOf(name): structures a second or null. */
export function showModels(models, cards, rateOf) {
  const rows = models.map((model) => {
    const state = el("span", { class: "pill", "data-kind": model.state },
      STATES[model.state] ?? model.state);
    const card = cards.find(({ name }) => name === model.name) ?? {};
    return el("tr", {},
      el("th", { scope: "row" }, model.name, model.pinned ? el("span", { class: "tag" }, "pinned") : null,
        card.description ? el("p", { class: "note" }, card.description) : null,
        card.license ? el("p", { class: "note" }, `Licence: ${licenceOf(card)}`) : null,
        card.citation ? el("p", { class: "note" }, `Cite ${card.citation}`) : null),
      el("td", {}, state,
        model.error ? el("span", { class: "note" }, ` ${model.error}`) : null),
      el("td", {}, card.variant ?? card.architecture ?? "–",
        card.precision ? el("span", { class: "note" }, ` ${card.precision}`) : null),
      number(card.elements?.length),
      number(card.r_max),
      el("td", { class: "number" }, model.bytes === undefined ? "–" : bytes(model.bytes)),
      number(rateOf(model.name)),
      number(model.queued_structures));
  });
  const empty = el("tr", {}, el("td", { colspan: "8", class: "empty" },
    "There is no model: put *.safetensors files into the folder of --models."));
  byId("models").tBodies[0].replaceChildren(...(rows.length ? rows : [empty]));
}

/** A text, or an object with an SPDX identifier and who says so. */
const licenceOf = ({ license }) => (typeof license === "string" ? license : license.spdx ?? JSON.stringify(license));

const number = (value) => el("td", { class: "number" }, short(value ?? null));
