/* The convolution of an architecture with irreps: its paths, couplings and filter. */
#include "core/builders/build.h"
#include "core/e3/spherical_harmonics.h"
#include "core/e3/wigner.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <string.h>

#define PATHS_MAX 256

static struct irrep harmonic(int l, bool alternating_parity) {
  return (struct irrep){l, alternating_parity && l % 2 ? -1 : 1};
}

/* The paths in the file's order, and for each irrep of irreps_mid the channels of its paths. */
static bool list_paths(struct build *build, const struct layout *in,
                       const struct convolution_card *card, struct path *paths, size_t *n_paths,
                       struct layout *out) {
  const struct irreps *mid = card->irreps_mid;
  size_t target[PATHS_MAX], n = 0;
  for (size_t i = 0; i < in->n; i++)
    for (int l2 = 0; l2 <= (card->radial ? 0 : build->program->l_max); l2++)
      for (int l3 = 0; l3 <= IRREP_L_MAX; l3++) {
        const struct irrep ir1 = in->entry[i].ir, ir2 = harmonic(l2, card->alternating_parity);
        const struct irrep ir3 = {l3, ir1.parity * ir2.parity};
        const size_t found = irreps_find(mid, ir3);
        if (!irrep_in_product(ir3, ir1, ir2) || found == mid->n)
          continue;
        if (n == PATHS_MAX) {
          irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model/layers",
                     "a convolution with more than %d paths", PATHS_MAX);
          return false;
        }
        target[n] = found;
        paths[n++] = (struct path){.l1 = ir1.l,
                                   .l2 = l2,
                                   .l3 = l3,
                                   .channels = in->entry[i].mul,
                                   .x_offset = in->entry[i].offset,
                                   .x_stride = in->entry[i].width};
      }
  *n_paths = n;
  *out = (struct layout){0};
  for (size_t e = 0; e < mid->n; e++) {
    size_t mul[PATHS_MAX], n_groups = 0;
    for (size_t p = 0; p < n; p++)
      if (target[p] == e)
        mul[n_groups++] = paths[p].channels;
    if (card->summed && n_groups > 0)
      n_groups = 1;
    if (!layout_append(build, out, mid->entry[e].ir, mul, n_groups))
      return false;
    const struct layout_entry *entry = &out->entry[out->n - 1];
    if (entry->mul != mid->entry[e].mul) {
      irrep_fail(build->error, IRREP_BAD_MODEL_FILE, "model/layers",
                 "irreps_mid does not have the channels of the convolution's paths");
      return false;
    }
    for (size_t p = 0, channel = 0; p < n; p++)
      if (target[p] == e) {
        paths[p].out_offset = entry->offset + entry->place[channel];
        paths[p].out_stride = entry->width;
        channel += card->summed ? 0 : paths[p].channels;
      }
  }
  return true;
}

/* One nonzero coupling coefficient between a pair (m1, m3) of a path and a harmonic. */
struct coupling {
  uint32_t pair, harmonic;
  double c;
};

/* The vectors here point from the sender to the receiver; for the other way a path gets (-1)^l2. */
static double path_sign(const struct convolution_card *card, const struct path *path) {
  const double sign = card->to_sender && path->l2 % 2 ? -1.0 : 1.0;
  return card->summed ? sign * so3net_sign(path->l1, path->l2, path->l3) : sign;
}

/* The couplings of all paths, ordered by pair. */
static struct coupling *list_couplings(struct build *build, const struct convolution_card *card,
                                       struct path *paths, size_t n_paths, size_t *n_pairs,
                                       size_t *n_couplings) {
  struct coupling_term *terms =
      program_take_scratch(build->program, COUPLING_TERMS_MAX, sizeof *terms);
  struct coupling *all = NULL;
  for (int pass = 0; terms && pass < 2; pass++) {
    size_t n = 0, pair = 0;
    for (size_t p = 0; p < n_paths; p++) {
      const struct path *path = &paths[p];
      size_t n_terms;
      if (coupling_terms(path->l1, path->l2, path->l3, terms, &n_terms) != IRREP_OK)
        return NULL;
      const size_t n3 = (size_t)(2 * path->l3 + 1);
      paths[p].first_pair = pair;
      for (size_t i = 0; all && i < n_terms; i++)
        all[n + i] = (struct coupling){
            .pair = (uint32_t)(pair + (size_t)terms[i].m1 * n3 + (size_t)terms[i].m3),
            .harmonic = (uint32_t)(path->l2 * path->l2 + terms[i].m2),
            .c = terms[i].c * path_sign(card, path)};
      n += n_terms;
      pair += (size_t)(2 * path->l1 + 1) * n3;
    }
    if (!all)
      all = program_take_scratch(build->program, n + 1, sizeof *all);
    *n_pairs = pair;
    *n_couplings = n;
  }
  return all;
}

/* The couplings as a sparse matrix with a row for each pair, in the list's order. */
static bool make_sparse(struct build *build, const struct coupling *couplings, size_t n,
                        size_t n_rows, struct sparse *sparse) {
  struct program *program = build->program;
  uint32_t *first = program_take(program, n_rows + 1, sizeof *first);
  uint32_t *column = program_take(program, n + 1, sizeof *column);
  sparse->values = program_weights(program, n + 1);
  if (build_no_memory(build))
    return false;
  for (size_t i = 0; i < n; i++)
    first[couplings[i].pair + 1]++;
  for (size_t r = 0; r < n_rows; r++)
    first[r + 1] += first[r];
  for (size_t i = n; i-- > 0;) {
    const struct coupling *coupling = &couplings[i];
    const uint32_t at = --first[coupling->pair + 1];
    column[at] = coupling->harmonic;
    program->weights[sparse->values + at] = coupling->c;
  }
  memmove(first, first + 1, n_rows * sizeof *first);
  first[n_rows] = (uint32_t)n;
  sparse->n_rows = n_rows;
  sparse->first = first;
  sparse->column = column;
  return true;
}

/* Gives each path its columns of the filter and pads its channels. The file's columns go path by
 * path or, where paths are summed, by the harmonic's degree: paths of one degree share theirs. */
static void place_columns(struct path *paths, size_t n_paths, bool summed, size_t *place,
                          struct convolution *convolution) {
  size_t file_column = 0;
  for (size_t p = 0; p < n_paths; p++) {
    const size_t channels = paths[p].channels;
    const size_t width = padded(channels);
    paths[p].channels = width;
    paths[p].filter_column = summed ? (size_t)paths[p].l2 * width : convolution->n_columns;
    if (paths[p].filter_column < convolution->n_columns)
      continue;
    for (size_t i = 0; i < channels; i++)
      place[file_column++] = paths[p].filter_column + i;
    convolution->n_columns += width;
  }
}

/* Gives each path its couplings. */
static bool couple_paths(struct build *build, const struct convolution_card *card,
                         struct path *paths, size_t n_paths, struct convolution *convolution) {
  size_t n_pairs, n_couplings;
  const struct coupling *couplings =
      list_couplings(build, card, paths, n_paths, &n_pairs, &n_couplings);
  convolution->l_max = build->program->l_max;
  if (!couplings || !make_sparse(build, couplings, n_couplings, n_pairs, &convolution->by_pair))
    return build_give_up(build);
  convolution->paths = paths;
  convolution->n_paths = n_paths;
  return true;
}

static bool is_scalar(const struct convolution *convolution, const double *weights) {
  const struct path *path = convolution->paths;
  return convolution->n_paths == 1 && path->l1 == 0 && path->l2 == 0 &&
         weights[convolution->by_pair.values] == 1.0 && convolution->x_dim == path->channels &&
         convolution->out_dim == path->channels && convolution->n_columns == path->channels;
}

/* The file's columns: of each path or, where they go by harmonic, of each degree. */
static bool count_columns(struct build *build, const struct convolution_card *card,
                          const struct path *paths, size_t n_paths, size_t *n_file_columns) {
  size_t degrees = 0, n = 0;
  for (size_t p = 0; p < n_paths; p++) {
    const bool known = card->summed && degrees >> paths[p].l2 & 1;
    n += known ? 0 : paths[p].channels;
    degrees |= (size_t)1 << paths[p].l2;
  }
  *n_file_columns = n;
  if (n <= IRREP_MODEL_CHANNELS_MAX)
    return true;
  irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, card->filter,
             "a filter of more than %d columns", IRREP_MODEL_CHANNELS_MAX);
  return false;
}

/* Whether two paths add to the same outputs. */
static bool any_summed(const struct path *paths, size_t n_paths) {
  for (size_t p = 0; p < n_paths; p++)
    for (size_t q = 0; q < p; q++)
      if (paths[p].out_offset == paths[q].out_offset)
        return true;
  return false;
}

bool build_convolution_along(struct build *build, const struct convolution_card *card,
                             struct path *paths, size_t n_paths, size_t in,
                             const struct layout *from, size_t out, const struct layout *to) {
  struct convolution convolution = {.x_dim = from->dim, .out_dim = to->dim};
  struct filter filter = {.last = card->last};
  struct card_object filter_card;
  size_t n_file_columns;
  if (!count_columns(build, card, paths, n_paths, &n_file_columns))
    return false;
  size_t *place = program_take_scratch(build->program, n_file_columns, sizeof *place);
  if (!place || !couple_paths(build, card, paths, n_paths, &convolution))
    return build_give_up(build);
  place_columns(paths, n_paths, card->summed, place, &convolution);
  convolution.scalar = is_scalar(&convolution, build->program->weights);
  convolution.summed = any_summed(paths, n_paths);
  if (card->given)
    filter = *card->given;
  else if (card_object(card->layer, "filter", &filter_card, build->error) != IRREP_OK ||
           !build_filter(build, card->filter, &filter_card, n_file_columns, place,
                         convolution.n_columns, &filter))
    return build_give_up(build);
  struct op *op = program_op(build->program, OP_CONVOLUTION, in, out);
  if (!op)
    return build_give_up(build);
  op->message.convolution = convolution;
  op->message.filter = filter;
  return true;
}

bool build_convolution(struct build *build, const struct convolution_card *card, size_t in,
                       const struct layout *from, size_t *out, struct layout *to) {
  size_t n_paths;
  struct path *paths = program_take(build->program, PATHS_MAX, sizeof *paths);
  if (!paths)
    return build_give_up(build);
  if (!list_paths(build, from, card, paths, &n_paths, to))
    return false;
  if (card->twin)
    to->dim *= 2;
  return build_tensor(build, to, out) &&
         build_convolution_along(build, card, paths, n_paths, in, from, *out, to);
}

bool build_density(struct build *build, const char *name, const struct card_object *layer,
                   size_t *tensor, const struct layout *layout) {
  static const char *const keys[] = {"filter", "offset", "scale", NULL};
  struct card_object card, filter_card;
  struct filter filter = {.last = ACTIVATION_TANH_SQUARE};
  const size_t column = 0;
  double offset, scale;
  size_t out;
  if (card_object(layer, "density", &card, build->error) != IRREP_OK ||
      card_only(&card, keys, build->error) != IRREP_OK ||
      card_number(&card, "offset", 1e-6, 1e6, &offset, build->error) != IRREP_OK ||
      card_number(&card, "scale", -1e6, 1e6, &scale, build->error) != IRREP_OK ||
      card_object(&card, "filter", &filter_card, build->error) != IRREP_OK ||
      !build_filter(build, name, &filter_card, 1, &column, IRREP_LANES, &filter) ||
      !build_tensor(build, layout, &out))
    return false;
  struct op *op = program_op(build->program, OP_DENSITY, *tensor, out);
  if (!op)
    return build_give_up(build);
  op->message.convolution.n_columns = IRREP_LANES;
  op->message.filter = filter;
  op->message.offset = offset;
  op->message.scale = scale;
  *tensor = out;
  return true;
}
