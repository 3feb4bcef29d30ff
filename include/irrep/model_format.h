/* The model file, field by field. It is specified here and nowhere else:
 * clients/python/irrepd/convert writes it, core/program/model_file.c and the builders of
 * core/builders/ read it, and tests/reference/interpreter.py carries it out word for word.
 *
 * A model file is a safetensors file: u64 little-endian header size, a JSON header, the tensors'
 * bytes. The header maps each tensor's name to
 *   {"dtype": "F32" | "F64", "shape": [...], "data_offsets": [begin, end]}
 * and "__metadata__" to an object of strings. The tensors cover the data without gaps or overlaps.
 * Of "__metadata__" only the entry "irrepd" is read: a string that holds one JSON object, the card.
 *
 * Weights are EFFECTIVE: the converter has multiplied in, in float64, every constant that upstream
 * applies around them (path normalisation, fan-in, average number of neighbours, second moments
 * inside MLPs, a chosen modality or head), so that a tensor means the plain formula given here.
 *
 * THE CARD
 *   "format"          1
 *   "architecture"    "nequip" | "mace" | "allegro" | "schnet" | "so3net" | "painn" | "tensornet"
 *   "variant"         "sevennet" | "nequix"; optional
 *   "atomic_numbers"  [89, 47, ...]: species s is the atom with atomic_numbers[s]; no repeats
 *   "r_max"           5.0 Angstrom; 0.001 <= r_max <= 100
 *   "precision"       "float32" | "float64": the dtype that the authors evaluate in
 *   "units"           {"length": "Angstrom", "energy": "eV"}
 *   "radial"          the radial basis and its cutoff, see below
 *   "model"           hyperparameters of the architecture, see below
 *   "dispersion"      {"method": "d3bj" | "d3zero", "functional": "pbe"}; optional: what DFT-D3 is
 *                     taken where it is added and nothing else is said (dispersion.h)
 *   "heads"           ["omat", "mp"]; optional: the model has several heads, see below
 *   "default_head"    "mp"; optional, with "heads": the one of whoever names none. A single head is
 *                     its own default
 *   For people, all optional: "name", "description", "source", "license", "citation", "training",
 *   "sha256_source", "modality". Other keys are refused, here and in the objects below.
 *
 * HEADS, of "mace" and "nequip"
 *   Names of 1 to 63 bytes of printable UTF-8, no two the same, at most 64. A structure is
 *   evaluated with one of them (the fidelity, or modality, that a model was also trained
 *   on). Some tensors then have one more dimension in front, [n_heads], and a structure
 *   reads its head's part: "scale", "shift", the weights and biases of every readout, and
 *   "pair_repulsion.factor". These may be there, too, in the place of what they are named
 *   after:
 *     "NAME.head_bias"        [n_heads][mul_B of 0e], for "NAME.bias" of an irreps-wise linear map
 *     "embedding.head_bias"   [n_heads][mul], of "nequip": the first features are the sum of the
 *                             species' row of "embedding.weight" and the head's row of this
 *
 * RADIAL
 *   "basis"    {"name": "bessel", "num_basis": n, "prefactor": c}: b_k(r) = c sin(w_k r) / r
 *              with the tensor "radial.frequencies" [n] = w_k in 1/Angstrom
 *              {"name": "gaussian", "num_basis": n}: b_k(r) = exp(a_k (r - c_k)^2) with the
 *              tensors "radial.centers" [n] = c_k in Angstrom and "radial.coefficients" [n] = a_k
 *              in 1/Angstrom^2
 *              {"name": "chebyshev", "num_basis": n}: b_k(r) = T_k(r), k = 1..n
 *              {"name": "spline", "num_basis": n, "span": s}: b_k(r) = (1 - cos(2 pi t))^2 / 4 with
 *              t = (n r / r_max - k + s) / (s + 1), for 0 < t < 1, k = 0..n-1; 0 <= s <= n
 *   "transform" what the basis sees in place of r; optional, with the tensor "radial.r0"
 *              [n_species][n_species], symmetric, in Angstrom, one of
 *     {"name": "agnesi", "a": a, "q": q, "p": p}
 *              1 / (1 + a x^q / (1 + x^(q-p))) with x = r / r0
 *     {"name": "soft", "alpha": alpha}
 *              p0 + (r - p0) (1 + tanh(alpha (r - (p0 + p1) / 2) / (p1 - p0))) / 2 with
 *              p0 = 3/4 r0, p1 = 4/3 r0
 *   "cutoff"   with u = r / r_max, one of
 *     {"name": "polynomial", "p": 6.0}
 *              1 - (p+1)(p+2)/2 u^p + p(p+2) u^(p+1) - p(p+1)/2 u^(p+2)
 *     {"name": "xplor", "r_on": 4.5}
 *              1 below r_on, from there the XPLOR switch to r_max
 *     {"name": "cosine"}
 *              (1 + cos(pi u)) / 2
 *     {"name": "mollifier"}
 *              exp(1 - 1 / (1 - u^2))
 *     {"name": "none"}
 *              1; with the basis "spline" only, which has its cutoff inside
 *   "envelope" what the cutoff multiplies: "basis" (the default), so that the edge's radial
 *              embedding is e_k(r) = b_k(r) cutoff(r); or "filter": e_k(r) = b_k(r), and each
 *              filter is its MLP of e(r) times cutoff(r)
 *   Pairs of species may have cutoffs of their own, in the tensor "radial.r_max", optional,
 *   [n_species][n_species] by receiver and sender, in Angstrom: then r r_max / (the pair's) takes
 *   the place of r in all of the above, and filters are zero beyond the pair's cutoff.
 *
 * IRREPS-WISE LINEAR MAP "NAME", from irreps A to irreps B (each irrep at most once in either)
 *   "NAME.IR.weight"  [mul_A][mul_B] for each irrep IR, e.g. "1e", of both A and B:
 *                     out[m][o] = sum_i in[m][i] W[i][o]. Other outputs are zero.
 *   "NAME.bias"       [mul_B of 0e]; optional
 *   By species:       "NAME.IR.weight" [n_species][mul_A][mul_B]
 *
 * MLP "NAME" with sizes [n_0, ..., n_k]
 *   "NAME.i.weight"   [n_i][n_i+1] for i < k; "NAME.i.bias" [n_i+1]; optional
 *   Of a filter also, both optional:
 *   "NAME.0.pair_bias" [n_species][n_species][n_1], by receiver and sender, for the first bias
 *   "NAME.i.norm"      [2][n_i+1]: (y - mean) / sqrt(variance + 1e-5) * norm[0] + norm[1] before
 *                      the activation
 *   The named activation, unscaled, follows each layer but the last.
 *
 * ACTIVATIONS
 *   "silu", "tanh", "ssp" (log(1 + e^x) - log 2), "sigmoid", "identity", "abs", "gelu" (x times the
 *   normal distribution of x), "mish" (x tanh(log(1 + e^x))), "softplus" (log(1 + e^x))
 *
 * PAIR REPULSION "pair_repulsion": {"num_terms": n, "p": 6.0}, optional
 *   "pair_repulsion.coefficients", "pair_repulsion.exponents"     [n] each
 *   "pair_repulsion.factor", ".length", ".r_max"                  [n_species][n_species] each, > 0;
 *                     in eV Angstrom, Angstrom, Angstrom; rows are of the receiver's species
 *   Each edge with r < its r_max adds to the energy of its receiver, with the polynomial cutoff of
 *   u = r / its r_max,
 *     factor / r * sum_k coefficients_k exp(-exponents_k r / length) * cutoff
 *
 * ARCHITECTURE "nequip" (Batzner et al. 2022; SevenNet: Park et al. 2024; Nequix: Koker 2025)
 *   "l_max"             harmonics of degrees 0..l_max on the edges
 *   "edge_parity"       "even": every harmonic has parity e; "natural": (-1)^l
 *   "edge_harmonics"    "unit" (the default): of the edge's direction; "solid": these times r^l
 *   "irreps_embedding"  "128x0e"
 *   "layers"            a list of
 *     {"irreps_out": "128x0e+64x1e+32x2e",
 *      "irreps_mid": "224x0e+384x1e+352x2e",
 *      "linear_up": "shared" (the default) | "species",
 *      "self_connection": "linear" | "species" | "none",
 *      "filter": {"hidden": [64, 64], "activation": "silu"},
 *      "norm": {"epsilon": 1e-12},          optional; 1e-30 <= epsilon <= 1
 *      "gate": {"scalars": {"0e": {"activation": "silu", "scale": c}, "0o": ...},
 *               "gates":   {"0e": {"activation": "silu", "scale": c}}}}
 *   "readout"           {"hidden": [], "activation": "silu"}
 *   "pair_repulsion"    optional
 *
 *   Tensors
 *     "embedding.weight"          [n_species][mul]: the first features
 *     "layers.t.linear_up"        linear map of the features to their own irreps, by species if so
 *     "layers.t.filter"           MLP [num_basis, hidden.., n_columns]
 *     "layers.t.linear_down"      linear map, irreps_mid to the gate's input
 *     "layers.t.self_connection"  linear map, plain or by species, features to the gate's input
 *     "layers.t.norm.IR.gain"     [mul] for each irrep IR of the gate's input, if there is a "norm"
 *     "readout"                   MLP [mul of 0e, hidden.., 1]
 *     "scale", "shift"            [n_species] each
 *   Layer
 *     gate(norm(linear_down(convolution(linear_up(x))) + self_connection(x)))
 *   Norm, of all irreps of a row together; without one it is left out
 *     out[m][c] = gain[c] x[m][c] / sqrt(epsilon + the mean over irreps of the sum over their
 *     components and channels of x^2 / (2l+1)^2)
 *   Convolution
 *     Paths are listed in nested order: input entry (l1, p1), harmonic (l2, p2) with l2 = 0..l_max,
 *     l3 ascending from |l1-l2|; kept where (l3, p1 p2) is in irreps_mid. A path of mul channels
 *     takes the next mul columns of the filter. Its output, summed over the receiver's edges, is
 *       out[m3][c] = sum_{m1,m2} C(m1,m2,m3) x_sender[m1][c] Y[m2] filter[c]
 *     with the coupling coefficients and harmonics of conventions.h, at the direction FROM the
 *     receiver TO the sender. irreps_mid has each irrep once: the channels of its paths, in order.
 *   Gate
 *     Its input has the entries of irreps_out. In the entry of the gates' irrep (0e if irreps_out
 *     has 0e, else 0o) the scalars are followed by one gate for each channel of each entry with
 *     l > 0, in the order of irreps_out. Scalars become scale * activation(x); an entry with l > 0
 *     is multiplied by scale * activation(its gate).
 *   Energy
 *     E_a = scale[s] * readout(0e of the last features) + shift[s] + pair repulsion, in eV
 *
 * ARCHITECTURE "allegro" (Musaelian et al. 2023)
 *   All features live on edges; an atom a, of species s, has those that it receives.
 *   "l_max"             harmonics Y of degrees 0..l_max, of parity (-1)^l, on the edges; either
 *                       direction gives the same energy
 *   "num_scalars"       S
 *   "num_tensors"       U, channels of the tensor features and of the environments
 *   "two_body"          {"hidden": [64], "activation": "silu"}
 *   "layers"            a list of {"irreps_out": "32x0e+32x1o+32x2e",
 *                                  "latent": {"hidden": [64], "activation": "silu"}}
 *   "readout"           {"hidden": [32], "activation": "silu"}
 *   "pair_repulsion"    optional
 *
 *   Tensors, with W = (l_max + 1) U weights of harmonics, degree by degree, channels fastest
 *     "two_body"                MLP [num_basis, hidden.., S + W + W], whose first weight is
 *                               [n_species][n_species][num_basis][n_1], by receiver and sender
 *     "environment_scale"       [n_species]
 *     "layers.t.product.weight" [n_paths][U]
 *     "layers.t.latent"         MLP [(t + 1) S + U, hidden.., S + W]; the last: [.., S]
 *     "readout"                 MLP [(n_layers + 1) S, hidden.., 1]
 *     "scale", "shift"          [n_species] each
 *   MLPs have no biases.
 *   Features
 *     The two-body MLP of an edge's radial embedding gives its scalars x_0, the weights of its
 *     first tensor features V_0[l, m][u] = weight[l][u] Y[l, m], and weights w_0.
 *   Layer t, from 0
 *     env_t[l, m][u] = environment_scale[s] * sum over the edges that a receives of
 *                      w_t[l][u] Y[l, m]
 *     V_(t+1)        = the tensor product of V_t and env_t of the receiver, in irreps_out
 *     x_(t+1), w_(t+1) = latent(x_0, .., x_t, the 0e of V_(t+1))
 *   Tensor product
 *     Paths are listed in nested order: entry (l3, p3) of irreps_out, entry (l1, p1) of V_t, l2 =
 *     0..l_max; kept where |l1-l2| <= l3 <= l1+l2 and p1 (-1)^l2 = p3. Each adds
 *       out[m3][u] += weight[path][u] sum_{m1,m2} C(m1,m2,m3) V_t[m1][u] env_t[m2][u]
 *   Energy
 *     E_a = scale[s] * (sum over the edges that a receives of readout(x_0, x_1, ..)) + shift[s]
 *     + pair repulsion, in eV
 *
 * ARCHITECTURE "mace" (Batatia et al. 2022)
 *   "l_max", "edge_parity", "irreps_embedding" as for "nequip"; "pair_repulsion"; and
 *   "layers"            a list of
 *     {"irreps_up": "128x0e+128x1o",        the features that neighbours send
 *      "irreps_mid": "256x0e+384x1o+...",   the convolution's output
 *      "irreps_message": "128x0e+128x1o+128x2e+128x3o",
 *      "irreps_out": "128x0e+128x1o",
 *      "filter": {"hidden": [64, 64, 64], "activation": "silu"},
 *      "density": {"filter": {"hidden": [], "activation": "silu"}, "offset": a, "scale": b},
 *      "residual": "linear", "gate": {..} as for "nequip",
 *      "self_connection": "none" | "linear" | "species",
 *      "selector": "none" | "linear" | "species",
 *      "product": {"weights": "shared" | "species",
 *                  "irreps": [{"n_paths": [1, 4, 23], "n_terms": [1, 10, 204]}, ...]},
 *      "readout": {"hidden": [16], "activation": "silu"},
 *      "dipole": {} | {"hidden": 16, "activation": "silu", "scale": c}}
 *     of which density, residual, gate, readout and dipole are optional
 *
 *   Tensors
 *     "embedding.weight", "layers.t.linear_up", "layers.t.filter", "scale", "shift" as for "nequip"
 *     "layers.t.linear_down"      linear map, irreps_mid to irreps_message
 *     "layers.t.density"          MLP [num_basis, hidden.., 1], a filter
 *     "layers.t.residual"         linear map, irreps_up to irreps_message or the gate's input
 *     "layers.t.selector"         linear map, plain or by species, of irreps_message
 *     "layers.t.product"          product basis, irreps_message to irreps_out
 *     "layers.t.linear_out"       linear map of irreps_out
 *     "layers.t.self_connection"  linear map, plain or by species, features to irreps_out
 *     "layers.t.readout"          MLP [mul of 0e in irreps_out, hidden.., 1]
 *     "layers.t.dipole.weight"    [mul of 1o in irreps_out], or [hidden]
 *     "layers.t.dipole.vectors.weight", ".gates.weight"  [mul of 1o, or of 0e][hidden]
 *   Layer
 *     linear_out(product(selector(gate(linear_down(convolution(u)) / (a + b rho) + residual(u)))))
 *     + self_connection(x), with u = linear_up(x), and rho the sum over the receiver's edges of
 *     tanh(density(e(r))^2), times the cutoff if its "envelope" is "filter"
 *   Convolution
 *     as for "nequip", but at the direction FROM the sender TO the receiver.
 *   Product basis
 *     All irreps of irreps_message and irreps_out have the same number of channels. With A_i the
 *     components (irrep, m) of irreps_message in their order, and "n_paths" and "n_terms" listing a
 *     number for each correlation order nu = 1, 2, .. (at most 4) of each irrep IR of irreps_out,
 *       "layers.t.product.IR.nu.coupling"  [n_terms][nu + 3]: rows (m, i_1 <= .. <= i_nu, path, C)
 *       "layers.t.product.IR.nu.weight"    [n_species][n_paths][mul]; [1].. if "shared"
 *       out[IR, m][c] = sum over nu and rows of C weight[s][path][c] A_{i_1}[c] .. A_{i_nu}[c]
 *     An order without terms has no tensors.
 *   Energy
 *     E_a = scale[s] * (sum of the readouts, each of its layer's 0e) + shift[s], in eV
 *   Dipole, in e Angstrom
 *     the sum over atoms and layers, with s the 0e and v the 1o of the layer, of sum_c weight[c]
 * v[c] or, with hidden, sum_h weight[h] scale activation(sum_c gates[c][h] s[c]) sum_c
 * vectors[c][h] v[c]
 *
 * ARCHITECTURE "schnet" (Schuett et al. 2018)
 *   "irreps_embedding"  "128x0e"
 *   "layers"            a list of
 *     {"irreps_mid": "128x0e",
 *      "filter": {"hidden": [128], "activation": "ssp"},
 *      "activation": "ssp"}
 *   "readout"           {"hidden": [64], "activation": "silu"}
 *   "aggregation"       "sum" (the default), or "mean": the energy is that of an average atom, and
 *                       what is given for an atom is E_a over the number of atoms
 *
 *   Tensors
 *     "embedding.weight", "layers.t.filter", "readout", "scale", "shift" as for "nequip"
 *     "layers.t.linear_up"        linear map of the features to irreps_mid
 *     "layers.t.linear_down"      linear map, irreps_mid to the features' irreps
 *     "layers.t.linear_out"       linear map of the features' irreps
 *   Layer
 *     x + linear_out(activation(linear_down(convolution(linear_up(x)))))
 *   Convolution
 *     out[c] = sum over the receiver's edges of x_sender[c] filter[c]
 *   Energy as for "nequip"
 *
 * ARCHITECTURE "so3net" (Schuett et al. 2023)
 *   "l_max"             harmonics and features have degrees 0..l_max; degree l has parity (-1)^l
 *   "irreps_embedding"  "64x0e": each degree has as many channels
 *   "layers"            a list of {"filter": {"hidden": [], "activation": "identity"}}
 *   "readout", "aggregation" as for "schnet"; or, in the place of "readout",
 *   "gated_readout"     {"hidden": [64, 64], "activation": "silu"}, as matgl has it
 *
 *   Tensors; "all" is "64x0e+64x1o+64x2e+..", "out" is the same or, in the last layer, "64x0e"
 *     "embedding.weight", "readout", "scale", "shift" as for "nequip"
 *     "layers.t.filter"           MLP [num_basis, hidden.., (l_max + 1) mul]
 *     "layers.t.linear_product"   linear map of all
 *     "layers.t.linear_gate"      linear map, out to the gate's input
 *     "layers.t.linear_out"       linear map of out
 *     "readout.value", "readout.gate"  MLPs [mul, hidden.., 1] of a "gated_readout", whose layers
 *                                 are linear maps "NAME.i" of 0e
 *   Layer; irreps that x does not have are zero, and those beyond out are dropped
 *     a = convolution(x);  x + linear_out(gate(linear_gate(a + a * linear_product(a))))
 *   Convolution
 *       out[m3][c] = sum_{l1,m1,l2,m2} D(m1,m2,m3) x_sender[m1][c] Y[m2] filter[l2 mul + c]
 *     summed over the receiver's edges, at the direction FROM the receiver TO the sender, with
 *     D = (-1)^((l1 + l2 - l3) / 2) C for l1 + l2 + l3 even: real Condon-Shortley coefficients.
 *   Tensor square
 *       (a * b)[m3][c] = sum_{l1,m1,l2,m2} D(m1,m2,m3) a[m1][c] b[m2][c]
 *   Gate
 *     Its input has the entries of out; the scalars are followed by one gate for each channel of
 *     each entry, 0e included. An entry is multiplied by the sigmoid of its gate.
 *   Energy as for "nequip", a gated readout being readout.value(x) * sigmoid(readout.gate(x))
 *
 * ARCHITECTURE "painn" (Schuett, Unke and Gastegger 2021)
 *   "irreps_embedding"  "64x0e": the scalars q; an atom also has as many vectors mu, "64x1o", which
 *                       are zero at first
 *   "layers"            a list of
 *     {"filter": {"hidden": [], "activation": "identity"},
 *      "activation": "silu",
 *      "epsilon": 1e-8}   1e-30 <= epsilon <= 1, in the squared unit of mu
 *   "readout", "aggregation" as for "schnet"
 *
 *   Tensors, with F channels. What multiplies the vectors that are sent is left out of the first
 *   layer, which has none, and what the vectors become is left out of the last: there 3 F is 2 F
 *     "embedding.weight", "readout", "scale", "shift" as for "nequip"
 *     "layers.t.filter"           MLP [num_basis, hidden.., 3 F]: columns u, v and w of F each
 *     "layers.t.linear_context"   linear map, F to F scalars
 *     "layers.t.linear_send"      linear map, F to 3 F scalars
 *     "layers.t.linear_mix"       linear map, F vectors to 2 F: V and W
 *     "layers.t.linear_scalars"   linear map, F to F scalars
 *     "layers.t.linear_norms"     linear map, F to F scalars
 *     "layers.t.linear_update"    linear map, F to 3 F scalars
 *   Layer, "activation" being s
 *     (a, b, c) = linear_send(s(linear_context(q)))
 *     q' = q  + the sum over the receiver's edges of u a_sender
 *     m' = mu + the sum over the receiver's edges of v b_sender Y + w c_sender mu_sender
 *     V, W = linear_mix(m')
 *     (d, e, g) = linear_update(s(linear_scalars(q') + linear_norms(|V|)))
 *     q = q' + d + e (V . W),  mu = m' + g W
 *     with Y the harmonics of degree 1 at the direction FROM the receiver TO the sender, and |V| =
 *     sqrt(epsilon + V . V), channel by channel. In the last layer (d, e) are what linear_update
 *     gives, and q alone is left.
 *   Energy as for "nequip"
 *
 * ARCHITECTURE "tensornet" (Simeon and de Fabritiis 2023), of the group O(3)
 *   "channels"          C
 *   "embedding"         {"filter": {"hidden": [], "activation": "identity"},
 *                        "scalars": {"hidden": [256], "activation": "silu"}}
 *   "layers"            a list of {"filter": {"hidden": [128, 256], "activation": "silu"}}
 *   "readout"           {"hidden": [128, 128, 128], "activation": "silu"}
 *
 *   Features are 3x3 matrices X[c] = sum over k of x[k][c] B_k, told by their components x in the
 *   irreps "Cx0e+Cx1o+Cx2e". The B_k are orthonormal, so that |X|^2 is the sum of the x_k^2.
 *     0e  the identity over sqrt(3)
 *     1o  for component m of (x, y, z) the cross product with the unit vector of this axis, over
 *         sqrt(2)
 *     2e  for component m the symmetric traceless matrix Q of norm 1 with v Q v = sqrt(2/15)
 *         Y_2m(v) for unit vectors v
 *
 *   Tensors; MLPs but the filters are linear maps "NAME.i" of 0e, with the activation between them
 *     "embedding.receiver", "embedding.sender"  [n_species][C] each
 *     "embedding.filter"          MLP [num_basis, 3 C], columns degree by degree, as of all filters
 *     "embedding.norm"            [2][C], a layer normalisation: gains and offsets
 *     "embedding.linear"          linear map of all irreps
 *     "embedding.scalars"         MLP [C, hidden.., 3 C] in linear maps, columns degree by degree
 *     "layers.t.filter"           MLP [num_basis, hidden.., 3 C]; the activation follows the last
 *                                 layer too
 *     "layers.t.linear_in", "layers.t.linear_out"  linear maps of all irreps
 *     "norm"                      [2][3 C], a layer normalisation, degree by degree
 *     "linear"                    linear map, 3C x 0e to C x 0e
 *     "readout.value", "readout.gate"  MLPs [C, hidden.., 1] in linear maps
 *     "scale", "shift"            [n_species] each
 *   Layer normalisation
 *     (x - mean) / sqrt(variance + 1e-5) * gains + offsets
 *   First features, of a receiver of species s and its senders of species s', with r the distance
 *   and Y at the direction FROM the receiver TO the sender
 *     a[l, m][c] = sum over the receiver's edges of (receiver[s][c] + sender[s'][c]) filter[l][c] Y
 *     g          = activation(scalars(norm(|A[c]|^2)))
 *     x[l, m][c] = g[l][c] embedding.linear(a)[l, m][c]
 *   Layer, on matrices and channel by channel
 *     X <- X / (1 + |X|^2);  Y = linear_in(X)
 *     M[l] = sum over the receiver's edges of filter[l] Y_sender[l]
 *     P = M Y + Y M;  D = linear_out(P / (1 + |P|^2));  X <- X + D + D D
 *   Energy
 *     h   = linear(norm(|X[l]|^2 of each degree))
 *     E_a = scale[s] * readout.value(h) * sigmoid(readout.gate(h)) + shift[s], in eV */
#ifndef IRREP_MODEL_FORMAT_H
#define IRREP_MODEL_FORMAT_H

#define IRREP_MODEL_FORMAT 1

/* Bounds that the loader holds a file to, beyond those of its own size. */
#define IRREP_MODEL_FILE_HEADER_MAX (16u << 20) /* bytes of JSON header */
#define IRREP_MODEL_FILE_TENSORS_MAX 16384
#define IRREP_MODEL_SPECIES_MAX 118
#define IRREP_MODEL_HEADS_MAX 64
#define IRREP_MODEL_HEAD_NAME_MAX 64         /* bytes of a head's name, its NUL included */
#define IRREP_MODEL_EMBEDDING_MAX (1u << 22) /* numbers of an embedding by head, padded */
#define IRREP_MODEL_LAYERS_MAX 16
#define IRREP_MODEL_CHANNELS_MAX 65536 /* of an irrep or a filter */
#define IRREP_MODEL_EPSILON_MIN 1e-30  /* of a normalisation */
#define IRREP_MODEL_ROW_MAX (1u << 18) /* numbers of one atom's, or edge's, features, padded */

#endif
