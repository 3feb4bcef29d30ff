"""An MDI driver, by the library pymdi: asks the engine for the numbers of a structure.

    driver_mdi.py PORT < STRUCTURE > ANSWERS

STRUCTURE and ANSWERS are JSON, in ASE's units. A program of its own, since the library keeps its
state in the process and ends it on errors.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import mdi
import numpy as np

BOHR = mdi.MDI_Conversion_Factor("bohr", "angstrom")
HARTREE = mdi.MDI_Conversion_Factor("hartree", "electron_volt")


class Engine:
    def __init__(self, port: int):
        mdi.MDI_Init(f"-role DRIVER -name driver -method TCP -port {port}")
        self.peer = mdi.MDI_Accept_Communicator()

    def tell(self, command: str, values: Any, datatype: Any = mdi.MDI_DOUBLE) -> None:
        mdi.MDI_Send_Command(command, self.peer)
        flat = np.ravel(values).tolist()
        mdi.MDI_Send(flat if len(flat) > 1 else flat[0], len(flat), datatype, self.peer)

    def ask(self, command: str, count: int, datatype: Any = mdi.MDI_DOUBLE) -> Any:
        mdi.MDI_Send_Command(command, self.peer)
        return mdi.MDI_Recv(count, datatype, self.peer)

    def commands(self) -> list[str]:
        n = mdi.MDI_Get_NCommands("@DEFAULT", self.peer)
        return [mdi.MDI_Get_Command("@DEFAULT", i, self.peer) for i in range(n)]


def main() -> None:
    steps = json.load(sys.stdin)
    engine = Engine(int(sys.argv[1]))
    answers = []
    name = engine.ask("<NAME", mdi.MDI_NAME_LENGTH, mdi.MDI_CHAR)
    commands = engine.commands()
    for step in steps:
        n_atoms = len(step["numbers"])
        engine.tell(">NATOMS", n_atoms, mdi.MDI_INT)
        engine.tell(">CELL_DISPL", [0.0, 0.0, 0.0])
        engine.tell(">CELL", np.array(step["cell"]) / BOHR)
        engine.tell(">ELEMENTS", step["numbers"], mdi.MDI_INT)
        engine.tell(">COORDS", np.array(step["positions"]) / BOHR)
        answer = {"energy": engine.ask("<ENERGY", 1) * HARTREE}
        forces = np.reshape(engine.ask("<FORCES", 3 * n_atoms), (-1, 3)) * HARTREE / BOHR
        answer["forces"] = forces.tolist()
        if all(step["pbc"]):
            stress = np.reshape(engine.ask("<STRESS", 9), (3, 3)) * HARTREE / BOHR**3
            answer["stress"] = (-stress).tolist()
        answers.append(answer)
    mdi.MDI_Send_Command("EXIT", engine.peer)
    json.dump({"name": name, "commands": commands, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
