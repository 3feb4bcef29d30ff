// The text of GET /metrics as numbers.

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export class Metrics {
  constructor(text) {
    this.series = new Map();
    for (const line of text.split("\n")) {
      const found = LINE.exec(line);
      if (!found) continue;
      const [, name, labels = "", value] = found;
      if (!this.series.has(name)) this.series.set(name, []);
      const pairs = [...labels.matchAll(LABEL)].map((label) => [label[1], label[2]]);
      this.series.get(name).push({ labels: Object.fromEntries(pairs), value: Number(value) });
    }
  }

  /** The series of a name, without its prefix, that carry these labels. */
  with(name, labels) {
    const all = this.series.get(`irrepd_${name}`) ?? [];
    const wanted = Object.entries(labels);
    return all.filter((one) => wanted.every(([key, value]) => one.labels[key] === value));
  }

  sum(name, labels = {}) {
    return this.with(name, labels).reduce((total, one) => total + one.value, 0);
  }
}

/** What was added between two scrapes; null when the server has started anew between them. */
export function increase(before, now, name, labels) {
  const added = now.sum(name, labels) - before.sum(name, labels);
  return added < 0 ? null : added;
}

/** The mean of a histogram's observations between two scrapes; null without any. */
export function meanBetween(before, now, name, labels) {
  const count = increase(before, now, `${name}_count`, labels);
  const sum = increase(before, now, `${name}_sum`, labels);
  return count && sum !== null ? sum / count : null;
}

/** The upper edge of the bucket below which a share of the observations lies; null without any. */
export function bucketOf(before, now, name, labels, share) {
  const count = increase(before, now, `${name}_count`, labels);
  if (!count) return null;
  for (const { labels: found } of now.with(`${name}_bucket`, labels)) {
    const below = increase(before, now, `${name}_bucket`, { ...labels, le: found.le });
    if (below >= share * count) return found.le === "+Inf" ? null : Number(found.le);
  }
  return null;
}
