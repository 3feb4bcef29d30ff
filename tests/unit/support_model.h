/* Tiny NequIP model files, to be loaded as they are or spoilt first, and molecules for them.
 * Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_MODEL_H
#define TESTS_UNIT_SUPPORT_MODEL_H

#include "core/e3/irreps.h"
#include "irrep/model.h"
#include "tests/unit/support_model_file.h"

#define TINY_LAYERS_MAX 4

/* NULL, 0 and false stand for the first that is named. */
struct tiny_choices {
  const char *precision; /* "float64" */
  int l_max;
  bool alternating_parity, solid;       /* harmonics: even, unit */
  bool biases;                          /* none, or one for each layer that may have one */
  const char *embedding;                /* "3x0e" */
  const char *layers[TINY_LAYERS_MAX];  /* irreps_out, the first NULL ends them */
  const char *self_connection;          /* "linear" */
  const char *cutoff;                   /* {"name": "polynomial", "p": 6} */
  size_t filter_hidden, readout_hidden; /* 0: no hidden layer */
  bool norm;                            /* each gate's input is normalised */
};

/* A model file in the making: a test may change tensors and card. Owned (tiny_free). */
struct tiny {
  struct writer writer;
  struct grown_text card; /* NUL-terminated */
};

static inline void tiny_free(struct tiny *tiny) {
  writer_free(&tiny->writer);
  free(tiny->card.at);
}

/* In the card, the one occurrence of `from` becomes `to`. */
static inline void tiny_replace(struct tiny *tiny, const char *from, const char *to) {
  char *at = strstr(tiny->card.at, from);
  if (!at || strstr(at + 1, from))
    fail_msg("the card does not have one %s: %s", from, tiny->card.at);
  struct grown_text text = {0};
  grow(&text, tiny->card.at, (size_t)(at - tiny->card.at));
  grow_string(&text, to);
  grow(&text, at + strlen(from), strlen(at + strlen(from)) + 1);
  free(tiny->card.at);
  tiny->card = text;
}

static inline void tiny_add(struct tiny *tiny, const char *prefix, const char *name, size_t n_dims,
                            const size_t *shape, double scale) {
  char full[128];
  (void)snprintf(full, sizeof full, "%s%s", prefix, name);
  writer_add(&tiny->writer, full, n_dims, shape, scale);
}

/* n_species = 0: one for all. */
static inline void tiny_linear(struct tiny *tiny, const char *prefix, const char *name,
                               const struct irreps *from, const struct irreps *to, size_t n_species,
                               bool bias) {
  char text[64];
  for (size_t i = 0; i < from->n; i++) {
    const struct irreps_entry *x = &from->entry[i];
    const size_t o = irreps_find(to, x->ir);
    if (o == to->n)
      continue;
    const size_t shape[] = {n_species, x->mul, to->entry[o].mul};
    (void)snprintf(text, sizeof text, "%s.%d%c.weight", name, x->ir.l,
                   x->ir.parity > 0 ? 'e' : 'o');
    tiny_add(tiny, prefix, text, n_species ? 3 : 2, n_species ? shape : shape + 1,
             1.2 / sqrt((double)x->mul));
  }
  const size_t o = irreps_find(to, (struct irrep){0, 1});
  (void)snprintf(text, sizeof text, "%s.bias", name);
  if (bias && o < to->n)
    tiny_add(tiny, prefix, text, 1, &to->entry[o].mul, 0.5);
}

static inline void tiny_mlp(struct tiny *tiny, const char *prefix, const char *name, size_t rows,
                            size_t hidden, size_t columns, bool bias) {
  const size_t sizes[] = {rows, hidden ? hidden : columns, columns};
  for (size_t i = 0; i < (hidden ? 2 : 1); i++) {
    char text[64];
    (void)snprintf(text, sizeof text, "%s.%zu.weight", name, i);
    tiny_add(tiny, prefix, text, 2, sizes + i, 1.2);
    (void)snprintf(text, sizeof text, "%s.%zu.bias", name, i);
    if (bias)
      tiny_add(tiny, prefix, text, 1, sizes + i + 1, 0.5);
  }
}

/* irreps_out with one scalar more for each channel of an entry with l > 0. */
static inline struct irreps tiny_gate_input(const struct irreps *out) {
  struct irreps wide = {0};
  size_t gates = 0;
  for (size_t i = 0; i < out->n; i++)
    gates += out->entry[i].ir.l > 0 ? out->entry[i].mul : 0;
  const bool even = irreps_find(out, (struct irrep){0, 1}) < out->n;
  for (size_t i = 0; i < out->n; i++) {
    const bool carrier = irrep_equal(out->entry[i].ir, (struct irrep){0, even ? 1 : -1});
    irreps_append(&wide, out->entry[i].ir, out->entry[i].mul + (carrier ? gates : 0));
  }
  return wide;
}

/* What the paths from x to wanted irreps give, sorted; columns of their filter. */
static inline struct irreps tiny_convolved(const struct irreps *x, const struct irreps *wanted,
                                           const struct tiny_choices *choices, size_t *columns) {
  struct irreps mid = {0};
  *columns = 0;
  for (size_t i = 0; i < x->n; i++)
    for (int l2 = 0; l2 <= choices->l_max; l2++)
      for (int l3 = 0; l3 <= IRREP_L_MAX; l3++) {
        const struct irrep y = {l2, choices->alternating_parity && l2 % 2 ? -1 : 1};
        const struct irrep ir = {l3, x->entry[i].ir.parity * y.parity};
        if (!irrep_in_product(ir, x->entry[i].ir, y) || irreps_find(wanted, ir) == wanted->n)
          continue;
        irreps_append(&mid, ir, x->entry[i].mul);
        *columns += x->entry[i].mul;
      }
  irreps_simplify(&mid);
  return mid;
}

static inline void tiny_layer(struct tiny *tiny, const struct tiny_choices *choices, size_t t,
                              struct irreps *x) {
  char prefix[32], out_text[128], mid_text[128], text[768];
  const char *self = choices->self_connection ? choices->self_connection : "linear";
  struct irreps out;
  size_t columns;
  assert_int_equal(irreps_parse(choices->layers[t], &out, NULL), IRREP_OK);
  const struct irreps wide = tiny_gate_input(&out);
  const struct irreps mid = tiny_convolved(x, &wide, choices, &columns);
  (void)snprintf(prefix, sizeof prefix, "layers.%zu.", t);
  tiny_linear(tiny, prefix, "linear_up", x, x, 0, choices->biases);
  tiny_mlp(tiny, prefix, "filter", 3, choices->filter_hidden, columns, choices->biases);
  tiny_linear(tiny, prefix, "linear_down", &mid, &wide, 0, choices->biases);
  if (strcmp(self, "none") != 0)
    tiny_linear(tiny, prefix, "self_connection", x, &wide, strcmp(self, "species") == 0 ? 2 : 0,
                false);
  for (size_t i = 0; choices->norm && i < wide.n; i++) {
    char gain[32];
    (void)snprintf(gain, sizeof gain, "norm.%d%c.gain", wide.entry[i].ir.l,
                   wide.entry[i].ir.parity > 0 ? 'e' : 'o');
    tiny_add(tiny, prefix, gain, 1, &wide.entry[i].mul, 1.3);
  }
  irreps_format(&out, out_text, sizeof out_text);
  irreps_format(&mid, mid_text, sizeof mid_text);
  (void)snprintf(text, sizeof text,
                 "%s{\"irreps_out\":\"%s\",\"irreps_mid\":\"%s\",\"self_connection\":\"%s\","
                 "\"filter\":{\"hidden\":[%.0zu],\"activation\":\"silu\"},%s\"gate\":{"
                 "\"scalars\":{\"0e\":{\"activation\":\"silu\",\"scale\":1.6},"
                 "\"0o\":{\"activation\":\"tanh\",\"scale\":1.5}},"
                 "\"gates\":{\"0e\":{\"activation\":\"silu\",\"scale\":1.7},"
                 "\"0o\":{\"activation\":\"abs\",\"scale\":50}}}}",
                 t ? "," : "", out_text, mid_text, self, choices->filter_hidden,
                 choices->norm ? "\"norm\":{\"epsilon\":1e-12}," : "");
  grow_string(&tiny->card, text);
  *x = out;
}

/* Hydrogen is species 0, oxygen species 1; r_max is 3.2 A, three Bessel functions. */
static inline struct tiny tiny_new(const struct tiny_choices *choices) {
  struct tiny tiny = {.writer = {.rng = {77}}};
  const char *embedding = choices->embedding ? choices->embedding : "3x0e";
  char text[768];
  struct irreps x;
  assert_int_equal(irreps_parse(embedding, &x, NULL), IRREP_OK);
  writer_add(&tiny.writer, "radial.frequencies", 1, (const size_t[]){3}, 1.0);
  for (size_t i = 0; i < 3; i++)
    writer_find(&tiny.writer, "radial.frequencies")->values[i] = 0.98 * (double)(i + 1);
  writer_add(&tiny.writer, "embedding.weight", 2, (const size_t[]){2, x.entry[0].mul}, 1.0);
  (void)snprintf(text, sizeof text,
                 "{\"format\":1,\"architecture\":\"nequip\",\"variant\":\"sevennet\","
                 "\"atomic_numbers\":[1,8],\"r_max\":3.2,\"precision\":\"%s\","
                 "\"units\":{\"length\":\"Angstrom\",\"energy\":\"eV\"},\"radial\":{"
                 "\"basis\":{\"name\":\"bessel\",\"num_basis\":3,\"prefactor\":0.79},"
                 "\"cutoff\":%s},\"model\":{\"l_max\":%d,\"edge_parity\":\"%s\","
                 "\"edge_harmonics\":\"%s\",\"irreps_embedding\":\"%s\",\"layers\":[",
                 choices->precision ? choices->precision : "float64",
                 choices->cutoff ? choices->cutoff : "{\"name\":\"polynomial\",\"p\":6}",
                 choices->l_max, choices->alternating_parity ? "natural" : "even",
                 choices->solid ? "solid" : "unit", embedding);
  grow_string(&tiny.card, text);
  for (size_t t = 0; t < TINY_LAYERS_MAX && choices->layers[t]; t++)
    tiny_layer(&tiny, choices, t, &x);
  const size_t scalars = irreps_find(&x, (struct irrep){0, 1});
  tiny_mlp(&tiny, "", "readout", scalars < x.n ? x.entry[scalars].mul : 1, choices->readout_hidden,
           1, choices->biases);
  writer_add(&tiny.writer, "scale", 1, (const size_t[]){2}, 1.0);
  writer_add(&tiny.writer, "shift", 1, (const size_t[]){2}, 2.0);
  (void)snprintf(text, sizeof text, "],\"readout\":{\"hidden\":[%.0zu],\"activation\":\"ssp\"}}}",
                 choices->readout_hidden);
  grow_string(&tiny.card, text);
  grow(&tiny.card, "", 1);
  return tiny;
}

static inline enum irrep_status tiny_load(const struct tiny *tiny, struct irrep_model **model,
                                          struct irrep_error *error) {
  size_t n_bytes;
  unsigned char *bytes = writer_file(&tiny->writer, tiny->card.at, &n_bytes);
  const enum irrep_status status = irrep_model_load(bytes, n_bytes, model, error);
  free(bytes);
  return status;
}

/* A model of these choices; for irrep_model_free. */
static inline struct irrep_model *tiny_model(const struct tiny_choices *choices) {
  struct tiny tiny = tiny_new(choices);
  struct irrep_model *model = NULL;
  struct irrep_error error = {0};
  if (tiny_load(&tiny, &model, &error) != IRREP_OK)
    fail_msg("%s: %s (%s)", error.field, error.detail, tiny.card.at);
  tiny_free(&tiny);
  return model;
}

/* That the file as it is now is refused with this status, naming this field. Frees it. */
static inline void assert_tiny_refused(struct tiny *tiny, enum irrep_status status,
                                       const char *field) {
  struct irrep_model *model = (void *)tiny; /* must become NULL */
  struct irrep_error error = {0};
  const enum irrep_status found = tiny_load(tiny, &model, &error);
  if (found != status || strcmp(error.field, field) != 0)
    fail_msg("%s at %s (%s), expected %s at %s", irrep_status_name(found), error.field,
             error.detail, irrep_status_name(status), field);
  assert_null(model);
  assert_int_equal(error.status, status);
  assert_true(strlen(error.detail) > 10);
  assert_int_equal(tiny_load(tiny, &model, NULL), status);
  tiny_free(tiny);
}

/* A change of the card of one text to another, and what the loader says to it. */
struct refusal {
  const char *from, *to;
  enum irrep_status status;
  const char *field;
};

static inline void assert_refusals(const struct tiny_choices *choices,
                                   const struct refusal *refusals, size_t n) {
  for (size_t i = 0; i < n; i++) {
    struct tiny tiny = tiny_new(choices);
    tiny_replace(&tiny, refusals[i].from, refusals[i].to);
    assert_tiny_refused(&tiny, refusals[i].status, refusals[i].field);
  }
}

/* That the file is refused when a tensor is missing, has another shape, or holds a NaN. */
static inline void assert_tensor_is_needed(const struct tiny_choices *choices, const char *name) {
  for (int fault = 0; fault < 4; fault++) {
    struct tiny tiny = tiny_new(choices);
    struct writer_tensor *tensor = writer_find(&tiny.writer, name);
    if (fault == 0) {
      writer_drop(&tiny.writer, name);
    } else if (fault == 1) {
      tensor->shape[tensor->n_dims++] = 1;
    } else if (fault == 2) {
      /* One row less. */
      tensor->count -= tensor->count / tensor->shape[0];
      tensor->shape[0]--;
    } else {
      tensor->values[tensor->count - 1] = NAN;
    }
    assert_tiny_refused(&tiny, IRREP_BAD_MODEL_FILE, name);
  }
}

/* The model that is enough for most tests. */
static inline struct irrep_model *plain_model(void) {
  return tiny_model(&(struct tiny_choices){.l_max = 1, .layers = {"3x0e+2x1e", "4x0e"}});
}

#define CLUSTER_MAX 8

/* A handful of atoms with all that an evaluation gives. */
struct cluster {
  size_t n_atoms;
  int32_t numbers[CLUSTER_MAX];
  double positions[3 * CLUSTER_MAX], cell[3][3];
  bool periodic;
  double energies[CLUSTER_MAX], forces[3 * CLUSTER_MAX];
  struct irrep_result result;
};

/* n atoms about 1.5 A apart, in a sheared cell that is smaller than the cutoff's sphere. */
static inline struct cluster cluster_new(size_t n_atoms, bool periodic) {
  struct rng rng = {n_atoms};
  struct cluster c = {.n_atoms = n_atoms,
                      .periodic = periodic,
                      .result = IRREP_RESULT_INIT,
                      .cell = {{3.1, 0.2, 0.0}, {-0.4, 3.3, 0.3}, {0.1, 0.5, 2.9}}};
  for (size_t i = 0; i < n_atoms; i++) {
    c.numbers[i] = i % 3 ? 1 : 8;
    for (size_t k = 0; k < 3; k++)
      c.positions[3 * i + k] = 1.5 * (double)(i >> k & 1) + 0.2 * rng_next(&rng);
  }
  return c;
}

static inline struct irrep_structure structure_of(const struct cluster *c) {
  struct irrep_structure s = {.struct_size = sizeof(struct irrep_structure),
                              .n_atoms = c->n_atoms,
                              .numbers = c->numbers,
                              .positions = c->positions,
                              .pbc = {c->periodic, c->periodic, c->periodic}};
  memcpy(s.cell, c->cell, sizeof s.cell);
  return s;
}

/* Evaluates structures in an arena of exactly the planned bytes. */
static inline void evaluate_all(const struct irrep_model *model,
                                const struct irrep_evaluate_options *options,
                                const struct irrep_structure *structures, size_t n,
                                struct irrep_result *results) {
  struct irrep_plan sum = IRREP_PLAN_INIT;
  for (size_t i = 0; i < n; i++) {
    struct irrep_plan plan = IRREP_PLAN_INIT;
    assert_int_equal(irrep_model_plan(model, &structures[i], SIZE_MAX, &plan, NULL), IRREP_OK);
    sum.n_structures++;
    sum.n_atoms += plan.n_atoms;
    sum.n_edges += plan.n_edges;
  }
  const size_t bytes = irrep_model_bytes(model, options->precision, &sum);
  void *arena = aligned_new(bytes);
  memset(arena, 0xff, bytes);
  assert_int_equal(irrep_model_evaluate(model, options, structures, n, arena, bytes, results, NULL),
                   IRREP_OK);
  free(arena);
}

/* Evaluates a cluster and returns its energy. */
static inline double cluster_evaluate(const struct irrep_model *model, struct cluster *c,
                                      enum irrep_precision precision, bool exact_filters) {
  const struct irrep_structure structure = structure_of(c);
  const struct irrep_evaluate_options options = {.struct_size =
                                                     sizeof(struct irrep_evaluate_options),
                                                 .precision = precision,
                                                 .exact_filters = exact_filters};
  c->result = (struct irrep_result){
      .struct_size = sizeof(struct irrep_result), .energies = c->energies, .forces = c->forces};
  evaluate_all(model, &options, &structure, 1, &c->result);
  assert_int_equal(c->result.status, IRREP_OK);
  return c->result.energy;
}

#endif
