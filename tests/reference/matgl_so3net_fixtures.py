"""Writes fixtures/published/so3net-ani-1x.npz, and a small SO3Net of matgl with random weights.

    python tests/reference/matgl_so3net_fixtures.py [--only NAME]

needs the packages of requirements-matgl.txt; for the rest see matgl_fixtures.py. In float64, the
coupling coefficients and the coefficients of the harmonics, which matgl makes in float32, are
replaced by exact ones, as schnetpack_fixtures.py does for the code that they come from. The small
one, saved as matgl saves it, is for the converter's tests; the answers are those of the published
weights, where these are.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import matgl_fixtures as tensornets  # first: it chooses matgl's backend
import torch
from fixture_files import answers, decorated, load, save_answers
from matgl.layers._so3 import RealSphericalHarmonics
from matgl.models import SO3Net
from matgl.utils import so3
from matgl_fixtures import PACKAGES, Potential, commit, matgl, matgl_number
from published import PUBLISHED, weights_of

SMALL = "so3net"  # for the converter's tests: matgl-so3net there
OPTIONS = {
    "dim_node_embedding": 3, "units": 4, "nblocks": 2, "nmax": 2, "lmax": 1, "cutoff": 3.5,
    "element_types": ("O", "H", "C"),
}  # fmt: skip
# Of hydrogen, carbon, nitrogen and oxygen, or decorated with them.
PUBLISHED_STRUCTURES = (
    "atom-isolated", "atom-tiny-cell", "dimer-n2", "s22-water-dimer", "s22-adenine-thymine",
    "g2-ethanol", "si-sheared", "quartz", "batio3",
)  # fmt: skip


def build(options: dict[str, Any], seed: int) -> Potential:
    """With random biases and references, sized so that forces are of order 1."""
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float32)
    matgl.float_th = torch.float32
    model = SO3Net(**{"is_intensive": False, **options})
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            elif "filternet" in name:
                parameter.mul_(4.0)
    refs = -5 * torch.rand(len(model.element_types), dtype=torch.float64)
    return Potential(model, data_std=torch.tensor(2.5), element_refs=refs)


def exact_couplings(l_max: int) -> torch.Tensor:
    """matgl's generate_clebsch_gordan_rsh without its detour by complex64."""
    for function in (so3.generate_clebsch_gordan, so3.generate_sh_to_rsh):
        if hasattr(function, "cache_clear"):
            function.cache_clear()
    table = so3.generate_clebsch_gordan(l_max).to(torch.complex128)
    real = so3.generate_sh_to_rsh(l_max).to(torch.complex128)
    table = torch.einsum("ijk,mi,nj,ok->mno", table, real, real, real.conj()).real
    parity = (-1.0) ** so3.sh_indices(l_max)[0]
    return table * (parity[:, None, None] * parity[None, :, None] == parity[None, None, :])


def set_exact_constants(model: SO3Net) -> None:
    """In float64, with torch's default dtype set to it."""
    table = exact_couplings(model.lmax)
    for module in model.modules():
        if hasattr(module, "clebsch_gordan"):
            exact = table[module.idx_in_1, module.idx_in_2, module.idx_out]
            assert (exact - module.clebsch_gordan).abs().max() < 1e-6
            module.clebsch_gordan = exact
        if isinstance(module, RealSphericalHarmonics):
            names = ("powers", "zpow", "cAm", "cBm", "cPi")
            for name, exact in zip(names, module._generate_Ylm_coefficients(module.lmax)):
                assert exact.numel() == 0 or (exact - getattr(module, name)).abs().max() < 1e-5
                setattr(module, name, exact)


class Upstream(tensornets.Upstream):
    """A saved potential in one dtype, on one structure at a time."""

    def __init__(self, folder: Path, dtype: torch.dtype):
        torch.set_default_dtype(torch.float32)  # in which matgl can make its couplings
        matgl.float_th = torch.float32
        self.dtype = dtype
        options = torch.load(folder / "model.pt", map_location="cpu", weights_only=False)
        arguments = options["model"]["init_args"]
        self.model = SO3Net(**arguments).to(dtype).eval()
        self.elements, self.r_max = arguments["element_types"], arguments["cutoff"]
        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        self.scale = float(state["data_std"])
        refs = state.get("element_refs.property_offset", torch.zeros(len(self.elements)))
        self.refs = refs.double().numpy()
        prefix = "model."
        own = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
        self.model.load_state_dict(own)
        if dtype == torch.float64:
            torch.set_default_dtype(dtype)
            matgl.float_th = dtype
            set_exact_constants(self.model)
        self.model.final_layer.register_forward_hook(self._keep)

    def numbers(self) -> list[int]:
        return sorted(matgl_number(symbol) for symbol in self.elements)


def upstreams(folder: Path) -> list[Upstream]:
    return [Upstream(folder, dtype) for dtype in (torch.float64, torch.float32)]


def make_small(scratch: Path) -> None:
    folder = scratch / SMALL
    build(OPTIONS, 3).save(folder)
    commit(folder, SMALL, upstreams(folder)[0])


def make_published(name: str) -> None:
    exact, rough = upstreams(weights_of(name))
    chosen = {key: decorated(load()[key], exact.numbers()) for key in PUBLISHED_STRUCTURES}
    found = answers(exact, rough, exact.r_max, chosen, PACKAGES)
    save_answers(f"published/{name}", found)


def main() -> None:
    published = [name for name in PUBLISHED if name.startswith("so3net") and weights_of(name)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=(SMALL, *published), help="one model")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    if only in (None, SMALL):
        with tempfile.TemporaryDirectory() as scratch:
            make_small(Path(scratch))
    for name in published:
        if only in (None, name):
            print(name, flush=True)
            make_published(name)


if __name__ == "__main__":
    main()
