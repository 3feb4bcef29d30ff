// The same prediction from a shell and from Python.

import { address, getKey } from "./api.js";

/** What predict is sent. */
export function requestOf({ numbers, positions, cell, pbc }, precision) {
  const request = { structures: [{ numbers, positions, cell, pbc }] };
  return JSON.stringify(precision ? { ...request, precision } : request);
}

export const predictPath = (model) => `v1/models/${encodeURIComponent(model)}/predict`;

/** The body comes on stdin: an argument could be too long. */
export function curlLines(structure, model, precision) {
  const key = getKey() ? ` \\\n  -H "Authorization: Bearer $IRREPD_KEY"` : "";
  return `curl -s '${address(predictPath(model))}' \\
  -H 'Content-Type: application/json'${key} -d @- <<'END'
${requestOf(structure, precision)}
END
`;
}

export function pythonLines(structure, model, precision) {
  const { numbers, positions, cell, pbc } = structure;
  const list = (value) => JSON.stringify(value);
  const flags = pbc.map((flag) => (flag ? "True" : "False")).join(", ");
  const place = cell ? `,\n    cell=${list(cell)},\n    pbc=[${flags}]` : "";
  const more = precision ? `, precision="${precision}"` : "";
  return `from ase import Atoms
from irrepd import IrrepCalculator

atoms = Atoms(
    numbers=${list(numbers)},
    positions=${list(positions)}${place},
)
atoms.calc = IrrepCalculator(url="${address("").replace(/\/$/, "")}", model="${model}"${more})
print(atoms.get_potential_energy(), "eV")
print(atoms.get_forces(), "eV/Angstrom")
`;
}
