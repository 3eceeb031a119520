/* Every kernel on every tier that this machine has. One program: most of the time goes into compiling them for all. */
#define _GNU_SOURCE
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include "check.h"

#include "support.h"

#include "attention.h"
#include "experts.h"
#include "linear.h"
#include "rows.h"

int main(void) {
  test_linear();
  test_attention();
  test_experts();
  test_rows();
  return check_report("test_kernels");
}
