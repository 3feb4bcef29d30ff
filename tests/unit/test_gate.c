#include "tests/unit/support_kernels.h"

#define ENTRIES_MAX 6

/* A gate whose gates are an entry of their own, in groups that start at a multiple of the lanes. */
struct trial {
  struct irreps in, out;
  struct gate op;
  struct gate_entry entries[ENTRIES_MAX];
  struct reals x, grad_out, before;
  size_t rows;
};

/* The scalars of out, one group of gates for each entry with l > 0, then these entries. */
static const char *const cases[][2] = {
    {"5x0e", "5x0e"},
    {"5x0e+1x0o+128x0o+2x0e+128x1o+2x2e", "5x0e+1x0o+128x1o+2x2e"},
    {"16x0o+48x0o+48x1e", "16x0o+48x1e"},
    {"1x0e+33x0e+1x0e+33x4e+1x5o", "1x0e+33x4e+1x5o"},
};
#define N_CASES (sizeof cases / sizeof *cases)

static void trial_init(struct trial *trial, const struct kernels *kernels, size_t c, size_t rows) {
  struct rng rng = {c * 1000 + rows};
  *trial = (struct trial){.in = irreps_of(cases[c][0]), .out = irreps_of(cases[c][1])};
  const struct irreps *in = &trial->in, *out = &trial->out;
  size_t n_gated = 0, n_scalars;
  while (n_gated < out->n && out->entry[out->n - 1 - n_gated].ir.l > 0)
    n_gated++;
  n_scalars = out->n - n_gated;
  for (size_t i = 0; i < out->n; i++) {
    const bool gated = i >= n_scalars;
    const struct irreps_entry *x = &in->entry[gated ? i + n_gated : i], *y = &out->entry[i];
    const struct irreps_entry *gates = &in->entry[i];
    trial->entries[i] = (struct gate_entry){
        .gated = gated,
        .n_m = (size_t)(2 * y->ir.l + 1),
        .channels = y->mul_padded,
        .in_offset = x->offset,
        .in_stride = x->mul_padded,
        .gate_offset = gated ? gates->offset : 0,
        .out_offset = y->offset,
        .out_stride = y->mul_padded,
        .activation = gates->ir.parity < 0 ? ACTIVATION_TANH : ACTIVATION_SILU,
        .scale = 1.3 + 0.4 * (double)i,
    };
  }
  trial->op = (struct gate){in->dim, out->dim, out->n, trial->entries};
  trial->rows = rows;
  trial->x = rows_random(kernels, &rng, in, rows);
  trial->grad_out = rows_random(kernels, &rng, out, rows);
  trial->before = rows_random(kernels, &rng, in, rows);
}

static void trial_fini(struct trial *trial) {
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
  reals_free(&trial->before);
}

static double act(enum activation kind, double x, double *slope) {
  if (kind == ACTIVATION_TANH) {
    *slope = 1.0 / (cosh(x) * cosh(x));
    return tanh(x);
  }
  const double s = 1.0 / (1.0 + exp(-x));
  *slope = s + x * s * (1.0 - s);
  return x * s;
}

static void forward_row(const struct gate *op, const double *x, double *y) {
  for (size_t e = 0; e < op->n_entries; e++) {
    const struct gate_entry *entry = &op->entries[e];
    for (size_t m = 0; m < entry->n_m; m++)
      for (size_t c = 0; c < entry->channels; c++) {
        const double in = x[entry->in_offset + m * entry->in_stride + c];
        double slope;
        y[entry->out_offset + m * entry->out_stride + c] =
            entry->scale * (entry->gated
                                ? act(entry->activation, x[entry->gate_offset + c], &slope) * in
                                : act(entry->activation, in, &slope));
      }
  }
}

static void adjoint_row(const struct gate *op, const double *x, const double *gy, double *gx) {
  for (size_t e = 0; e < op->n_entries; e++) {
    const struct gate_entry *entry = &op->entries[e];
    for (size_t m = 0; m < entry->n_m; m++)
      for (size_t c = 0; c < entry->channels; c++) {
        const size_t at = entry->in_offset + m * entry->in_stride + c;
        const double g = entry->scale * gy[entry->out_offset + m * entry->out_stride + c];
        double slope;
        const double a =
            act(entry->activation, x[entry->gated ? entry->gate_offset + c : at], &slope);
        if (entry->gated) {
          gx[at] += g * a;
          gx[entry->gate_offset + c] += g * slope * x[at];
        } else {
          gx[at] += g * slope;
        }
      }
  }
}

/* Numbers of size 1, three of them multiplied: the activation is good to 4 epsilons, each product
 * and the scale of at most 3.3 add a half; the adjoint of a gate sums up to 11 such. */
#define FORWARD_EPSILONS 24
#define ADJOINT_EPSILONS 120

static void check_forward(const struct kernels *kernels, size_t c, size_t rows) {
  struct trial trial;
  trial_init(&trial, kernels, c, rows);
  struct reals out = reals_random(kernels, &(struct rng){7}, trial.grad_out.n);
  double *expected = doubles_new(out.n);
  for (size_t r = 0; r < rows; r++)
    forward_row(&trial.op, trial.x.exact + r * trial.in.dim, expected + r * trial.out.dim);
  kernels->gate(&trial.op, rows, trial.x.data, out.data);
  reals_read(&out);
  assert_all_close(out.exact, expected, out.n, FORWARD_EPSILONS * epsilon_of(kernels), 0.0);
  assert_padding_is_zero(&out, &trial.out);
  free(expected);
  reals_free(&out);
  trial_fini(&trial);
}

static void check_adjoint(const struct kernels *kernels, size_t c, size_t rows, bool accumulate) {
  struct trial trial;
  trial_init(&trial, kernels, c, rows);
  struct reals grad = reals_of(kernels, trial.before.n, trial.before.exact);
  double *expected = doubles_new(grad.n);
  if (accumulate)
    memcpy(expected, grad.exact, grad.n * sizeof(double));
  for (size_t r = 0; r < rows; r++)
    adjoint_row(&trial.op, trial.x.exact + r * trial.in.dim,
                trial.grad_out.exact + r * trial.out.dim, expected + r * trial.in.dim);
  kernels->gate_adjoint(&trial.op, rows, trial.x.data, trial.grad_out.data, grad.data, accumulate);
  reals_read(&grad);
  assert_all_close(grad.exact, expected, grad.n, ADJOINT_EPSILONS * epsilon_of(kernels), 0.0);
  assert_padding_is_zero(&grad, &trial.in);
  free(expected);
  reals_free(&grad);
  trial_fini(&trial);
}

static void check_cases(const struct kernels *kernels) {
  static const size_t rows[] = {1, 31, 32, 33};
  for (size_t c = 0; c < N_CASES; c++)
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
      check_forward(kernels, c, rows[r]);
      check_adjoint(kernels, c, rows[r], false);
      check_adjoint(kernels, c, rows[r], true);
    }
}

static void test_both_directions_equal_loops(void **state) {
  (void)state;
  for_each_table(check_cases);
}

static void check_rows(const struct kernels *kernels) {
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    trial_init(&trial, kernels, c, 33);
    const size_t in = trial.in.dim, out = trial.out.dim;
    struct reals y = reals_zero(kernels, 33 * out), alone = reals_zero(kernels, out);
    struct reals gx = reals_zero(kernels, 33 * in), grad_alone = reals_zero(kernels, in);
    kernels->gate(&trial.op, 33, trial.x.data, y.data);
    kernels->gate_adjoint(&trial.op, 33, trial.x.data, trial.grad_out.data, gx.data, false);
    for (size_t r = 0; r < 33; r++) {
      const void *x = real_at(&trial.x, r * in);
      kernels->gate(&trial.op, 1, x, alone.data);
      kernels->gate_adjoint(&trial.op, 1, x, real_at(&trial.grad_out, r * out), grad_alone.data,
                            false);
      assert_same_bits(&y, r * out, &alone, 0, out);
      assert_same_bits(&gx, r * in, &grad_alone, 0, in);
    }
    reals_free(&y);
    reals_free(&alone);
    reals_free(&gx);
    reals_free(&grad_alone);
    trial_fini(&trial);
  }
}

static void test_rows_are_independent(void **state) {
  (void)state;
  for_each_table(check_rows);
}

/* <grad_out, gate(x)> in float64. */
static double objective(const double *x, void *context) {
  const struct trial *trial = context;
  struct reals out = reals_zero(trial->x.kernels, trial->grad_out.n);
  out.kernels->gate(&trial->op, trial->rows, x, out.data);
  reals_read(&out);
  const double value = dot(out.n, out.exact, trial->grad_out.exact);
  reals_free(&out);
  return value;
}

static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    trial_init(&trial, kernels, c, 2);
    struct reals grad = reals_zero(kernels, trial.x.n);
    kernels->gate_adjoint(&trial.op, 2, trial.x.data, trial.grad_out.data, grad.data, false);
    reals_read(&grad);
    /* h^4 / 30 is 3e-14 and meets fifth derivatives below 50; rounding over the step is 1e-13. */
    assert_gradient(objective, &trial, trial.x.n, trial.x.exact, grad.exact, 1e-3, 1e-11);
    reals_free(&grad);
    trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_loops),
      cmocka_unit_test(test_rows_are_independent),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
