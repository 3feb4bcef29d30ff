"""Writes fixtures/allegro/: small random Allegro models, converted, and allegro's float64 answers.

    python tests/reference/allegro_fixtures.py [--only NAME]

needs the packages of requirements-nequip.txt; for the rest see nequip_fixtures.py.
"""

from __future__ import annotations

from allegro.model import allegro_models
from allegro_models import CONFIGURATIONS
from nequip_upstream import builder_in, main

if __name__ == "__main__":
    main(__doc__.splitlines()[0], "allegro", builder_in(allegro_models), CONFIGURATIONS, {})
