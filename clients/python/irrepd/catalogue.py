"""Checkpoints that their authors publish: where they lie, under which licence, how to cite them.

Addresses, licences and levels of theory are those of the authors' own packages and pages: nequix
0.4.5 (calculator.py; one of its addresses names a file that its repository has under another name)
and its README; mace-torch 0.3.16 (foundations_models.py), the READMEs of ACEsuit/mace-foundations
and ACEsuit/mace-off; sevenn 0.13.0 (_const.py) and its guide; nequip's guide, and Zenodo's record
10.5281/zenodo.18775904. A sha256 is that of the file in the authors' repository at the commit of
the address, or in their wheel. md5 and size of files at Zenodo are as other projects' repositories
cite them. Where there is neither, none is known.

Left out: MACE-OMOL-0 and MACE-POLAR-1, whose charges and spins are not supported, and what has no
address of its own there.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

# By the beginning of a name, the model that the authors recommend in its place (mace-foundations'
# README, sevenn's guide).
_SUCCESSORS = {
    "mace-mp-0": "mace-mpa-0-medium",
    "sevennet-0": "sevennet-omni",
    "sevennet-l3i5": "sevennet-omni",
    "sevennet-mf-": "sevennet-omni",
    "sevennet-omat": "sevennet-omni",
}
ASL = "ASL"  # Academic Software License: no commercial use
_FUNCTIONALS = {"PBE": "pbe", "PBE(+U)": "pbe", "r2SCAN": "r2scan"}  # that DFT-D3 goes with

_GITHUB = "https://github.com"
_MACE = f"{_GITHUB}/ACEsuit/mace-mp/releases/download"
_FOUNDATIONS = f"{_GITHUB}/ACEsuit/mace-foundations/releases/download"
_OFF = "https://raw.githubusercontent.com/ACEsuit/mace-off"
_SEVENN = f"{_GITHUB}/MDIL-SNU/SevenNet"
_POTENTIALS = f"{_SEVENN}/raw/b3d99aa7bb4bbc112fdcc49272b5ddaaed83867b/sevenn/pretrained_potentials"
_ZENODO = "https://zenodo.org/records/18775904/files"
_KOKER = "T. Koker, M. Kotak, T. Smidt, arXiv:2508.16067 (2025)"
_PFT = "T. Koker et al., arXiv:2601.07742 (2026)"
_BATATIA = "I. Batatia et al., arXiv:2401.00096 (2023)"
_MULTIHEAD = (
    "I. Batatia et al., Cross Learning between Electronic Structure Theories for Unifying "
    "Molecular, Surface, and Inorganic Crystal Foundation Force Fields, arXiv (2025)"
)
_KOVACS = "D. P. Kovacs et al., arXiv:2312.15211 (2023)"
_PARK = "Y. Park et al., J. Chem. Theory Comput. 20, 4857 (2024), 10.1021/acs.jctc.4c00190"
_KIM = "J. Kim et al., J. Am. Chem. Soc. 147, 1042 (2024), 10.1021/jacs.4c14455"
_OMNI = "J. Kim et al., Nat. Commun. 17, 3432 (2026), 10.1038/s41467-026-70195-8"
_MATGL = (
    f"{_GITHUB}/materialyzeai/matgl/raw/e9cde2291acd0b4c4a342428e7dd5e4d596b7bf9/pretrained_models"
)
_KAPLAN = "A. D. Kaplan et al., arXiv:2503.04070 (2025)"
_KAVANAGH = "S. R. Kavanagh et al., arXiv:2607.28461 (2026)"


@dataclass(frozen=True)
class Part:
    """One file of a checkpoint that is a folder."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Published:
    """A checkpoint. size in bytes, sha256 and md5 are checked where they are known."""

    name: str
    url: str
    license: str
    citation: str
    functional: str  # "several": by head
    aliases: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    elements: int | None = None  # how many, where the authors say so
    default_head: str | None = None  # of a model with several, where the authors recommend one
    parts: tuple[Part, ...] = ()  # of a folder, which the address is then; the largest comes last

    @property
    def is_free(self) -> bool:
        return self.license != ASL

    @property
    def file_name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def dispersion(self) -> str | None:
        """The functional that DFT-D3 is taken for where one adds it; None: no one goes with it."""
        return _FUNCTIONALS.get(self.functional)

    @property
    def successor(self) -> str | None:
        return next((new for old, new in _SUCCESSORS.items() if self.name.startswith(old)), None)

    @property
    def warning(self) -> str | None:
        """What whoever uses it has to know beforehand."""
        if self.is_free:
            return None
        return "Academic Software License: no commercial use (https://github.com/gabor1/ASL)"


def _nequix(
    name: str, commit: str, size: int, sha256: str, citation: str = _PFT, stem: str | None = None
) -> Published:
    url = f"{_GITHUB}/atomicarchitects/nequix/raw/{commit}/models/{stem or name}.nqx"
    return Published(name, url, "CC-BY-4.0", citation, "PBE(+U)", size=size, sha256=sha256)


def _mace(name: str, path: str, alias: str, license: str = "MIT", functional: str = "PBE(+U)",
          base: str = _MACE, citation: str = _BATATIA) -> Published:  # fmt: skip
    return Published(
        name, f"{base}/{path}", license, citation, functional, (alias,), elements=89
    )  # fmt: skip


def _off(name: str, path: str, alias: str) -> Published:
    # Its README cites for MACE-OFF24 what it cites for MACE-OFF23, and tells no other functional.
    elements = 10 if name.startswith("mace-off23") else None
    return Published(
        name, f"{_OFF}/{path}", ASL, _KOVACS, "wB97M-D3(BJ)", (alias,), elements=elements
    )


def _sevennet(name: str, path: str, size: int, sha256: str, alias: tuple[str, ...],
              functional: str = "PBE(+U)", citation: str = _PARK) -> Published:  # fmt: skip
    url = f"{_POTENTIALS}/{path}"
    return Published(name, url, "MIT", citation, functional, alias, size=size, sha256=sha256)


def _sevennet_release(name: str, path: str, functional: str, citation: str,
                      default_head: str | None) -> Published:  # fmt: skip
    url = f"{_SEVENN}/releases/download/{path}"
    alias = (name.replace("sevennet", "7net"),)
    return Published(name, url, "MIT", citation, functional, alias, default_head=default_head)


def _oam(name: str, size: int | None = None, md5: str | None = None) -> Published:
    stem = f"{name}-0.1"
    return Published(
        name.lower(), f"{_ZENODO}/{stem}.nequip.zip", "CC-BY-4.0", _KAVANAGH, "PBE(+U)",
        (f"nequip.net:mir-group/{name}:0.1",), size=size, md5=md5,
    )  # fmt: skip


def _tensornet(functional: str, model_json: Part, model_pt: str, state_pt: str) -> Published:
    stem = f"TensorNet-MatPES-{functional}-v2025.1-PES"
    return Published(
        f"tensornet-matpes-{functional.lower()}", f"{_MATGL}/{stem}", "BSD-3-Clause", _KAPLAN,
        functional, (stem,), elements=89,
        parts=(model_json, Part("model.pt", 4038, model_pt), Part("state.pt", 3403519, state_pt)),
    )  # fmt: skip


_MP, _OMAT = "7c2854de8e754b1a60274c7d9d2e014989ed632e", "9c852a9c4cce69ae5e75bc5a2cf670be21ff8c28"
CATALOGUE: tuple[Published, ...] = (
    _nequix("nequix-mp-1", _MP, 2842366,
            "1647af8e627e1afa11e2bfadeab0797326513a521afd7dd01606a96f56783eee", _KOKER),
    _nequix("nequix-mp-1-pft", _MP, 2842840,
            "a88aeaed71fd447572dc57af21d469207d7737b85a6dbb66f8c38156f175c5f1"),
    _nequix("nequix-mp-1-pft-no-cotrain", _MP, 2842825,
            "c191f7208e15f7caf8cc5c1202444652f301fed2f41d85f9a8080af3843ef308",
            stem="nequix-mp-1-pft-nocotrain"),
    _nequix("nequix-omat-1", _OMAT, 2841752,
            "2d0802ae7f5915cb488c44d25649d98404a103697e6500abb40f515e003a46a6"),
    _nequix("nequix-oam-1", _OMAT, 2869928,
            "6a43475eaeb32a7a049f36c1306d78aa1e7a17e8af37aeda7901c8fec0ca845c"),
    _nequix("nequix-oam-1-pft", _OMAT, 2842066,
            "4ce693d68886512aab50c84ea2400efd68163e11155f7c7babe98e695177e809"),
    _mace("mace-mp-0-small", "mace_mp_0/2023-12-10-mace-128-L0_energy_epoch-249.model", "small"),
    _mace("mace-mp-0-medium", "mace_mp_0/2023-12-03-mace-128-L1_epoch-199.model", "medium"),
    _mace("mace-mp-0-large", "mace_mp_0/MACE_MPtrj_2022.9.model", "large"),
    _mace("mace-mp-0b-small", "mace_mp_0b/mace_agnesi_small.model", "small-0b"),
    _mace("mace-mp-0b-medium", "mace_mp_0b/mace_agnesi_medium.model", "medium-0b"),
    _mace("mace-mp-0b2-small", "mace_mp_0b2/mace-small-density-agnesi-stress.model", "small-0b2"),
    _mace("mace-mp-0b2-medium", "mace_mp_0b2/mace-medium-density-agnesi-stress.model",
          "medium-0b2"),
    _mace("mace-mp-0b2-large", "mace_mp_0b2/mace-large-density-agnesi-stress.model", "large-0b2"),
    _mace("mace-mp-0b3-medium", "mace_mp_0b3/mace-mp-0b3-medium.model", "medium-0b3"),
    _mace("mace-mpa-0-medium", "mace_mpa_0/mace-mpa-0-medium.model", "medium-mpa-0"),
    _mace("mace-omat-0-small", "mace_omat_0/mace-omat-0-small.model", "small-omat-0", ASL),
    _mace("mace-omat-0-medium", "mace_omat_0/mace-omat-0-medium.model", "medium-omat-0", ASL),
    _mace("mace-matpes-pbe-0", "mace_matpes_0/MACE-matpes-pbe-omat-ft.model", "matpes-pbe-0", ASL,
          "PBE", _FOUNDATIONS),
    _mace("mace-matpes-r2scan-0", "mace_matpes_0/MACE-matpes-r2scan-omat-ft.model",
          "matpes-r2scan-0", ASL, "r2SCAN", _FOUNDATIONS),
    _mace("mace-mh-0", "mace_mh_1/mace-mh-0.model", "mh-0", ASL, "several", _FOUNDATIONS,
          _MULTIHEAD),
    _mace("mace-mh-1", "mace_mh_1/mace-mh-1.model", "mh-1", ASL, "several", _FOUNDATIONS,
          _MULTIHEAD),
    _off("mace-off23-small", "main/mace_off23/MACE-OFF23_small.model", "off23-small"),
    _off("mace-off23-medium", "main/mace_off23/MACE-OFF23_medium.model", "off23-medium"),
    _off("mace-off23-large", "main/mace_off23/MACE-OFF23_large.model", "off23-large"),
    _off("mace-off24-medium", "main/mace_off24/MACE-OFF24_medium.model", "off24-medium"),
    _sevennet("sevennet-0", "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth", 10268648,
              "7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36",
              ("7net-0", "sevennet", "7net-0_11Jul2024")),
    _sevennet("sevennet-0-22may2024", "SevenNet_0__22May2024/checkpoint_sevennet_0.pth", 10268712,
              "5d389fafd512e6ae2830d74d0b66ffc49a55d3832653ff8e7bf7f1343013c1d1",
              ("7net-0_22May2024",)),
    _sevennet("sevennet-l3i5", "SevenNet_l3i5/checkpoint_l3i5.pth", 14345754,
              "a7ff190d41efe5b8317a03d20a468e4036a1a3e64e0b14fdbab64ac3f4bfc09d", ("7net-l3i5",)),
    _sevennet("sevennet-mf-0", "SevenNet_MF_0/checkpoint_sevennet_mf_0.pth", 10322158,
              "81791329b37d445f46b531578c182c41792d98c7814222c9e5dde276402225fd", ("7net-mf-0",),
              "several", _KIM),
    _sevennet_release("sevennet-mf-ompa", "v0.11.0.cp/checkpoint_sevennet_mf_ompa.pth",
                      "PBE(+U)", _KIM, "mpa"),
    _sevennet_release("sevennet-omat", "v0.11.0.cp/checkpoint_sevennet_omat.pth", "PBE(+U)", _PARK,
                      None),
    _sevennet_release("sevennet-omni", "v0.12.0.cp/checkpoint_sevennet_omni.pth", "several", _OMNI,
                      "mpa"),
    _sevennet_release("sevennet-omni-i8", "v0.12.1.cp/checkpoint_sevennet_omni_i8.pth", "several",
                      _OMNI, "mpa"),
    _sevennet_release("sevennet-omni-i12", "v0.12.1.cp/checkpoint_sevennet_omni_i12.pth",
                      "several", _OMNI, "mpa"),
    _oam("NequIP-OAM-S"),
    _oam("NequIP-OAM-M"),
    _oam("NequIP-OAM-L", 78464590, "67144367c710a70a53a8e21acf331980"),
    _oam("NequIP-OAM-XL", 259627903, "3d2369c7238eb83a23141abdcb055a8f"),
    _oam("Allegro-OAM-L", 80738705, "0db7f9b3c3a62e74d78b3fcf2973c462"),
    _tensornet("PBE", Part("model.json", 5609,
               "cf7d1db6c89da617245021a8fde16fb79db5bc06f7b6e11ee837f06eb32137d8"),
               "1cba95766c872082eec349a7e417a28461aea450b655a0301eec060a985fdd71",
               "d2dfa51a65d23a47fd935eb0628177d2a1088584562091ef3350ce3a002fce6a"),
    _tensornet("r2SCAN", Part("model.json", 5305,
               "408b29cb197ae7ebfb72cff6685745bb112018be983ab23040669a4c7c4b87df"),
               "0444e7e9396e1b34be25e33821373c93eedacd214b23d686323e19740495c23d",
               "b1f87297bac09ada6f0e2f41d362d784f894ff0f1f031478187c55ec661b71ba"),
)  # fmt: skip


def canonical(name: str) -> str:
    """The name of a model under one of its other names; any other name as it is."""
    for entry in CATALOGUE:
        if name in entry.aliases:
            return entry.name
    return name


def find(name: str) -> Published:
    """The checkpoint of a name or alias; ValueError, with near names, where there is none."""
    wanted = canonical(name)
    for entry in CATALOGUE:
        if entry.name == wanted:
            return entry
    known = [*(e.name for e in CATALOGUE), *(alias for e in CATALOGUE for alias in e.aliases)]
    near = did_you_mean(name, known)
    raise ValueError(f"no published model '{name[:80]}'{near}; --list shows all")


def did_you_mean(name: str, known: list[str]) -> str:
    """A phrase with the names that are near, or nothing."""
    near = difflib.get_close_matches(name[:80].lower(), known, n=3, cutoff=0.6)
    return f": did you mean {' or '.join(near)}?" if near else ""
