/* Large blocks: in huge pages where the system has them, whoever hands the allocator on. */
#include "posix.h"

#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"

enum { SIZE = 6 << 20 };

/* Is memory at p advised to be in huge pages? 0 where nothing says so. */
static int is_advised(const void *p) {
  FILE *f = fopen("/proc/self/smaps", "r");
  char line[512];
  int inside = 0, advised = 0;
  if (!f) return 0;
  while (fgets(line, sizeof line, f)) {
    unsigned long long from, to;
    if (sscanf(line, "%llx-%llx ", &from, &to) == 2) inside = from <= (uintptr_t)p && (uintptr_t)p < to;
    else if (inside && !strncmp(line, "VmFlags:", 8)) advised = strstr(line, " hg") != NULL;
  }
  fclose(f);
  return advised;
}

static void check_block(const hfm_allocator *mem, const char *who) {
  uint8_t *block = (uint8_t *)hfm__alloc_in_huge_pages(mem, SIZE);
  if (!CHECK(block != NULL)) return;
  if (!CHECK(is_advised(block + SIZE / 2))) printf("  %s\n", who);
  CHECK_INT((uintptr_t)block % HFM__HUGE_PAGE, 0);
  memset(block, 1, SIZE);
  block = (uint8_t *)hfm__realloc(mem, block, SIZE, 2 * SIZE);
  CHECK(block && block[SIZE - 1] == 1);
  hfm__free(mem, block, 2 * SIZE);
}

static void test_huge_pages(void) {
  hfm__context ctx;
  hfm__budget budget;
  hfm_error error;
  void *control;
  CHECK_INT(hfm__context_init(NULL, &ctx, &error), HFM_OK);
  control = hfm__alloc(&ctx.mem, SIZE);
  hfm__ask_huge_pages(control, SIZE / HFM__HUGE_PAGE * HFM__HUGE_PAGE);
  if (!is_advised((uint8_t *)control + SIZE / 2)) {
    SKIP("this system has no huge pages, or doesn't tell");
  } else {
    check_block(&ctx.mem, "the C library's allocator");
    hfm__budget_begin(&budget, &ctx, 0);
    hfm__budget_extend(&ctx, 4 * SIZE);
    check_block(&ctx.mem, "while reading is budgeted");
    hfm__budget_end(&budget);
    check_block(&ctx.mem, "when the budget only hands through");
    ctx.mem = budget.mem;
  }
  hfm__free(&ctx.mem, control, SIZE);
}

int main(void) {
  TEST(test_huge_pages);
  return check_report("test_large_blocks");
}
