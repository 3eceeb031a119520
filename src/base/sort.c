/* ==== base/sort (private): stable sort of pointers =============================================================
   Merge sort: n log n whatever a file holds (qsort may be quadratic, and may allocate on its own). Sorted input, the
   usual case, costs one pass. */

typedef int (*hfm__compare)(const void *a, const void *b);

/* `scratch` has room for `count` pointers too. */
HFM__PRIVATE void hfm__sort(const void **items, const void **scratch, size_t count, hfm__compare compare) {
  const void **from = items, **to = scratch;
  size_t i = 1;
  while (i < count && compare(items[i - 1], items[i]) <= 0) i++;
  if (i >= count) return;
  for (size_t width = 1; width < count; width *= 2) {
    const void **swap;
    for (size_t start = 0; start < count; start += 2 * width) {
      const size_t middle = HFM__MIN(start + width, count), end = HFM__MIN(middle + width, count);
      size_t a = start, b = middle;
      for (size_t k = start; k < end; k++)
        to[k] = b == end || (a < middle && compare(from[a], from[b]) <= 0) ? from[a++] : from[b++];
    }
    swap = from;
    from = to;
    to = swap;
  }
  if (from != items) memcpy(items, from, count * sizeof *items);
}

/* Sorts `count` items of `size` bytes (at most 256) where they lie. `pointers` has room for twice as many. */
HFM__PRIVATE void hfm__sort_items(void *items, size_t count, size_t size, const void **pointers, hfm__compare compare) {
  uint8_t *base = (uint8_t *)items, kept[256];
  for (size_t i = 0; i < count; i++) pointers[i] = base + i * size;
  hfm__sort(pointers, pointers + count, count, compare);
  for (size_t i = 0; i < count; i++) { /* each cycle of the permutation once */
    size_t to = i, from = (size_t)((const uint8_t *)pointers[i] - base) / size;
    if (from == i) continue;
    memcpy(kept, base + i * size, size);
    while (from != i) {
      memcpy(base + to * size, base + from * size, size);
      pointers[to] = base + to * size;
      to = from;
      from = (size_t)((const uint8_t *)pointers[to] - base) / size;
    }
    memcpy(base + to * size, kept, size);
    pointers[to] = base + to * size;
  }
}
