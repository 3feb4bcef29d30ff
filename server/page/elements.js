// Symbols, radii and colours of the elements, by atomic number.

const SYMBOLS = ("X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn " +
  "Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu " +
  "Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm " +
  "Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og").split(" ");

// Covalent radii in pm up to curium: B. Cordero et al., Dalton Trans. 2008, 2832, table 2 (sp3
// carbon, low spin).
const RADII = ("20 31 28 128 96 84 76 71 66 57 58 166 141 121 111 107 105 102 106 203 176 170 160 153 " +
  "139 139 132 126 124 132 122 122 120 119 120 120 116 220 195 190 175 164 154 147 146 142 139 145 " +
  "144 142 139 139 138 139 140 244 215 207 204 203 201 199 198 198 196 194 192 192 189 190 187 187 " +
  "175 170 162 151 144 141 136 136 132 145 146 148 140 150 150 260 221 215 206 200 196 190 187 180 169")
  .split(" ").map((pm) => Number(pm) / 100);

// Hue, saturation, lightness where chemists expect a colour.
const USUAL = {
  H: [210, 8, 88], C: [215, 6, 44], N: [222, 68, 55], O: [4, 74, 52], F: [95, 45, 58],
  Na: [272, 52, 58], Mg: [110, 45, 48], Al: [215, 12, 66], Si: [38, 34, 62], P: [28, 85, 55],
  S: [47, 88, 56], Cl: [128, 55, 46], K: [285, 48, 50], Ca: [100, 48, 45], Ti: [205, 14, 62],
  Fe: [20, 66, 48], Cu: [22, 58, 52], Zn: [230, 22, 60], Br: [10, 62, 36], Sr: [125, 60, 42],
  Ag: [210, 8, 72], I: [285, 60, 40], Au: [45, 90, 50], Pb: [225, 10, 40],
};

export const symbolOf = (number) => SYMBOLS[number] ?? "?";

/** Å. */
export const radiusOf = (number) => RADII[number] ?? 1.6;

/** [hue, saturation, lightness]; neighbours in the table differ. */
export const colourOf = (number) => USUAL[symbolOf(number)] ?? [(number * 137.5) % 360, 38, 54];

/** The atomic number of a symbol in any case, or of a number from 1 to 118; null for others. */
export function numberOf(text) {
  const symbol = text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
  const index = /^\d+$/.test(text) ? Number(text) : SYMBOLS.indexOf(symbol);
  return index >= 1 && index < SYMBOLS.length ? index : null;
}

/** Si8, C2H6O: carbon and hydrogen first where there is carbon (Hill's order). */
export function formula(numbers) {
  const counts = new Map();
  for (const number of numbers) {
    const symbol = symbolOf(number);
    counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
  }
  const first = counts.has("C") ? ["C", "H"] : [];
  const rank = (symbol) => (first.indexOf(symbol) + 1 || 3) + symbol;
  return [...counts].sort(([a], [b]) => (rank(a) < rank(b) ? -1 : 1))
    .map(([symbol, count]) => symbol + (count > 1 ? count : "")).join("");
}
