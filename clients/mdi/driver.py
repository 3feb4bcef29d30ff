"""A driver of MDI: asks the engine that connects to it for the energy and forces of water.

    python3 driver.py PORT

It needs the library pymdi (`pip install pymdi`), which listens at the port.
"""

from __future__ import annotations

import sys
from typing import Any

import mdi

NUMBERS = [8, 1, 1]
POSITIONS = [0.0, 0.0, 0.0, 0.96, 0.0, 0.0, -0.24, 0.93, 0.0]  # Angstrom
BOHR = mdi.MDI_Conversion_Factor("bohr", "angstrom")
HARTREE = mdi.MDI_Conversion_Factor("hartree", "electron_volt")


def send(engine: Any, command: str, values: Any, datatype: Any) -> None:
    count = len(values) if isinstance(values, list) else 1
    mdi.MDI_Send_Command(command, engine)
    mdi.MDI_Send(values, count, datatype, engine)


def receive(engine: Any, command: str, count: int) -> Any:
    mdi.MDI_Send_Command(command, engine)
    return mdi.MDI_Recv(count, mdi.MDI_DOUBLE, engine)


def main() -> None:
    mdi.MDI_Init(f"-role DRIVER -name water -method TCP -port {int(sys.argv[1])}")
    engine = mdi.MDI_Accept_Communicator()
    send(engine, ">NATOMS", len(NUMBERS), mdi.MDI_INT)
    send(engine, ">ELEMENTS", NUMBERS, mdi.MDI_INT)
    send(engine, ">COORDS", [x / BOHR for x in POSITIONS], mdi.MDI_DOUBLE)
    print("energy (eV)", receive(engine, "<ENERGY", 1) * HARTREE)
    forces = receive(engine, "<FORCES", 3 * len(NUMBERS))
    print("forces (eV/Angstrom)", [force * HARTREE / BOHR for force in forces])
    mdi.MDI_Send_Command("EXIT", engine)


if __name__ == "__main__":
    main()
