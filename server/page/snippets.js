// The same request from a shell and from Python.

import { address, getKey } from "./api.js";
import { ALWAYS } from "./properties.js";

/* A task is {kind, options, fixed, head, precision, properties, dispersion}: kind "predict", "relax", "md" or
 * "hessian" with its options; fixed are the indices of atoms that stay; head and precision may be ""; properties
 * are those beside the default ones; dispersion is an object or null. */

/** What the server is sent. */
export function requestOf({ numbers, positions, cell, pbc }, task) {
  const { kind, options, fixed, head, precision, properties, dispersion } = task;
  const structure = { numbers, positions, cell, pbc };
  const request = { structures: [fixed.length ? { ...structure, fixed } : structure] };
  if (kind === "predict" && properties.length) request.properties = [...ALWAYS, ...properties];
  if (options) request[kind] = kind === "relax" ? { ...options, trajectory: 1 } : options;
  if (dispersion) request.dispersion = dispersion;
  if (head) request.head = head;
  return JSON.stringify(precision && kind !== "hessian" ? { ...request, precision } : request);
}

export const pathOf = (model, kind) => `v1/models/${encodeURIComponent(model)}/${kind}`;

/** The body comes on stdin: an argument could be too long. */
export function curlLines(structure, model, task) {
  const key = getKey() ? ` \\\n  -H "Authorization: Bearer $IRREPD_KEY"` : "";
  const stream = !task.options ? "" : " \\\n  -H 'Accept: application/x-ndjson'";
  return `curl -s${stream ? "N" : ""} '${address(pathOf(model, task.kind))}' \\
  -H 'Content-Type: application/json'${stream}${key} -d @- <<'END'
${requestOf(structure, task)}
END
`;
}

export function pythonLines(structure, model, task) {
  const atoms = atomsLines(structure), url = address("").replace(/\/$/, "");
  const given = { head: task.head || null, precision: task.precision || null, dispersion: task.dispersion };
  if (task.kind === "hessian") return vibratingLines(atoms, model, url, { ...given, precision: null });
  if (task.kind !== "predict") return `${movingLines(atoms, model, url, task, given)}`;
  if (task.properties.length) return `from ase import Atoms
from irrepd import Client

${atoms}
wanted = ${python([...ALWAYS, ...task.properties])}
with Client("${url}") as client:
    (result,) = client.predict("${model}", [atoms], wanted${keywords(given)})
for name in wanted:
    print(name, result[name])
`;
  return `from ase import Atoms
from irrepd import IrrepCalculator

${atoms}
atoms.calc = IrrepCalculator(url="${url}", model="${model}"${keywords(given)})
print(atoms.get_potential_energy(), "eV")
print(atoms.get_forces(), "eV/Angstrom")
`;
}

function vibratingLines(atoms, model, url, given) {
  return `import irrepd
from ase import Atoms

${atoms}
found = irrepd.hessian(atoms, "${model}", "${url}"${keywords(given)})
print(found["frequencies"], "1/cm")
print(found["zero_point_energy"], "eV")
`;
}

function movingLines(atoms, model, url, { kind, options, fixed }, given) {
  const { properties, ...others } = options;
  const call = `${kind === "relax" ? "[atoms]" : "atoms"}, "${model}", "${url}"${keywords({ ...others, ...given })}`;
  const constraint = fixed.length ? `\natoms.set_constraint(FixAtoms(${python(fixed)}))` : "";
  return `import irrepd
from ase import Atoms${constraint && "\nfrom ase.constraints import FixAtoms"}

${atoms}${constraint}
${kind === "relax" ? `(result,) = irrepd.relax(${call})
print(result["n_steps"], result["converged"], result["energy"], "eV")
result.atoms.write("relaxed.extxyz")` : `for frame in irrepd.md(${call}):
    print(frame["time"], "fs", frame["energy"], "eV", frame["temperature"], "K")`}
`;
}

function atomsLines({ numbers, positions, cell, pbc }) {
  const place = cell ? `,\n    cell=${python(cell)},\n    pbc=${python(pbc)}` : "";
  return `atoms = Atoms(
    numbers=${python(numbers)},
    positions=${python(positions)}${place},
)`;
}

/** Those that are not null, as arguments behind others. */
const keywords = (given) => Object.entries(given).filter(([, value]) => value !== null)
  .map(([name, value]) => `, ${name}=${python(value)}`).join("");

/** A value as Python writes it. */
function python(value) {
  if (Array.isArray(value)) return `[${value.map(python).join(",")}]`;
  if (value === true || value === false) return value ? "True" : "False";
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, item]) => `"${name}": ${python(item)}`).join(", ")}}`;
}
