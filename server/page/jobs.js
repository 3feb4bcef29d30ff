// The table of jobs: relaxations and dynamics that go on by themselves.

import { ask } from "./api.js";
import { byId, el, setText, short } from "./dom.js";

const SHOWN = 50; // the newest
const KINDS = { running: "ready", done: "ready", queued: "loading", paused: "loading", failed: "failed" };
const ENDED = ["done", "cancelled", "failed"];

/** cards: of /v1/jobs; null where they cannot be had. onChange() is called when one was changed here. */
export function showJobs(cards, onChange) {
  byId("jobs-part").hidden = !cards?.length;
  if (!cards?.length) return;
  const newest = [...cards].sort((a, b) => (b.created ?? "").localeCompare(a.created ?? "")).slice(0, SHOWN);
  setText(byId("jobs-note"), cards.length > SHOWN
    ? `The ${SHOWN} newest of ${cards.length.toLocaleString("en")}; GET /v1/jobs lists all.` : "");
  const focused = document.activeElement?.dataset?.of;
  byId("jobs").tBodies[0].replaceChildren(...newest.map((card) => rowOf(card, onChange)));
  if (focused) byId("jobs").querySelector(`[data-of="${focused}"]`)?.focus();
}

function rowOf(card, onChange) {
  const share = card.steps_wanted ? ` of ${card.steps_wanted.toLocaleString("en")}` : "";
  return el("tr", {},
    el("th", { scope: "row", title: card.id }, card.id.slice(0, 8),
      card.reason ? el("p", { class: "note" }, card.reason) : null),
    el("td", {}, card.kind === "md" ? "Dynamics" : "Relax", el("span", { class: "note" }, ` ${card.model}`)),
    el("td", {}, el("span", { class: "pill", "data-kind": KINDS[card.state] ?? "" }, card.state)),
    el("td", { class: "number" }, `${card.structures_ended} of ${card.structures}`),
    el("td", { class: "number" }, `${card.steps.toLocaleString("en")}${share}`),
    el("td", { class: "number" }, ENDED.includes(card.state) ? "–" : short(card.steps_per_second)),
    el("td", {}, card.created?.replace("T", " ").replace("Z", "") ?? "–"),
    el("td", { class: "row" }, ...actionsOf(card).map((one) => buttonOf(card, one, onChange))));
}

/** What may be done with a job now: a word, and the request. */
function actionsOf({ state }) {
  if (ENDED.includes(state)) return [["Forget", { method: "DELETE" }]];
  const pause = state === "paused" ? ["Resume", "resume"] : ["Pause", "pause"];
  return [[pause[0], { body: JSON.stringify({ action: pause[1] }) }], ["Cancel", { method: "DELETE" }]];
}

function buttonOf({ id }, [word, request], onChange) {
  const button = el("button", { type: "button", "data-of": `${id} ${word}`, "aria-label": `${word} job ${id.slice(0, 8)}` }, word);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await ask(`v1/jobs/${id}`, request);
    } catch (error) {
      setText(byId("jobs-note"), error.message);
      button.disabled = false;
      return;
    }
    onChange();
  });
  return button;
}
