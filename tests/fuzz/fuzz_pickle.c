/* The bytes are data.pkl in an archive that is otherwise good, with storages "0" and "1" of 24 bytes. */
#include "fuzz_archive.h"
#include "fuzz_weights.h"
#include "mutate_pickle.h"

FUZZ_TARGET(pickle) {
  static const uint8_t storage[24] = {1, 2, 3};
  fuzz_archive a;
  if (!fuzz_archive_begin(&a, size + 1024)) return 0;
  fuzz_archive_entry(&a, "m/data.pkl", data, size, 0);
  fuzz_archive_entry(&a, "m/data/0", storage, sizeof storage, 0);
  fuzz_archive_entry(&a, "m/data/1", storage, sizeof storage, 0);
  fuzz_archive_end(&a, 0, 0);
  fuzz_weights("x.bin", a.bytes, a.size);
  free(a.bytes);
  return 0;
}

FUZZ_MUTATOR(pickle) {
  fuzz_edit e = fuzz_edit_begin(data, size, max_size, seed);
  fuzz_mutate_pickle(&e, 0, SIZE_MAX);
  return e.size;
}
