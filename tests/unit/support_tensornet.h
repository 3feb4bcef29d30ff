/* Tiny TensorNet model files, to be loaded as they are or spoilt first. Include it last: it
 * includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_TENSORNET_H
#define TESTS_UNIT_SUPPORT_TENSORNET_H

#include "tests/unit/support_schnetpack.h"

#define TENSORNET_CHANNELS 5
#define TENSORNET_HIDDEN 3
#define TENSORNET_BASIS 4

/* Linear maps of scalars, of which the last is not activated. */
static inline void tensornet_mlp(struct tiny *tiny, const char *name, size_t n_in, size_t hidden,
                                 size_t n_out) {
  const size_t sizes[] = {n_in, hidden, n_out};
  for (size_t i = 0; i < 2; i++) {
    struct irreps from = {0}, to = {0};
    char part[64];
    (void)snprintf(part, sizeof part, "%s.%zu", name, i);
    irreps_append(&from, (struct irrep){0, 1}, sizes[i]);
    irreps_append(&to, (struct irrep){0, 1}, sizes[i + 1]);
    tiny_linear(tiny, "", part, &from, &to, 0, true);
  }
}

/* Hydrogen is species 0, oxygen 1. */
static inline struct tiny tensornet_new(size_t n_layers) {
  struct tiny tiny = {.writer = {.rng = {78}}};
  const size_t n = TENSORNET_CHANNELS, n_basis = TENSORNET_BASIS;
  struct irreps all = {0}, norms = {0}, scalars = {0};
  for (int l = 0; l <= 2; l++)
    irreps_append(&all, (struct irrep){l, l % 2 ? -1 : 1}, n);
  irreps_append(&norms, (struct irrep){0, 1}, 3 * n);
  irreps_append(&scalars, (struct irrep){0, 1}, n);
  writer_add(&tiny.writer, "radial.frequencies", 1, &n_basis, 1.0);
  for (size_t i = 0; i < n_basis; i++)
    writer_find(&tiny.writer, "radial.frequencies")->values[i] = 0.98 * (double)(i + 1);
  grow_string(&tiny.card,
              "{\"format\":1,\"architecture\":\"tensornet\",\"atomic_numbers\":[1,8],"
              "\"r_max\":3.2,\"precision\":\"float64\","
              "\"units\":{\"length\":\"Angstrom\",\"energy\":\"eV\"},"
              "\"radial\":{\"basis\":{\"name\":\"bessel\",\"num_basis\":4,\"prefactor\":1},"
              "\"cutoff\":{\"name\":\"cosine\"},\"envelope\":\"filter\"},"
              "\"model\":{\"channels\":5,"
              "\"embedding\":{\"filter\":{\"hidden\":[],\"activation\":\"identity\"},"
              "\"scalars\":{\"hidden\":[7],\"activation\":\"silu\"}},\"layers\":[");
  writer_add(&tiny.writer, "embedding.receiver", 2, (const size_t[]){2, n}, 1.0);
  writer_add(&tiny.writer, "embedding.sender", 2, (const size_t[]){2, n}, 1.0);
  tiny_mlp(&tiny, "", "embedding.filter", n_basis, 0, 3 * n, true);
  writer_add(&tiny.writer, "embedding.norm", 2, (const size_t[]){2, n}, 1.0);
  tiny_linear(&tiny, "", "embedding.linear", &all, &all, 0, false);
  tensornet_mlp(&tiny, "embedding.scalars", n, 7, 3 * n);
  for (size_t t = 0; t < n_layers; t++) {
    char prefix[32];
    (void)snprintf(prefix, sizeof prefix, "layers.%zu.", t);
    tiny_mlp(&tiny, prefix, "filter", n_basis, 6, 3 * n, true);
    tiny_linear(&tiny, prefix, "linear_in", &all, &all, 0, false);
    tiny_linear(&tiny, prefix, "linear_out", &all, &all, 0, false);
    grow_string(&tiny.card, t ? "," : "");
    grow_string(&tiny.card, "{\"filter\":{\"hidden\":[6],\"activation\":\"silu\"}}");
  }
  writer_add(&tiny.writer, "norm", 2, (const size_t[]){2, 3 * n}, 1.0);
  tiny_linear(&tiny, "", "linear", &norms, &scalars, 0, true);
  tensornet_mlp(&tiny, "readout.value", n, TENSORNET_HIDDEN, 1);
  tensornet_mlp(&tiny, "readout.gate", n, TENSORNET_HIDDEN, 1);
  writer_add(&tiny.writer, "scale", 1, (const size_t[]){2}, 1.0);
  writer_add(&tiny.writer, "shift", 1, (const size_t[]){2}, 2.0);
  grow_string(&tiny.card, "],\"readout\":{\"hidden\":[3],\"activation\":\"silu\"}}}");
  grow(&tiny.card, "", 1);
  return tiny;
}

#endif
