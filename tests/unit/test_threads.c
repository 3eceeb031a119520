/* The pool: every chunk once, on any number of workers, with the caller's jobs, with a deadline, when oversubscribed,
   and joined cleanly. Also the clock and the atomics. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include "check.h"

enum { MOST = 5000 };

typedef struct counts {
  hfm__atomic runs[MOST];
  hfm__atomic total;
  int32_t threads;
  int32_t bad_worker;
  uint64_t busy_ns; /* how long a chunk takes */
} counts;

static void wait_ns(uint64_t ns) {
  const uint64_t end = hfm__clock_ns() + ns;
  while (hfm__clock_ns() < end) {
  }
}

static void count_chunk(void *ctx, int64_t chunk, int32_t worker) {
  counts *c = (counts *)ctx;
  if (worker < 0 || worker >= c->threads) c->bad_worker = 1;
  hfm__atomic_add(&c->runs[chunk], 1);
  hfm__atomic_add(&c->total, 1);
  if (c->busy_ns) wait_ns(c->busy_ns);
}

static hfm__pool *new_pool(int32_t threads, int32_t spin, const hfm_jobs *jobs) {
  hfm_allocator mem;
  if (!hfm__resolve_allocator(NULL, &mem)) return NULL;
  return hfm__pool_create(&mem, threads, spin, jobs);
}

static void check_each_once(const counts *c, int64_t first, int64_t count) {
  int64_t i, bad = 0;
  for (i = 0; i < MOST; i++)
    if (hfm__atomic_load((hfm__atomic *)&c->runs[i]) != (i >= first && i < count)) bad++;
  CHECK_INT(bad, 0);
  CHECK_INT(c->bad_worker, 0);
}

static counts the_counts;
static counts *fresh(int32_t threads) {
  memset(&the_counts, 0, sizeof the_counts);
  the_counts.threads = threads;
  return &the_counts;
}

static void test_each_chunk_once(void) {
  const int32_t threads[] = {1, 2, 3, 16};
  const int64_t sizes[][2] = {{0, 0}, {0, 1}, {0, 2}, {3, 3}, {3, 4}, {0, 1000}, {700, MOST}};
  size_t t, s;
  int32_t spin;
  for (t = 0; t < HFM__COUNT(threads); t++) {
    for (spin = -1; spin <= 1; spin++) {
      hfm__pool *pool = new_pool(threads[t], spin, NULL);
      if (!CHECK(pool != NULL)) return;
      for (s = 0; s < HFM__COUNT(sizes); s++) {
        counts *c = fresh(pool->threads);
        CHECK_INT(hfm__pool_run(pool, count_chunk, c, sizes[s][0], sizes[s][1], 0), sizes[s][1]);
        check_each_once(c, sizes[s][0], sizes[s][1]);
      }
      hfm__pool_free(pool);
    }
  }
}

/* Thousands of short jobs: workers wake, come late, find the gate shut, park, all in some order. */
static void test_many_jobs(void) {
  hfm__pool *pool = new_pool(4, 0, NULL);
  int64_t job, expected = 0;
  counts *c;
  if (!CHECK(pool != NULL)) return;
  c = fresh(pool->threads);
  for (job = 0; job < 20000; job++) {
    const int64_t chunks = job % 23; /* in one part, or in up to four */
    expected += chunks;
    if (hfm__pool_run(pool, count_chunk, c, 0, chunks, 0) != chunks) break;
    if (hfm__atomic_load(&c->total) != expected) break;
  }
  CHECK_INT(job, 20000);
  CHECK_INT(hfm__atomic_load(&c->total), expected);
  hfm__pool_free(pool);
}

static void test_deadline(void) {
  hfm__pool *pool = new_pool(2, 0, NULL);
  int64_t next = 0, calls = 0;
  counts *c;
  if (!CHECK(pool != NULL)) return;
  c = fresh(pool->threads);
  c->busy_ns = 20000;
  while (next < 400) {
    const int64_t before = next;
    next = hfm__pool_run(pool, count_chunk, c, next, 400, hfm__clock_ns() + 200000);
    calls++;
    if (!CHECK(next > before)) break; /* at least one chunk */
    CHECK_INT(hfm__atomic_load(&c->total), next); /* all before `next` are complete, and nothing else */
  }
  CHECK(calls > 3);
  check_each_once(c, 0, 400);
  next = hfm__pool_run(pool, count_chunk, c, 500, 600, 1); /* long past: exactly one chunk from the caller */
  CHECK(next >= 501 && next <= 502);
  hfm__pool_free(pool);
}

static int jobs_runs;
static void jobs_backwards(void *ctx, void (*fn)(void *arg, int32_t worker), void *arg, int32_t count) {
  int32_t i;
  (void)ctx;
  jobs_runs++;
  for (i = count - 1; i >= 0; i--) fn(arg, i);
}

static void test_callers_jobs(void) {
  hfm_jobs jobs;
  hfm__pool *pool;
  counts *c;
  jobs.ctx = NULL;
  jobs.run = jobs_backwards;
  pool = new_pool(3, 0, &jobs);
  if (!CHECK(pool != NULL)) return;
  c = fresh(3);
  CHECK_INT(hfm__pool_run(pool, count_chunk, c, 0, 100, 0), 100);
  check_each_once(c, 0, 100);
  CHECK_INT(jobs_runs, 1);
  CHECK(hfm__pool_run(pool, count_chunk, c, 200, 300, 1) > 200);
  hfm__pool_free(pool);
}

static int64_t order[13], ordered;
static void note_order(void *ctx, int64_t chunk, int32_t worker) {
  (void)ctx;
  (void)worker;
  order[ordered++] = chunk;
}

/* Neighbours go to one worker; whoever is done helps the next ones. Few chunks, and all before a deadline, in order. */
static void test_parts(void) {
  const int64_t expected[3][13] = {
      {8, 9, 10, 11, 12, 0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  const int64_t counted[] = {13, 3, 13};
  hfm_jobs jobs;
  hfm__pool *pool;
  size_t i;
  jobs.ctx = NULL;
  jobs.run = jobs_backwards;
  pool = new_pool(3, 0, &jobs);
  if (!CHECK(pool != NULL)) return;
  for (i = 0; i < HFM__COUNT(counted); i++) {
    ordered = 0;
    CHECK_INT(hfm__pool_run(pool, note_order, NULL, 0, counted[i], i == 2 ? UINT64_MAX : 0), counted[i]);
    CHECK_INT(ordered, counted[i]);
    CHECK(!memcmp(order, expected[i], (size_t)counted[i] * sizeof *order));
  }
  hfm__pool_free(pool);
}

static int32_t the_only_worker;
static void jobs_of_one(void *ctx, void (*fn)(void *arg, int32_t worker), void *arg, int32_t count) {
  (void)ctx;
  if (the_only_worker < count) fn(arg, the_only_worker);
}

/* A caller's pool that runs one worker runs all chunks; one that runs nobody has done none of them. */
static void test_lazy_jobs(void) {
  hfm_jobs jobs;
  hfm__pool *pool;
  jobs.ctx = NULL;
  jobs.run = jobs_of_one;
  pool = new_pool(3, 0, &jobs);
  if (!CHECK(pool != NULL)) return;
  for (the_only_worker = 0; the_only_worker < 3; the_only_worker++) {
    counts *c = fresh(3);
    CHECK_INT(hfm__pool_run(pool, count_chunk, c, 0, 100, 0), 100);
    check_each_once(c, 0, 100);
  }
  CHECK_INT(hfm__pool_run(pool, count_chunk, fresh(3), 0, 100, 0), 0);
  CHECK_INT(hfm__pool_run(pool, count_chunk, fresh(3), 0, 100, UINT64_MAX), 0);
  hfm__pool_free(pool);
}

static void test_create_and_free(void) {
  int i;
  for (i = 0; i < 200; i++) {
    hfm__pool *pool = new_pool(1 + i % 5, i % 3 - 1, NULL);
    if (!CHECK(pool != NULL)) return;
    if (i % 2) CHECK_INT(hfm__pool_run(pool, count_chunk, fresh(pool->threads), 0, 3, 0), 3);
    hfm__pool_free(pool);
  }
  hfm__pool_free(NULL);
}

/* An allocator that fails at the n-th call must give NULL and leak nothing (the sanitizers watch). */
typedef struct failing {
  int left;
} failing;
static void *failing_alloc(void *ctx, size_t size) { return ((failing *)ctx)->left-- > 0 ? malloc(size) : NULL; }
static void *failing_realloc(void *ctx, void *block, size_t old_size, size_t size) {
  (void)old_size;
  return ((failing *)ctx)->left-- > 0 ? realloc(block, size) : NULL;
}
static void failing_free(void *ctx, void *block, size_t size) {
  (void)ctx;
  (void)size;
  free(block);
}
static void test_out_of_memory(void) {
  int n;
  for (n = 0; n < 3; n++) {
    failing f;
    hfm_allocator mem;
    hfm__pool *pool;
    f.left = n;
    mem.ctx = &f;
    mem.alloc = failing_alloc;
    mem.realloc = failing_realloc;
    mem.free = failing_free;
    pool = hfm__pool_create(&mem, 3, 0, NULL);
    if (n == 0 || (n == 1 && HFM__THREADS)) CHECK(pool == NULL);
    hfm__pool_free(pool);
  }
}

static void test_clock(void) {
  const uint64_t start = hfm__clock_ns();
  uint64_t last = start, now;
  int i;
  for (i = 0; i < 1000; i++) {
    now = hfm__clock_ns();
    if (now < last) break;
    last = now;
  }
  CHECK_INT(i, 1000);
  CHECK(last - start < 1000000000u);
  CHECK(hfm__cpu_count() >= 1);
}

static void test_atomics(void) {
  hfm__atomic a;
  intptr_t expected = 5;
  void *pointer = NULL;
  hfm__atomic_store(&a, 7);
  CHECK_INT(hfm__atomic_swap_if(&a, &expected, 9), 0);
  CHECK_INT(expected, 7);
  CHECK_INT(hfm__atomic_swap_if(&a, &expected, 9), 1);
  CHECK_INT(hfm__atomic_add(&a, -4), 9);
  CHECK_INT(hfm__atomic_load(&a), 5);
  hfm__atomic_store_pointer(&pointer, &a);
  CHECK(hfm__atomic_load_pointer(&pointer) == &a);
}

int main(void) {
  TEST(test_each_chunk_once);
  TEST(test_many_jobs);
  TEST(test_deadline);
  TEST(test_callers_jobs);
  TEST(test_parts);
  TEST(test_lazy_jobs);
  TEST(test_create_and_free);
  TEST(test_out_of_memory);
  TEST(test_clock);
  TEST(test_atomics);
  return check_report("test_threads");
}
