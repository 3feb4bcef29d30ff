/* The model file, field by field. It is specified here and nowhere else; the converter writes it,
 * core/program/ reads it.
 *
 * A model file is a safetensors file: u64 little-endian header size, a JSON header, the tensors'
 * bytes. The header maps each tensor's name to {"dtype": "F32" | "F64", "shape": [...],
 * "data_offsets": [begin, end]}, and "__metadata__" to an object of strings. The tensors cover the
 * data without gaps or overlaps. Of "__metadata__" only the entry "irrepd" is read: a string that
 * holds one JSON object, the card.
 *
 * Weights are EFFECTIVE: the converter has multiplied in, in float64, every constant that upstream
 * applies around them (path normalisation, fan-in, average number of neighbours, second moments
 * inside MLPs, a chosen modality or head), so that the meaning of a tensor is the plain formula
 * given here.
 *
 * The card
 *   "format"         1
 *   "architecture"   "nequip"                      (schnet, so3net, allegro, mace follow)
 *   "variant"        "sevennet"; optional
 *   "atomic_numbers" [89, 47, ...]                 species s is the atom with atomic_numbers[s]; no
 * repeats "r_max"          5.0                           Angstrom, 0 < r_max <= 100 "precision"
 * "float32" | "float64"         the dtype that the authors evaluate in "units"          {"length":
 * "Angstrom", "energy": "eV"} "radial"         the radial basis and its cutoff, see below "model"
 * hyperparameters of the architecture, see below any of "name", "description", "source", "license",
 * "citation", "training", "sha256_source", "modality": for people
 *
 * radial
 *   "basis"          {"name": "bessel", "num_basis": n, "prefactor": c}
 *                    b_k(r) = c sin(w_k r) / r, with the tensor "radial.frequencies" [n] = w_k in
 * 1/Angstrom "cutoff"         {"name": "polynomial", "p": 6.0}  1 - (p+1)(p+2)/2 u^p + p(p+2)
 * u^(p+1) - p(p+1)/2 u^(p+2), u = r/r_max
 *                    {"name": "xplor", "r_on": 4.5}    1 below r_on, the XPLOR switch up to r_max
 *                    {"name": "cosine"}                (1 + cos(pi u)) / 2
 *   The edge's radial embedding is e_k(r) = b_k(r) * cutoff(r).
 *
 * Irreps-wise linear map NAME, from irreps A to irreps B (each irrep at most once in either)
 *   "NAME.IR.weight" [mul_A][mul_B] for each irrep IR (e.g. "1e") of both A and B: out[m][o] =
 * sum_i in[m][i] W[i][o]. Outputs whose irrep is not in A are zero. "NAME.bias"      [mul_B of 0e];
 * optional The same by species: "NAME.IR.weight" [n_species][mul_A][mul_B].
 *
 * MLP NAME with sizes [n_0, .., n_k]: "NAME.i.weight" [n_i][n_i+1] for i < k, "NAME.i.bias" [n_i+1]
 * optional; the named activation (unscaled) after each layer but the last.
 *
 * Activations: "silu", "tanh", "ssp" (log(1 + e^x) - log 2), "sigmoid", "identity", "abs".
 *
 * architecture "nequip" (Batzner et al. 2022; SevenNet: Park et al. 2024)
 *   "l_max"          harmonics of degrees 0..l_max on the edges
 *   "edge_parity"    "even": every harmonic has parity e (SevenNet without parity); "natural":
 * (-1)^l "irreps_embedding" "128x0e" "layers"         [{"irreps_out": "128x0e+64x1e+32x2e",
 *                      "irreps_mid": "224x0e+384x1e+352x2e",
 *                      "self_connection": "linear" | "species" | "none",
 *                      "filter": {"hidden": [64, 64], "activation": "silu"},
 *                      "gate": {"scalars": {"0e": {"activation": "silu", "scale": c}, "0o": ...},
 *                               "gates":   {"0e": {"activation": "silu", "scale": c}}}}, ...]
 *   Tensors, for layer t:
 *     "embedding.weight"          [n_species][mul]: the first features
 *     "layers.t.linear_up"        linear map, irreps of the features to themselves, before the
 * convolution "layers.t.filter"           MLP [num_basis, hidden.., n_columns]
 *     "layers.t.linear_down"      linear map, irreps_mid to the gate's input
 *     "layers.t.self_connection"  linear map (plain or by species), features to the gate's input,
 * added Convolution: paths are listed in nested order: input entry (l1, p1), harmonic l2 =
 * 0..l_max, l3 ascending from |l1-l2|; kept where (l3, p1*p2) is in irreps_mid. A path of mul
 * channels takes the next mul columns of the filter. Messages: out_path[m3][c] = sum_{m1,m2}
 * C(m1,m2,m3) x_sender[m1][c] Y[m2] filter[c], with the coupling coefficients and harmonics of
 * conventions.h at the direction FROM the receiver TO the sender, summed over edges. irreps_mid has
 * each irrep once; its channels are those of its paths, in path order. Gate: its input has the
 * entries of irreps_out; its scalars of the gates' parity (0e if irreps_out has 0e, else 0o) are
 * followed, in the same entry, by one gate for each channel of each entry with l > 0, in the order
 * of irreps_out. Scalars become scale * activation(x); an entry with l > 0 is multiplied by scale *
 * activation(its gate). "readout"        {"hidden": [], "activation": "silu"} Energy: the MLP
 * "readout" [mul of 0e, hidden.., 1] of the last features' 0e, then per species "scale" [n_species]
 *     and "shift" [n_species] (eV): E_a = scale[s] * MLP(x_a) + shift[s]. */
#ifndef IRREP_MODEL_FORMAT_H
#define IRREP_MODEL_FORMAT_H

#define IRREP_MODEL_FORMAT 1

/* Bounds that the loader holds a file to, beyond those of its own size. */
#define IRREP_MODEL_FILE_HEADER_MAX (16u << 20) /* bytes of JSON header */
#define IRREP_MODEL_FILE_TENSORS_MAX 16384
#define IRREP_MODEL_SPECIES_MAX 118
#define IRREP_MODEL_LAYERS_MAX 16
#define IRREP_MODEL_CHANNELS_MAX                                                                   \
  65536 /* multiplicity of an irrep, columns of a filter, width of an MLP */

#endif
