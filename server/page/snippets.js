// The same prediction from a shell and from Python.

import { address, getKey } from "./api.js";
import { ALWAYS } from "./properties.js";

/** What predict is sent; more: properties beside the default ones. */
export function requestOf({ numbers, positions, cell, pbc }, precision, more) {
  const request = { structures: [{ numbers, positions, cell, pbc }] };
  if (more.length) request.properties = [...ALWAYS, ...more];
  return JSON.stringify(precision ? { ...request, precision } : request);
}

export const predictPath = (model) => `v1/models/${encodeURIComponent(model)}/predict`;

/** The body comes on stdin: an argument could be too long. */
export function curlLines(structure, model, precision, more) {
  const key = getKey() ? ` \\\n  -H "Authorization: Bearer $IRREPD_KEY"` : "";
  return `curl -s '${address(predictPath(model))}' \\
  -H 'Content-Type: application/json'${key} -d @- <<'END'
${requestOf(structure, precision, more)}
END
`;
}

export function pythonLines(structure, model, precision, more) {
  const { numbers, positions, cell, pbc } = structure;
  const list = (value) => JSON.stringify(value);
  const flags = pbc.map((flag) => (flag ? "True" : "False")).join(", ");
  const place = cell ? `,\n    cell=${list(cell)},\n    pbc=[${flags}]` : "";
  const options = precision ? `, precision="${precision}"` : "";
  const url = address("").replace(/\/$/, "");
  const atoms = `atoms = Atoms(
    numbers=${list(numbers)},
    positions=${list(positions)}${place},
)`;
  if (more.length) return `from ase import Atoms
from irrepd import Client

${atoms}
wanted = ${list([...ALWAYS, ...more])}
with Client("${url}") as client:
    (result,) = client.predict("${model}", [atoms], wanted${options})
for name in wanted:
    print(name, result[name])
`;
  return `from ase import Atoms
from irrepd import IrrepCalculator

${atoms}
atoms.calc = IrrepCalculator(url="${url}", model="${model}"${options})
print(atoms.get_potential_energy(), "eV")
print(atoms.get_forces(), "eV/Angstrom")
`;
}
