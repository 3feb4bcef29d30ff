"""What ASE imports as ase.calculators.irrepd, by way of `irrepd.ase_finder`."""

from __future__ import annotations

from irrepd.calculator import IrrepCalculator

Irrepd = IrrepCalculator  # the name that ASE makes of "irrepd"
