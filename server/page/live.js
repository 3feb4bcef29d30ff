// What the server is doing: asks /v1/status and /metrics every two seconds and shows it.

import { Refused, ask } from "./api.js";
import { addChart } from "./chart.js";
import { byId, bytes, duration, plural, setText, short } from "./dom.js";
import { showJobs } from "./jobs.js";
import { showModels } from "./models.js";
import { Metrics, bucketOf, increase, meanBetween } from "./prometheus.js";

const PERIOD_MS = 2000, PATIENCE_MS = 8000;
const KEPT = 60; // samples, two minutes of them
const RATE_OVER = 5; // samples, for the rate of a model
const JOBS_MAX = 200; // with more, their list is asked for no longer
const PREDICT = { route: "/v1/models/{m}/predict" };
const STATES = { ready: "Ready", loading: "Loading", draining: "Draining", failed: "No model" };

/** Asks from now on; onModels(cards) is called when the models have changed. */
export function startLive(onModels) {
  const live = new Live(onModels);
  document.addEventListener("visibilitychange", () => document.hidden || live.refresh());
  live.refresh();
  return live;
}

class Live {
  constructor(onModels) {
    this.onModels = onModels;
    this.samples = [];
    this.cards = [];
    const add = (title, unit) => addChart(byId("charts"), title, unit, KEPT);
    this.charts = { rate: add("Throughput", "structures/s"), latency: add("Latency", "ms"),
      batch: add("Batch", "structures"), queue: add("Queue", "structures waiting") };
  }

  /** Asks at once, and again every period; not while the page is hidden. */
  async refresh() {
    clearTimeout(this.timer);
    const turn = (this.turn = (this.turn ?? 0) + 1); // an answer to an earlier call is dropped
    try {
      const found = await this.fetch();
      if (turn === this.turn) this.showAll(...found);
    } catch (error) {
      if (turn === this.turn) this.showError(error);
    }
    if (turn === this.turn && !document.hidden)
      this.timer = setTimeout(() => this.refresh(), PERIOD_MS);
  }

  async fetch() {
    const abort = new AbortController();
    const patience = setTimeout(() => abort.abort(), PATIENCE_MS);
    try {
      const options = { signal: abort.signal };
      const [status, text] = await Promise.all([ask("v1/status", options), ask("metrics", options)]);
      const version = JSON.stringify(status.models.map(({ name, state, bytes }) => [name, state, bytes]));
      const cards = version === this.version ? this.cards : (await ask("v1/models", options)).models;
      const metrics = new Metrics(text);
      return [status, metrics, cards, version, await this.jobs(metrics, options)];
    } finally {
      clearTimeout(patience);
    }
  }

  /** Those of whoever looks, where there are any; with a key that may not ask, null. */
  async jobs(metrics, options) {
    const n = metrics.sum("jobs");
    if (n === 0 || n > JOBS_MAX) return null;
    try {
      return (await ask("v1/jobs", options)).jobs;
    } catch (error) {
      if (error instanceof Refused) return null;
      throw error;
    }
  }

  showAll(status, metrics, cards, version, jobs) {
    showJobs(jobs, () => this.refresh());
    this.samples.push({ time: performance.now() / 1000, status, metrics });
    if (this.samples.length > KEPT + 1) this.samples.shift();
    this.showState(STATES[status.state] ?? status.state, status.state);
    byId("banner").hidden = true;
    setText(byId("uptime"), `version ${status.version}, up ${duration(status.uptime_s)}`);
    this.showCharts(status);
    this.showMemory(status);
    showModels(status.models, cards, (model) => this.rateOf(model));
    if (version !== this.version) this.onModels(cards);
    [this.version, this.cards] = [version, cards];
  }

  showState(text, kind) {
    setText(byId("state"), text);
    byId("state").dataset.kind = kind;
    document.body.classList.toggle("stale", kind === "lost");
  }

  showError(error) {
    const banner = byId("banner");
    const keyIsDue = error instanceof Refused && error.status === 401;
    this.showState(keyIsDue ? "Key needed" : error instanceof Refused ? "Error" : "Unreachable",
      keyIsDue ? "loading" : "lost");
    if (keyIsDue) byId("key-box").open = true;
    banner.hidden = false;
    setText(banner, keyIsDue ? "This server answers with a key only: enter yours above."
      : error instanceof Refused ? `The server answers with an error: ${error.message}`
      : "The server does not answer. What you see is the last that it said; the page goes on asking.");
  }

  /** What measure(before, now, seconds) says of each interval between samples. */
  overTime(measure) {
    return this.samples.slice(1).map((now, i) => {
      const before = this.samples[i];
      return measure(before.metrics, now.metrics, now.time - before.time);
    });
  }

  showCharts({ queue, workers }) {
    const rates = this.overTime((before, now, seconds) => {
      const added = increase(before, now, "inference_structures_total", { outcome: "ok" });
      return added === null ? null : added / seconds;
    });
    this.charts.rate(rates, rates.length ? `at most ${short(Math.max(...rates))} in two minutes` : " ");
    const means = this.overTime((before, now) =>
      meanBetween(before, now, "http_request_duration_seconds", PREDICT));
    const most = this.samples.length < 2 ? null : bucketOf(this.samples[0].metrics,
      this.samples.at(-1).metrics, "http_request_duration_seconds", PREDICT, 0.95);
    this.charts.latency(means.map((mean) => mean && mean * 1000),
      most === null ? "mean of predictions" : `mean; 95% within ${short(most * 1000)} ms`);
    this.charts.batch(this.overTime((before, now) => meanBetween(before, now, "batch_structures", {})),
      `${workers.count - workers.idle} of ${plural(workers.count, "worker")} at work`);
    this.charts.queue(this.samples.map(({ status }) => status.queue.structures).slice(-KEPT),
      queue.structures === 0 ? "nothing waits" : `about ${short(queue.seconds)} s of work`);
  }

  /** Structures a second of a model, over the last samples; null at first. */
  rateOf(model) {
    const [before, now] = [this.samples.at(-1 - RATE_OVER) ?? this.samples[0], this.samples.at(-1)];
    const added = increase(before.metrics, now.metrics, "inference_structures_total", { model });
    return before === now || added === null ? null : added / (now.time - before.time);
  }

  showMemory({ memory, connections }) {
    setText(byId("memory"), `Models hold ${bytes(memory.model_bytes)}; batches under way ` +
      `${bytes(memory.planned_bytes)} of at most ${bytes(memory.budget_bytes)}; ` +
      `${plural(connections, "connection")}.`);
  }
}
