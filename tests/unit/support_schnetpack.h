/* Tiny SchNet, PaiNN and SO3Net model files, to be loaded as they are or spoilt first. Include it
 * last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_SCHNETPACK_H
#define TESTS_UNIT_SUPPORT_SCHNETPACK_H

#include "tests/unit/support_model.h"

#define SCHNETPACK_BASIS 4
#define SCHNETPACK_R_MAX 3.2

/* Everything of the card up to "layers", and the radial tensors. Hydrogen is species 0, oxygen 1.
 */
static inline struct tiny schnetpack_begin(const char *architecture, const char *model) {
  struct tiny tiny = {.writer = {.rng = {77}}};
  char text[768];
  const size_t n = SCHNETPACK_BASIS;
  writer_add(&tiny.writer, "radial.centers", 1, &n, 1.0);
  writer_add(&tiny.writer, "radial.coefficients", 1, &n, 1.0);
  for (size_t i = 0; i < n; i++) {
    writer_find(&tiny.writer, "radial.centers")->values[i] = 0.9 * (double)i;
    writer_find(&tiny.writer, "radial.coefficients")->values[i] = -0.7 - 0.1 * (double)i;
  }
  (void)snprintf(text, sizeof text,
                 "{\"format\":1,\"architecture\":\"%s\",\"atomic_numbers\":[1,8],\"r_max\":3.2,"
                 "\"precision\":\"float64\",\"units\":{\"length\":\"Angstrom\",\"energy\":\"eV\"},"
                 "\"radial\":{\"basis\":{\"name\":\"gaussian\",\"num_basis\":4},"
                 "\"cutoff\":{\"name\":\"mollifier\"},\"envelope\":\"filter\"},"
                 "\"model\":{\"irreps_embedding\":\"5x0e\",%s\"layers\":[",
                 architecture, model);
  grow_string(&tiny.card, text);
  writer_add(&tiny.writer, "embedding.weight", 2, (const size_t[]){2, 5}, 1.0);
  return tiny;
}

/* The end of a model with matgl's readout. */
static inline void schnetpack_end_gated(struct tiny *tiny) {
  struct irreps scalars[3] = {{0}, {0}, {0}};
  const size_t sizes[] = {5, 3, 1};
  for (size_t i = 0; i < 3; i++)
    irreps_append(&scalars[i], (struct irrep){0, 1}, sizes[i]);
  for (size_t part = 0; part < 2; part++)
    for (size_t i = 0; i < 2; i++)
      tiny_linear(tiny, part ? "readout.gate." : "readout.value.", i ? "1" : "0", &scalars[i],
                  &scalars[i + 1], 0, true);
  writer_add(&tiny->writer, "scale", 1, (const size_t[]){2}, 1.0);
  writer_add(&tiny->writer, "shift", 1, (const size_t[]){2}, 2.0);
  grow_string(&tiny->card, "],\"aggregation\":\"sum\",\"gated_readout\":"
                           "{\"hidden\":[3],\"activation\":\"silu\"}}}");
  grow(&tiny->card, "", 1);
}

static inline void schnetpack_end(struct tiny *tiny) {
  tiny_mlp(tiny, "", "readout", 5, 3, 1, true);
  writer_add(&tiny->writer, "scale", 1, (const size_t[]){2}, 1.0);
  writer_add(&tiny->writer, "shift", 1, (const size_t[]){2}, 2.0);
  grow_string(&tiny->card, "],\"aggregation\":\"sum\","
                           "\"readout\":{\"hidden\":[3],\"activation\":\"silu\"}}}");
  grow(&tiny->card, "", 1);
}

/* Five features, seven filters. */
static inline struct tiny schnet_new(size_t n_layers) {
  struct tiny tiny = schnetpack_begin("schnet", "");
  const struct irreps features = {1, {{{0, 1}, 5, 16, 0}}, 16};
  const struct irreps filters = {1, {{{0, 1}, 7, 16, 0}}, 16};
  for (size_t t = 0; t < n_layers; t++) {
    char prefix[32];
    (void)snprintf(prefix, sizeof prefix, "layers.%zu.", t);
    tiny_linear(&tiny, prefix, "linear_up", &features, &filters, 0, false);
    tiny_mlp(&tiny, prefix, "filter", SCHNETPACK_BASIS, 6, 7, true);
    tiny_linear(&tiny, prefix, "linear_down", &filters, &features, 0, true);
    tiny_linear(&tiny, prefix, "linear_out", &features, &features, 0, true);
    grow_string(&tiny.card, t ? "," : "");
    grow_string(&tiny.card, "{\"irreps_mid\":\"7x0e\",\"activation\":\"ssp\","
                            "\"filter\":{\"hidden\":[6],\"activation\":\"ssp\"}}");
  }
  schnetpack_end(&tiny);
  return tiny;
}

/* Five scalars and five vectors. */
static inline struct tiny painn_new(size_t n_layers) {
  struct tiny tiny = schnetpack_begin("painn", "");
  struct irreps vectors = {0}, two_vectors = {0}, scalars[4] = {0};
  irreps_append(&vectors, (struct irrep){1, -1}, 5);
  irreps_append(&two_vectors, (struct irrep){1, -1}, 10);
  for (size_t k = 1; k < 4; k++)
    irreps_append(&scalars[k], (struct irrep){0, 1}, 5 * k);
  for (size_t t = 0; t < n_layers; t++) {
    const size_t sent = t == 0 ? 2 : 3, mixed = t + 1 == n_layers ? 2 : 3;
    char prefix[32];
    (void)snprintf(prefix, sizeof prefix, "layers.%zu.", t);
    tiny_mlp(&tiny, prefix, "filter", SCHNETPACK_BASIS, 0, 5 * sent, true);
    tiny_linear(&tiny, prefix, "linear_context", &scalars[1], &scalars[1], 0, true);
    tiny_linear(&tiny, prefix, "linear_send", &scalars[1], &scalars[sent], 0, true);
    tiny_linear(&tiny, prefix, "linear_mix", &vectors, &two_vectors, 0, false);
    tiny_linear(&tiny, prefix, "linear_scalars", &scalars[1], &scalars[1], 0, true);
    tiny_linear(&tiny, prefix, "linear_norms", &scalars[1], &scalars[1], 0, false);
    tiny_linear(&tiny, prefix, "linear_update", &scalars[1], &scalars[mixed], 0, true);
    grow_string(&tiny.card, t ? "," : "");
    grow_string(&tiny.card, "{\"filter\":{\"hidden\":[],\"activation\":\"identity\"},"
                            "\"activation\":\"silu\",\"epsilon\":1e-8}");
  }
  schnetpack_end(&tiny);
  return tiny;
}

static inline struct tiny so3net_with(int l_max, size_t n_layers, bool gated) {
  char model[32];
  (void)snprintf(model, sizeof model, "\"l_max\":%d,", l_max);
  struct tiny tiny = schnetpack_begin("so3net", model);
  for (size_t t = 0; t < n_layers; t++) {
    struct irreps all = {0}, out = {0}, gate_in = {0};
    const bool last = t + 1 == n_layers;
    char prefix[32];
    for (int l = 0; l <= l_max; l++) {
      const struct irrep ir = {l, l % 2 ? -1 : 1};
      irreps_append(&all, ir, 5);
      if (l == 0 || !last) {
        irreps_append(&out, ir, 5);
        irreps_append(&gate_in, ir, l ? 5 : 5 * (size_t)(last ? 2 : l_max + 2));
      }
    }
    (void)snprintf(prefix, sizeof prefix, "layers.%zu.", t);
    tiny_mlp(&tiny, prefix, "filter", SCHNETPACK_BASIS, 0, 5 * (size_t)(l_max + 1), true);
    /* Each layer squares what comes in: weak filters, for forces of a few eV/Angstrom. */
    for (size_t i = tiny.writer.n - 2; i < tiny.writer.n; i++)
      for (size_t k = 0; k < tiny.writer.tensors[i].count; k++)
        tiny.writer.tensors[i].values[k] *= 0.3;
    tiny_linear(&tiny, prefix, "linear_product", &all, &all, 0, false);
    tiny_linear(&tiny, prefix, "linear_gate", &out, &gate_in, 0, true);
    tiny_linear(&tiny, prefix, "linear_out", &out, &out, 0, false);
    grow_string(&tiny.card, t ? "," : "");
    grow_string(&tiny.card, "{\"filter\":{\"hidden\":[],\"activation\":\"identity\"}}");
  }
  if (gated)
    schnetpack_end_gated(&tiny);
  else
    schnetpack_end(&tiny);
  return tiny;
}

static inline struct tiny so3net_new(int l_max, size_t n_layers) {
  return so3net_with(l_max, n_layers, false);
}

/* Loads and frees the file. */
static inline struct irrep_model *tiny_loaded(struct tiny *tiny) {
  struct irrep_model *model = NULL;
  struct irrep_error error = {0};
  if (tiny_load(tiny, &model, &error) != IRREP_OK)
    fail_msg("%s: %s (%s)", error.field, error.detail, tiny->card.at);
  tiny_free(tiny);
  return model;
}

static inline double energy_at(const double *positions, void *context) {
  void *const *both = context;
  struct cluster c = *(const struct cluster *)both[1];
  memcpy(c.positions, positions, 3 * c.n_atoms * sizeof(double));
  return cluster_evaluate(both[0], &c, IRREP_FLOAT64, true);
}

/* That the forces on a cluster are the slopes of its energy. */
static inline void assert_forces_are_slopes(struct irrep_model *model, bool periodic) {
  struct cluster c = cluster_new(6, periodic);
  void *context[] = {model, &c};
  double gradient[3 * CLUSTER_MAX];
  cluster_evaluate(model, &c, IRREP_FLOAT64, true);
  for (size_t i = 0; i < 3 * c.n_atoms; i++)
    gradient[i] = -c.forces[i];
  assert_gradient(energy_at, context, 3 * c.n_atoms, c.positions, gradient, 1e-4, 1e-8);
  assert_true(dot(3 * c.n_atoms, gradient, gradient) > 1e-6);
}

static inline void turn(const double (*r)[3], double *vectors, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double v[3] = {vectors[3 * i], vectors[3 * i + 1], vectors[3 * i + 2]};
    for (size_t a = 0; a < 3; a++)
      vectors[3 * i + a] = dot(3, r[a], v);
  }
}

/* That energies stay and forces turn with a crystal that is turned, or mirrored too, about no
 * special axis. */
static inline void assert_turns_with_the_structure(struct irrep_model *model) {
  static const double turns[][3][3] = {
      {{0.6, -0.64, 0.48}, {0.8, 0.48, -0.36}, {0.0, 0.6, 0.8}},
      {{0.6, -0.64, -0.48}, {0.8, 0.48, 0.36}, {0.0, 0.6, -0.8}},
  };
  for (size_t k = 0; k < 2; k++) {
    struct cluster c = cluster_new(7, true), turned = c;
    turn(turns[k], turned.positions, 7);
    turn(turns[k], turned.cell[0], 3);
    cluster_evaluate(model, &c, IRREP_FLOAT64, true);
    cluster_evaluate(model, &turned, IRREP_FLOAT64, true);
    turn(turns[k], c.forces, 7);
    assert_all_close(turned.energies, c.energies, 7, 1e-11, 1e-11);
    assert_all_close(turned.forces, c.forces, 21, 1e-10, 1e-10);
  }
}

#endif
