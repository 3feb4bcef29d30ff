"""ASE's reference calculations are on tiny matrices: one thread for them."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
