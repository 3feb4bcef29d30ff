#include "server/compute/fair_queue.h"
#include "server/compute/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define FLOWS 4
#define ENTRIES 64

/* Entries named by their flow and their place in it: 'a' 0, 'a' 1, 'b' 0, ... */
struct fixture {
  struct fair_queue queue;
  struct flow flows[FLOWS];
  struct entry entries[ENTRIES];
  size_t n_entries;
};

static struct entry *append(struct fixture *f, char flow) {
  struct entry *entry = &f->entries[f->n_entries++];
  *entry = (struct entry){.flow = &f->flows[flow - 'a']};
  fair_append(&f->queue, entry);
  return entry;
}

static void append_all(struct fixture *f, const char *flows) {
  for (; *flows; flows++)
    append(f, *flows);
}

static char name_of(const struct fixture *f, const struct entry *entry) {
  return (char)('a' + (entry->flow - f->flows));
}

/* What a walk sees. */
static void walk(const struct fixture *f, const struct entry *seen[ENTRIES], char *names) {
  struct fair_walk w = fair_walk_begin(&f->queue);
  size_t n = 0;
  for (const struct entry *e; (e = fair_walk_next(&w)); n++) {
    seen[n] = e;
    names[n] = name_of(f, e);
  }
  names[n] = '\0';
}

/* Takes n entries; they are those that a walk has seen first. */
static void take(struct fixture *f, size_t n, const char *wanted) {
  const struct entry *seen[ENTRIES] = {NULL};
  char names[ENTRIES + 1];
  walk(f, seen, names);
  for (size_t i = 0; i < n; i++) {
    const struct entry *head = fair_head(&f->queue);
    struct entry *entry = fair_take(&f->queue);
    assert_ptr_equal(entry, seen[i]);
    assert_ptr_equal(entry, head);
    assert_int_equal(name_of(f, entry), wanted[i]);
    fair_unlink(&f->queue, entry);
  }
}

static void expect_empty(const struct fixture *f) {
  assert_null(f->queue.first);
  assert_null(f->queue.last);
  assert_null(f->queue.turn);
  for (size_t i = 0; i < FLOWS; i++) {
    assert_null(f->flows[i].first);
    assert_null(f->flows[i].next);
  }
}

static void test_empty(void **state) {
  (void)state;
  struct fixture f = {0};
  assert_null(fair_head(&f.queue));
  assert_null(fair_take(&f.queue));
  struct fair_walk w = fair_walk_begin(&f.queue);
  assert_null(fair_walk_next(&w));
}

static void test_turns(void **state) {
  (void)state;
  struct fixture f = {0};
  append_all(&f, "aaaabbc");
  const struct entry *seen[ENTRIES];
  char names[ENTRIES + 1];
  walk(&f, seen, names);
  assert_string_equal(names, "abcabaa");
  take(&f, 7, "abcabaa");
  expect_empty(&f);
}

/* A small request that comes later waits for one turn of each that is there, not for their ends. */
static void test_late_flow(void **state) {
  (void)state;
  struct fixture f = {0};
  append_all(&f, "aaaaaaaabbbb");
  take(&f, 3, "aba");
  append(&f, 'c');
  take(&f, 4, "bacb");
  take(&f, 6, "abaaaa");
  expect_empty(&f);
}

/* Entries that leave from anywhere keep order and turns. */
static void test_unlink(void **state) {
  (void)state;
  struct fixture f = {0};
  append_all(&f, "abcabcabc");
  fair_unlink(&f.queue, &f.entries[0]); /* whose turn it is */
  fair_unlink(&f.queue, &f.entries[4]); /* in the middle of b */
  fair_unlink(&f.queue, &f.entries[8]); /* the last of all */
  assert_ptr_equal(f.queue.first, &f.entries[1]);
  assert_ptr_equal(f.queue.last, &f.entries[7]);
  take(&f, 6, "abcabc");
  expect_empty(&f);
  append_all(&f, "ab");
  fair_unlink(&f.queue, &f.entries[9]); /* the whole flow whose turn it is */
  take(&f, 1, "b");
  expect_empty(&f);
}

/* The order by arrival stays beside the turns. */
static void test_arrival(void **state) {
  (void)state;
  struct fixture f = {0};
  append_all(&f, "aabb");
  take(&f, 2, "ab");
  assert_ptr_equal(f.queue.first, &f.entries[1]);
  assert_ptr_equal(f.queue.first->next, &f.entries[3]);
  assert_ptr_equal(f.queue.last, &f.entries[3]);
  take(&f, 2, "ab");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_empty),     cmocka_unit_test(test_turns),
      cmocka_unit_test(test_late_flow), cmocka_unit_test(test_unlink),
      cmocka_unit_test(test_arrival),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
