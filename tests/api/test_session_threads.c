/* Sessions of one model in several threads at once, under every packing and with every kind of pool: the bits are
   those of one session alone. `make sanitize` runs this under TSan. */
#include "posix.h"

#include "hfmodel.h"

#include "check.h"
#include "support.h"

#if HAS_POSIX

enum { THREADS = 4, ROUNDS = 3, LENGTHS = 3, BATCH = 2, LONGEST = 33 };
static const int64_t lengths[LENGTHS] = { 1, 9, LONGEST };

/* ---- A start for all at once: pthread_barrier is not everywhere ------------------------------------------------- */

typedef struct start_line {
  pthread_mutex_t lock;
  pthread_cond_t go;
  int waiting;
} start_line;

static start_line line = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void wait_for_all(void) {
  pthread_mutex_lock(&line.lock);
  if (++line.waiting < THREADS) {
    while (line.waiting < THREADS) pthread_cond_wait(&line.go, &line.lock);
  } else {
    pthread_cond_broadcast(&line.go);
  }
  pthread_mutex_unlock(&line.lock);
}

/* ---- The caller's own pool: a thread for each worker ------------------------------------------------------------- */

typedef struct job {
  void (*fn)(void *arg, int32_t worker);
  void *arg;
  int32_t worker;
} job;

static void *run_job(void *arg) {
  const job *j = (const job *)arg;
  j->fn(j->arg, j->worker);
  return NULL;
}

static void run_jobs(void *ctx, void (*fn)(void *arg, int32_t worker), void *arg, int32_t count) {
  enum { MOST = 8 };
  pthread_t threads[MOST];
  job jobs[MOST];
  int started[MOST];
  (void)ctx;
  for (int32_t i = 1; i < count && i < MOST; i++) {
    jobs[i].fn = fn;
    jobs[i].arg = arg;
    jobs[i].worker = i;
    started[i] = pthread_create(&threads[i], NULL, run_job, &jobs[i]) == 0;
    if (!started[i]) run_job(&jobs[i]);
  }
  fn(arg, 0);
  for (int32_t i = 1; i < count && i < MOST; i++) {
    if (started[i]) pthread_join(threads[i], NULL);
  }
}

/* ---- One thread, one session ------------------------------------------------------------------------------------- */

static kept_output alone[THREADS][LENGTHS]; /* what one session gave, one after the other */

typedef struct user {
  pthread_t thread;
  hfm_model *model;
  int index;
  int threads, jobs; /* of its session */
  int wrong;         /* forwards with other bits than alone */
  hfm_result result;
  hfm_error error;
} user;

static hfm_inputs inputs_of(int64_t *ids, int index, int64_t length) {
  hfm_inputs in;
  memset(&in, 0, sizeof in);
  fill_ids(ids, BATCH * length, index);
  in.input_ids = hfm_tensor_i64(ids, BATCH, length);
  return in;
}

static void *use_model(void *arg) {
  user *u = (user *)arg;
  int64_t ids[BATCH * LONGEST];
  hfm_session_options options;
  hfm_session *session = NULL;
  memset(&options, 0, sizeof options);
  options.threads = u->threads;
  if (u->jobs) options.jobs.run = run_jobs;
  wait_for_all();
  u->result = hfm_session_create(u->model, &options, &session, &u->error);
  for (int n = 0; !u->result && n < ROUNDS * LENGTHS; n++) {
    const int which = (n + u->index) % LENGTHS;
    const kept_output *want = &alone[u->index][which];
    const hfm_inputs in = inputs_of(ids, u->index, lengths[which]);
    hfm_outputs out;
    u->result = hfm_forward(session, &in, &out, &u->error);
    if (!u->result && memcmp(out.items[0].tensor.data, want->values, want->count * sizeof(float)) != 0) u->wrong++;
  }
  hfm_session_free(session);
  return NULL;
}

/* The reference: a model of its own, so that nothing is packed yet when the threads begin. */
static int fill_alone(const char *dir) {
  hfm_model *model = load_fixture(dir, NULL);
  hfm_session *session = model ? new_session(model, 1) : NULL;
  int64_t ids[BATCH * LONGEST];
  int good = session != NULL;
  for (int i = 0; good && i < THREADS * LENGTHS; i++) {
    const hfm_inputs in = inputs_of(ids, i / LENGTHS, lengths[i % LENGTHS]);
    good = forward_kept(session, &in, &alone[i / LENGTHS][i % LENGTHS]) == HFM_OK;
  }
  hfm_session_free(session);
  hfm_model_free(model);
  return good;
}

static void check_together(const char *dir, int32_t packing, int threads, int jobs) {
  static user users[THREADS];
  int started[THREADS];
  hfm_options options;
  hfm_model *model;
  memset(&options, 0, sizeof options);
  options.packing = packing;
  model = load_fixture(dir, &options);
  if (!model) return;
  memset(users, 0, sizeof users);
  line.waiting = 0;
  for (int i = 0; i < THREADS; i++) {
    users[i].model = model;
    users[i].index = i;
    users[i].threads = threads;
    users[i].jobs = jobs;
    started[i] = pthread_create(&users[i].thread, NULL, use_model, &users[i]) == 0;
    if (!CHECK(started[i])) wait_for_all(); /* in its place */
  }
  for (int i = 0; i < THREADS; i++) {
    if (!started[i]) continue;
    pthread_join(users[i].thread, NULL);
    if (!CHECK_INT(users[i].result, HFM_OK)) printf("  %s: %s\n", dir, users[i].error.message);
    if (!CHECK_INT(users[i].wrong, 0)) printf("  %s, packing %d, %d threads, jobs %d\n", dir, packing, threads, jobs);
  }
  hfm_model_free(model);
}

static void check_model(const char *dir) {
  static const int32_t packings[] = { HFM_PACK_LAZY, HFM_PACK_NEVER, HFM_PACK_EAGER };
  if (!fill_alone(dir)) return;
  for (size_t i = 0; i < sizeof packings / sizeof packings[0]; i++) {
    check_together(dir, packings[i], 1, 0);
    check_together(dir, packings[i], 3, 0);
    check_together(dir, packings[i], 3, 1);
  }
}

static void test_encoder(void) { check_model(FIXTURE("bert_wide")); }
static void test_decoder(void) { check_model(FIXTURE("llama_bf16_sharded")); }
static void test_transposed_weights(void) { check_model(FIXTURE("gpt2_base")); }

#else
static void no_threads(void) { SKIP("there are no POSIX threads here"); }
#endif

int main(void) {
#if HAS_POSIX
  TEST(test_encoder);
  TEST(test_decoder);
  TEST(test_transposed_weights);
#else
  TEST(no_threads);
#endif
  return check_report("test_session_threads");
}
