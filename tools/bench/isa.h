/* isa.h: an instruction set by its name on the command line. Included after hfmodel.h. */
#ifndef BENCH_ISA_H
#define BENCH_ISA_H

/* What is no name, "auto" for one, is the best that there is. */
static int32_t isa_from_name(const char *name) {
  int32_t isa;
  for (isa = HFM_ISA_SCALAR; isa <= HFM_ISA_WASM_SIMD128; isa++)
    if (strcmp(hfm__isa_name(isa), name) == 0) return isa;
  return HFM_ISA_AUTO;
}

#endif
