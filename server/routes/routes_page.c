#include "server/base/fnv.h"
#include "server/routes/routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define JS "text/javascript; charset=utf-8"
#define SVG "image/svg+xml"

/* The files of server/page/: name in symbols, path below /page/, media type. */
#define PAGE_FILES(FILE)                                                                           \
  FILE(index_html, "", HTML)                                                                       \
  FILE(style_css, "style.css", CSS)                                                                \
  FILE(icon_svg, "icon.svg", SVG)                                                                  \
  FILE(api_js, "api.js", JS)                                                                       \
  FILE(chart_js, "chart.js", JS)                                                                   \
  FILE(cif_js, "cif.js", JS)                                                                       \
  FILE(cif_text_js, "cif_text.js", JS)                                                             \
  FILE(dom_js, "dom.js", JS)                                                                       \
  FILE(elements_js, "elements.js", JS)                                                             \
  FILE(examples_js, "examples.js", JS)                                                             \
  FILE(extxyz_js, "extxyz.js", JS)                                                                 \
  FILE(fields_js, "fields.js", JS)                                                                 \
  FILE(form_js, "form.js", JS)                                                                     \
  FILE(formats_js, "formats.js", JS)                                                               \
  FILE(frames_js, "frames.js", JS)                                                                 \
  FILE(geometry_js, "geometry.js", JS)                                                             \
  FILE(gestures_js, "gestures.js", JS)                                                             \
  FILE(hall_js, "hall.js", JS)                                                                     \
  FILE(jobs_js, "jobs.js", JS)                                                                     \
  FILE(json_js, "json.js", JS)                                                                     \
  FILE(live_js, "live.js", JS)                                                                     \
  FILE(main_js, "main.js", JS)                                                                     \
  FILE(models_js, "models.js", JS)                                                                 \
  FILE(modes_js, "modes.js", JS)                                                                   \
  FILE(orbits_js, "orbits.js", JS)                                                                 \
  FILE(overlap_js, "overlap.js", JS)                                                               \
  FILE(plot_js, "plot.js", JS)                                                                     \
  FILE(poscar_js, "poscar.js", JS)                                                                 \
  FILE(properties_js, "properties.js", JS)                                                         \
  FILE(prometheus_js, "prometheus.js", JS)                                                         \
  FILE(result_js, "result.js", JS)                                                                 \
  FILE(run_js, "run.js", JS)                                                                       \
  FILE(snippets_js, "snippets.js", JS)                                                             \
  FILE(space_groups_js, "space_groups.js", JS)                                                     \
  FILE(symmetry_js, "symmetry.js", JS)                                                             \
  FILE(task_js, "task.js", JS)                                                                     \
  FILE(view_js, "view.js", JS)

/* Embedded by `ld -r -b binary` run from the project root. */
#define DECLARE(symbol, name, type)                                                                \
  extern const char _binary_server_page_##symbol##_start[];                                        \
  extern const char _binary_server_page_##symbol##_end[];
PAGE_FILES(DECLARE)

static const struct page_file {
  const char *name, *type, *start, *end;
} page_files[] = {
#define ROW(symbol, name, type)                                                                    \
  {name, type, _binary_server_page_##symbol##_start, _binary_server_page_##symbol##_end},
    PAGE_FILES(ROW)};

/* The page runs its own files only, talks to its own server only, and is in nobody's frame. */
#define POLICY                                                                                     \
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "  \
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "                                  \
  "require-trusted-types-for 'script'; trusted-types 'none'"

static const struct page_file *find_file(const char *name) {
  for (size_t i = 0; i < sizeof page_files / sizeof *page_files; i++)
    if (strcmp(page_files[i].name, name) == 0)
      return &page_files[i];
  return NULL;
}

/* A weak one: the file is the same, whatever coding its bytes go out in. */
static void write_etag(const struct page_file *file, char etag[24]) {
  snprintf(etag, 24, "W/\"%016" PRIx64 "\"",
           fnv_add(FNV_BEGIN, file->start, (size_t)(file->end - file->start)));
}

/* Whether If-None-Match, NULL for none, names the version; whether weakly is all one (RFC 9110,
 * 13.1.2). */
static bool has_version(const char *if_none_match, const char *etag) {
  return if_none_match != NULL &&
         (strcmp(if_none_match, "*") == 0 || strstr(if_none_match, etag + 2) != NULL);
}

/* Browsers ask again each time, by the ETag: no file of one version meets one of another. */
void route_page(struct services *services, struct http_exchange *exchange, const char *name) {
  (void)services;
  const struct page_file *file = find_file(name);
  if (!file) {
    reply_not_found(exchange);
    return;
  }
  char etag[24];
  write_etag(file, etag);
  const struct http_field fields[] = {{"ETag", etag},
                                      {"Content-Security-Policy", POLICY},
                                      {"X-Content-Type-Options", "nosniff"},
                                      {"Referrer-Policy", "no-referrer"}};
  struct http_reply reply = {.status = 304,
                             .cache_control = "no-cache",
                             .fields = fields,
                             .n_fields = sizeof fields / sizeof *fields};
  if (!has_version(exchange->if_none_match, etag)) {
    const size_t size = (size_t)(file->end - file->start);
    reply.status = 200;
    reply.content_type = file->type;
    reply.size = size;
    reply.body = malloc(size + 1);
    if (!reply.body) {
      reply_text(exchange, 503, NULL, NULL, 0);
      return;
    }
    memcpy(reply.body, file->start, size);
  }
  http_reply(exchange, &reply);
}
