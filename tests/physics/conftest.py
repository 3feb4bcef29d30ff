"""Puts tests/support on the path, and gives every test each model in the models' folders."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from libirrep import Model
from models import model_names, model_path


@pytest.fixture(scope="session", params=model_names())
def model(request) -> Model:
    """Each model in turn, loaded once."""
    return Model(model_path(request.param))


@pytest.fixture
def extensive(model: Model) -> None:
    """For tests that put structures together: not with a model whose energy is a mean."""
    if model.metadata["model"].get("aggregation", "sum") != "sum":
        pytest.skip("the energy is a mean over atoms")
