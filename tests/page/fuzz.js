// Random changes of texts, by a seed: a reader takes each, or refuses it by a Fault. An expression, which
// the tests evaluate in the page. Counts come back: {taken, refused, wrong: [{text, error}]}. runs below 0:
// the samples as they are.
(async ({ samples, seed, runs, slow, base }) => {
  const { parse } = await import(`${base}/formats.js`);
  const { Fault } = await import(`${base}/fields.js`);

  // Of Steele and Vigna's mulberry32: 32 bits of state.
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(random() * n);
  const one = (list) => list[below(list.length)];

  const WORDS = [
    "0", "-1", "1", "2", "3", "1e999", "-1e999", "1e308", "1e-320", "NaN", "Infinity", "1000000",
    "4294967296", "1e7", "9007199254740993", "0.5", "1/2", "1/0", "x", "-y", "x,y,z", "x-y,x,z+1/3", "null",
    "true", "{}", "[]", "[[]]", "{\"__ndarray__\":[[2,3],\"f\",[0,0,0,1,1,1]]}",
    "{\"__ndarray__\":[[1e9,0],\"f\",[]]}", "{\"__ndarray__\":[[1,1],\"f\",[1]]}", "\"", "'", "\\", ";",
    "\n;", "#", "loop_", "data_", "data_b", "save_", "_cell_length_a", "?", ".",
    "_symmetry_int_tables_number", "_space_group_IT_number 229", "_space_group_name_Hall '-P 4 2 3'",
    "_symmetry_space_group_name_H-M 'F m -3 m'", "_atom_site_fract_x", "_atom_site_occupancy", "VEC1",
    "VEC4 1 2 3", "Lattice=\"", "Properties=species:S:1:pos:R:3", "Properties=pos:R:3:species:S:-3",
    "pbc=\"T T T\"", "Direct", "Cartesian", "Selective", "Si", "X", "Og", "D", "__proto__", "constructor",
    "toString", "\u0000", "\ufeff", "\u2028", "\u00e9", "\ud800", "\t", "\r", "\r\n", "\n", " ", "numbers",
    "positions", "cell", "sites", "species", "lattice", "ids", "structures", "length",
  ];
  const NUMBER = /[-+]?\d+(\.\d*)?([eE][-+]?\d+)?/g;

  /** Replaces what stands from `at` on, `size` characters. */
  const splice = (text, at, size, by) => text.slice(0, at) + by + text.slice(at + size);
  const spliceMatch = (text, pattern, by) => {
    const found = [...text.matchAll(pattern)];
    if (found.length === 0) return text + by;
    const { index, 0: match } = one(found);
    return splice(text, index, match.length, by);
  };
  const CHANGES = [
    (text) => splice(text, below(text.length + 1), below(8), ""),
    (text) => splice(text, below(text.length + 1), 0, one(WORDS)),
    (text) => splice(text, below(text.length + 1), below(20), one(WORDS)),
    (text) => splice(text, below(text.length + 1), 1, String.fromCharCode(below(300))),
    (text) => spliceMatch(text, NUMBER, one(WORDS)),
    (text) => spliceMatch(text, NUMBER, String(below(300) - 40)),
    (text) => spliceMatch(text, /\S+/g, one(WORDS)),
    (text) => spliceMatch(text, /[^\n]*\n/g, ""),
    (text) => text.slice(0, below(text.length + 1)),
    (text) => { // a piece twice, or many times
      const at = below(text.length + 1), piece = text.slice(at, at + below(40));
      return splice(text, at, 0, piece.repeat(1 + below(random() < 0.05 ? 400 : 4)));
    },
    (text) => { // two lines in each other's place
      const lines = text.split("\n"), i = below(lines.length), j = below(lines.length);
      [lines[i], lines[j]] = [lines[j], lines[i]];
      return lines.join("\n");
    },
    (text) => { // the end of another one
      const other = one(samples);
      return text.slice(0, below(text.length + 1)) + other.slice(below(other.length + 1));
    },
  ];

  const isNumbers = (list) => Array.isArray(list) && list.length === 3 && list.every(Number.isFinite);
  /** What every structure that was taken is. */
  const isWhole = ({ numbers, positions, cell, pbc }) =>
    numbers.length > 0 && positions.length === numbers.length && numbers.every((z) => z >= 1 && z <= 118) &&
    positions.every(isNumbers) && (cell === null || (cell.length === 3 && cell.every(isNumbers))) &&
    pbc.length === 3 && pbc.every((flag) => typeof flag === "boolean");

  const told = { taken: 0, refused: 0, wrong: [] };
  for (let run = 0; run < (runs < 0 ? samples.length : runs) && told.wrong.length < 5; run++) {
    let text = runs < 0 ? samples[run] : one(samples);
    for (let times = runs < 0 ? 0 : 1 + below(4); times > 0; times--) text = one(CHANGES)(text);
    const begun = performance.now();
    let error = null;
    try {
      const { frames } = parse(text);
      told.taken++;
      if (frames.length === 0 || !frames.every(isWhole)) error = "a structure that is not whole";
    } catch (thrown) {
      told.refused++;
      if (!(thrown instanceof Fault)) error = String(thrown?.stack ?? thrown);
      else if (thrown.message === "") error = "a Fault without words";
    }
    const ms = performance.now() - begun;
    if (error === null && ms > slow) error = `${ms} ms`;
    if (error !== null) told.wrong.push({ text, error });
  }
  return told;
})
