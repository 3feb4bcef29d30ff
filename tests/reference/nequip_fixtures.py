"""Writes fixtures/nequip/: small random NequIP models, converted, and nequip's float64 answers.

    python tests/reference/nequip_fixtures.py [--only NAME]

needs the packages of requirements-nequip.txt. Each model is saved as a Lightning checkpoint holds
it and as nequip-package writes it; the converter reads both in a process that cannot import torch,
and must find the same numbers. The reference has the checkpoint's weights in a model built in
float64. The edges come from the tests' own brute-force list, pairs beyond their own cutoff
included, which nequip masks; nequip's own calculator, with its own list, is asked for one structure
of each model.
"""

from __future__ import annotations

from nequip.model import nequip_models
from nequip_models import CHARGE, CONFIGURATIONS
from nequip_upstream import builder_in, main

if __name__ == "__main__":
    main(__doc__.splitlines()[0], "nequip", builder_in(nequip_models), CONFIGURATIONS, CHARGE)
