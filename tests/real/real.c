/* A real checkpoint against what Transformers gave for it, and what it costs: real MODEL-DIR HFM-PROGRAM, run in the
   repository's root by run.sh. */
#define _DEFAULT_SOURCE
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "tools/hfm_tensors.h"
#include "check.h"

enum { SHOWN = 2, LOADS = 21, STARTS = 21 }; /* SHOWN: as make_real.py */

static const char *directory, *program;
static hfm_tensors inputs_file, expected_file;

static int64_t elements(const hfm_tensor *t) {
  int64_t n = 1;
  int32_t i;
  for (i = 0; i < t->rank; i++) n *= t->shape[i];
  return n;
}

static void check_tensor(const hfm_tensor *got, const char *name) {
  const hfm_tensor *want = hfm_tensors_find(&expected_file, name);
  if (!CHECK(want != NULL) || !CHECK(got->data != NULL) || !CHECK_INT(elements(got), elements(want))) return;
  if (!CHECK_ALL_NEAR((const float *)got->data, (const float *)want->data, elements(want), 1e-5, 1e-4))
    printf("  that was %s\n", name);
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void test_embeddings(void) {
  static float pooled[8 * 384], similarity[8 * 8];
  static const int64_t pooled_shape[2] = {8, 384}, similarity_shape[2] = {8, 8};
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_inputs in;
  hfm_outputs out;
  hfm_error error;
  hfm_tensor t;
  int i, k, c;
  memset(&in, 0, sizeof in);
  in.input_ids = *hfm_tensors_find(&inputs_file, "input_ids");
  in.attention_mask = *hfm_tensors_find(&inputs_file, "attention_mask");
  CHECK_INT(hfm_from_pretrained(directory, NULL, &model, &error), HFM_OK);
  CHECK_STR(error.message, "");
  if (!model || !CHECK_INT(hfm_session_create(model, NULL, &session, &error), HFM_OK)) return;
  CHECK_INT(hfm_load_report_size(model), 0);

  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK_STR(error.message, "");
  if (CHECK_INT(elements(&out.last_hidden_state), 8 * in.input_ids.shape[1] * 384)) {
    CHECK_INT(hfm_mean_pool(&out.last_hidden_state, &in.attention_mask, pooled, &error), HFM_OK);
    hfm_normalize(pooled, 8, 384);
    t = hfm_tensor_f32(pooled, 2, pooled_shape);
    check_tensor(&t, "embeddings");
    for (i = 0; i < 8; i++) {
      for (k = 0; k < 8; k++) {
        similarity[8 * i + k] = 0;
        for (c = 0; c < 384; c++) similarity[8 * i + k] += pooled[384 * i + c] * pooled[384 * k + c];
      }
    }
    t = hfm_tensor_f32(similarity, 2, similarity_shape);
    check_tensor(&t, "similarity");
  }

  /* One sentence alone, without padding. */
  {
    const int64_t *ids = (const int64_t *)in.input_ids.data + SHOWN * in.input_ids.shape[1];
    const hfm_tensor *want = hfm_tensors_find(&expected_file, "last_hidden_state");
    memset(&in, 0, sizeof in);
    if (CHECK(want != NULL)) {
      in.input_ids = hfm_tensor_i64(ids, 1, want->shape[1]);
      CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
      check_tensor(&out.last_hidden_state, "last_hidden_state");
      check_tensor(&out.pooler_output, "pooler_output");
    }
  }
  hfm_session_free(session);
  hfm_model_free(model);
}

static void test_load_time(void) {
  double ms[LOADS];
  int i;
  for (i = 0; i < LOADS; i++) {
    const uint64_t start = hfm__clock_ns();
    hfm_model *model = NULL;
    hfm_error error;
    if (!CHECK_INT(hfm_from_pretrained(directory, NULL, &model, &error), HFM_OK)) return;
    ms[i] = (double)(hfm__clock_ns() - start) / 1e6;
    hfm_model_free(model);
  }
  qsort(ms, LOADS, sizeof ms[0], compare);
  printf("  load call: median %.2f ms, best %.2f ms (target: 2 ms)\n", ms[LOADS / 2], ms[0]);
  CHECK(ms[LOADS / 2] <= 2.0);
}

/* The tool on one sentence, from the start of the process to its end. */
static void test_process(void) {
  char weights[4096];
  struct stat info;
  double ms[STARTS];
  long most_kb = 0;
  int i;
  snprintf(weights, sizeof weights, "%s/model.safetensors", directory);
  if (!CHECK_INT(stat(weights, &info), 0)) return;
  for (i = 0; i < STARTS; i++) {
    const uint64_t start = hfm__clock_ns();
    struct rusage usage;
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
      if (!freopen("/dev/null", "w", stdout)) _exit(126);
      execl(program, program, "forward", directory, "--ids", "101 8307 20323 7852 1999 1996 3829 102", (char *)NULL);
      _exit(127);
    }
    if (!CHECK(child > 0) || !CHECK(wait4(child, &status, 0, &usage) == child) || !CHECK_INT(status, 0)) return;
    ms[i] = (double)(hfm__clock_ns() - start) / 1e6;
    if (usage.ru_maxrss > most_kb) most_kb = usage.ru_maxrss;
  }
  qsort(ms, STARTS, sizeof ms[0], compare);
  printf("  %s forward, start to exit: median %.1f ms, best %.1f ms (target: 20 ms)\n", program, ms[STARTS / 2], ms[0]);
  printf("  resident at most %.1f MB; the file has %.1f MB (target: file + 20 MB)\n", (double)most_kb / 1024,
         (double)info.st_size / (1024 * 1024));
  CHECK(ms[STARTS / 2] <= 20.0);
  CHECK((double)most_kb * 1024 <= (double)info.st_size + 20 * 1024 * 1024);
}

int main(int argc, char **argv) {
  hfm_error error;
  if (argc != 3) return 2;
  directory = argv[1];
  program = argv[2];
  if (hfm_tensors_read("tests/real/inputs.safetensors", &inputs_file, &error) ||
      hfm_tensors_read("tests/real/expected.safetensors", &expected_file, &error)) {
    puts(error.message);
    return 1;
  }
  TEST(test_embeddings);
  TEST(test_load_time);
  TEST(test_process);
  hfm_tensors_free(&inputs_file);
  hfm_tensors_free(&expected_file);
  return check_report("real");
}
