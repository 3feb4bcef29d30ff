/* Tiny Allegro model files, to be loaded as they are or spoilt first. Include it last: it includes
 * cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_ALLEGRO_H
#define TESTS_UNIT_SUPPORT_ALLEGRO_H

#include "tests/unit/support_kernels.h"
#include "tests/unit/support_schnetpack.h"

#define ALLEGRO_SCALARS 3
#define ALLEGRO_TENSORS 2
#define ALLEGRO_LAYERS_MAX 3

/* irreps_out of each layer but the last, the first NULL ends them. */
struct allegro_choices {
  int l_max;
  double r_max; /* 0: 3.2 */
  const char *irreps[ALLEGRO_LAYERS_MAX];
};

/* Paths between irreps of V and harmonics. */
static inline size_t allegro_paths(const struct irreps *from, const struct irreps *to, int l_max) {
  size_t n = 0;
  for (size_t o = 0; o < to->n; o++)
    for (size_t i = 0; i < from->n; i++)
      for (int l = 0; l <= l_max; l++)
        n +=
            irrep_in_product(to->entry[o].ir, from->entry[i].ir, (struct irrep){l, l % 2 ? -1 : 1});
  return n;
}

static inline struct irreps allegro_harmonics(int l_max) {
  struct irreps irreps = {0};
  for (int l = 0; l <= l_max; l++)
    irreps_append(&irreps, (struct irrep){l, l % 2 ? -1 : 1}, ALLEGRO_TENSORS);
  return irreps;
}

static inline void allegro_layer(struct tiny *tiny, const struct allegro_choices *choices, size_t t,
                                 struct irreps *irreps) {
  const char *text = choices->irreps[t] ? choices->irreps[t] : "2x0e";
  const bool last = !choices->irreps[t];
  const struct irreps out = irreps_of(text);
  const size_t paths = allegro_paths(irreps, &out, choices->l_max);
  char prefix[32], card[256];
  (void)snprintf(prefix, sizeof prefix, "layers.%zu.", t);
  tiny_add(tiny, prefix, "product.weight", 2, (const size_t[]){paths, ALLEGRO_TENSORS}, 0.6);
  tiny_mlp(tiny, prefix, "latent", (t + 1) * ALLEGRO_SCALARS + ALLEGRO_TENSORS, 5,
           ALLEGRO_SCALARS + (last ? 0 : (size_t)(choices->l_max + 1) * ALLEGRO_TENSORS), false);
  (void)snprintf(card, sizeof card,
                 "%s{\"irreps_out\":\"%s\",\"latent\":{\"hidden\":[5],\"activation\":\"silu\"}}",
                 t ? "," : "", text);
  grow_string(&tiny->card, card);
  *irreps = out;
}

/* Hydrogen is species 0, oxygen species 1; three Bessel functions. */
static inline struct tiny allegro_new(const struct allegro_choices *choices) {
  struct tiny tiny = {.writer = {.rng = {99}}};
  struct irreps irreps = allegro_harmonics(choices->l_max);
  const size_t columns = ALLEGRO_SCALARS + 2 * (size_t)(choices->l_max + 1) * ALLEGRO_TENSORS;
  char text[768];
  writer_add(&tiny.writer, "radial.frequencies", 1, (const size_t[]){3}, 1.0);
  for (size_t i = 0; i < 3; i++)
    writer_find(&tiny.writer, "radial.frequencies")->values[i] = 0.9 * (double)(i + 1);
  (void)snprintf(text, sizeof text,
                 "{\"format\":1,\"architecture\":\"allegro\",\"atomic_numbers\":[1,8],"
                 "\"r_max\":%g,\"precision\":\"float64\","
                 "\"units\":{\"length\":\"Angstrom\",\"energy\":\"eV\"},"
                 "\"radial\":{\"basis\":{\"name\":\"bessel\",\"num_basis\":3,\"prefactor\":0.8},"
                 "\"cutoff\":{\"name\":\"polynomial\",\"p\":6}},"
                 "\"model\":{\"l_max\":%d,\"num_scalars\":%d,\"num_tensors\":%d,"
                 "\"two_body\":{\"hidden\":[4],\"activation\":\"silu\"},\"layers\":[",
                 choices->r_max > 0 ? choices->r_max : 3.2, choices->l_max, ALLEGRO_SCALARS,
                 ALLEGRO_TENSORS);
  grow_string(&tiny.card, text);
  writer_add(&tiny.writer, "two_body.0.weight", 4, (const size_t[]){2, 2, 3, 4}, 1.2);
  writer_add(&tiny.writer, "two_body.1.weight", 2, (const size_t[]){4, columns}, 1.2);
  writer_add(&tiny.writer, "environment_scale", 1, (const size_t[]){2}, 0.5);
  size_t t = 0;
  do
    allegro_layer(&tiny, choices, t, &irreps);
  while (choices->irreps[t++]);
  tiny_mlp(&tiny, "", "readout", (t + 1) * ALLEGRO_SCALARS, 4, 1, false);
  writer_add(&tiny.writer, "scale", 1, (const size_t[]){2}, 1.0);
  writer_add(&tiny.writer, "shift", 1, (const size_t[]){2}, 2.0);
  grow_string(&tiny.card, "],\"readout\":{\"hidden\":[4],\"activation\":\"silu\"}}}");
  grow(&tiny.card, "", 1);
  return tiny;
}

#endif
