/* mutate_pickle.h: pickles changed instruction by instruction, and pieces of them that mean something to torch. */
#ifndef MUTATE_PICKLE_H
#define MUTATE_PICKLE_H

#include "fuzz_edit.h"

enum { FUZZ_OPS = 2048 };

/* The first three pickles of every legacy stream: magic number, protocol, system. */
static const char fuzz_legacy_head[] =
  "\x80\2\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}U\15little_endian\x88s.";

/* Bytes of the instruction at the beginning of these; 1 for what isn't known. */
static size_t fuzz_op_size(const uint8_t *data, size_t left) {
  size_t width = 0, size, lines = 0;
  switch (data[0]) {
    case 'K': case 'q': case 'h': case 0x80: size = 2; break;
    case 'M': size = 3; break;
    case 'J': case 'r': case 'j': size = 5; break;
    case 'G': case 0x95: size = 9; break;
    case 'U': case 'C': case 0x8a: case 0x8c: width = 1; size = 2; break;
    case 'X': case 'T': case 'B': case 0x8b: width = 4; size = 5; break;
    case 0x8d: case 0x8e: width = 8; size = 9; break;
    case 'c':
      for (size = 1; size < left && lines < 2; size++) lines += data[size] == '\n';
      break;
    default: size = 1; break;
  }
  if (width && size <= left) {
    uint64_t length = 0;
    for (size_t i = 0; i < width; i++) length |= (uint64_t)data[1 + i] << 8 * i;
    if (length > left - size) return 1;
    size += (size_t)length;
  }
  return size <= left ? size : 1;
}

/* Where the instructions from `begin` on are, and the end of the last; stops after `stops` STOPs. */
static size_t fuzz_ops(const fuzz_edit *e, size_t begin, size_t stops, size_t *at) {
  size_t count = 0, pos = begin;
  while (pos < e->size && count < FUZZ_OPS && stops) {
    at[count++] = pos;
    stops -= e->data[pos] == '.';
    pos += fuzz_op_size(e->data + pos, e->size - pos);
  }
  at[count] = pos;
  return count;
}

typedef struct fuzz_piece {
  const char *bytes;
  size_t size;
} fuzz_piece;
#define FUZZ_PIECE(text) {text, sizeof(text) - 1}
#define FUZZ_STORAGE(type, key, tail) "(U\7storagectorch\n" type "\nU\1" key "U\3cpu" tail "tQ"
#define FUZZ_REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"

static const fuzz_piece fuzz_pieces[] = {
  FUZZ_PIECE("N"), FUZZ_PIECE("\x88"), FUZZ_PIECE("\x89"), FUZZ_PIECE(")"), FUZZ_PIECE("]"), FUZZ_PIECE("}"),
  FUZZ_PIECE("\x8f"), FUZZ_PIECE("("), FUZZ_PIECE("0"), FUZZ_PIECE("1"), FUZZ_PIECE("t"), FUZZ_PIECE("l"),
  FUZZ_PIECE("d"), FUZZ_PIECE("e"), FUZZ_PIECE("u"), FUZZ_PIECE("s"), FUZZ_PIECE("a"), FUZZ_PIECE("\x90"),
  FUZZ_PIECE("R"), FUZZ_PIECE("\x81"), FUZZ_PIECE("b"), FUZZ_PIECE("Q"), FUZZ_PIECE("."), FUZZ_PIECE("\x85"),
  FUZZ_PIECE("\x86"), FUZZ_PIECE("\x87"), FUZZ_PIECE("\x93"), FUZZ_PIECE("\x94"), FUZZ_PIECE("q\0"),
  FUZZ_PIECE("q\1"), FUZZ_PIECE("h\0"), FUZZ_PIECE("h\1"), FUZZ_PIECE("r\0\1\0\0"), FUZZ_PIECE("j\0\0\0\0"),
  FUZZ_PIECE("r\xff\xff\xff\xff"), FUZZ_PIECE("K\0"), FUZZ_PIECE("K\1"), FUZZ_PIECE("K\2"), FUZZ_PIECE("K\6"),
  FUZZ_PIECE("M\0\1"), FUZZ_PIECE("J\xff\xff\xff\xff"), FUZZ_PIECE("J\xff\xff\xff\x7f"), FUZZ_PIECE("\x8a\1\x5"),
  FUZZ_PIECE("\x8a\0"), FUZZ_PIECE("\x8a\x8\xff\xff\xff\xff\xff\xff\xff\x7f"),
  FUZZ_PIECE("\x8a\x8\0\0\0\0\0\0\0\x40"), FUZZ_PIECE("\x8a\x9\1\0\0\0\0\0\0\0\0"), FUZZ_PIECE("\x8b\1\0\0\0\1"),
  FUZZ_PIECE("G\x3f\xf0\0\0\0\0\0\0"), FUZZ_PIECE("U\1w"), FUZZ_PIECE("U\0"), FUZZ_PIECE("X\2\0\0\0\xc3\xa9"),
  FUZZ_PIECE("X\1\0\0\0\0"), FUZZ_PIECE("X\1\0\0\0\xff"), FUZZ_PIECE("\x8c\1v"), FUZZ_PIECE("\x8d\1\0\0\0\0\0\0\0x"),
  FUZZ_PIECE("C\1b"), FUZZ_PIECE("B\1\0\0\0b"), FUZZ_PIECE("\x8e\1\0\0\0\0\0\0\0b"), FUZZ_PIECE("T\1\0\0\0s"),
  FUZZ_PIECE("\x80\2"), FUZZ_PIECE("\x80\4"), FUZZ_PIECE("\x95\0\0\0\0\0\0\0\0"),
  FUZZ_PIECE("U\7storage"), FUZZ_PIECE("U\1" "0"), FUZZ_PIECE("U\1" "1"), FUZZ_PIECE("U\x0astate_dict"),
  FUZZ_PIECE("U\5model"), FUZZ_PIECE("U\6module"), FUZZ_PIECE("U\x8module.w"), FUZZ_PIECE("U\x10model_state_dict"),
  FUZZ_PIECE("\x8c\x0btorch._utils\x8c\x12_rebuild_tensor_v2\x93"), FUZZ_PIECE("\x8c\5torch\x8c\4Size\x93"),
  FUZZ_PIECE("\x8c\x02os\x8c\6system\x93"), FUZZ_PIECE("cos\nsystem\n"), FUZZ_PIECE("ccollections\nOrderedDict\n"),
  FUZZ_PIECE("ccollections\nOrderedDict\n)R"), FUZZ_PIECE("ccollections\nOrderedDict\n)\x81"),
  FUZZ_PIECE("ccollections\nOrderedDict\n]U\1wK\1\x86" "a\x85R"), FUZZ_PIECE("ctorch._utils\n_rebuild_tensor\n"),
  FUZZ_PIECE(FUZZ_REBUILD), FUZZ_PIECE("ctorch._utils\n_rebuild_tensor_v3\n"),
  FUZZ_PIECE("ctorch._utils\n_rebuild_parameter\n"), FUZZ_PIECE("ctorch._utils\n_rebuild_parameter_with_state\n"),
  FUZZ_PIECE("ctorch\nSize\n"), FUZZ_PIECE("c_codecs\nencode\n"), FUZZ_PIECE("c__builtin__\nset\n]\x85R"),
  FUZZ_PIECE("ctorch\nFloatStorage\n"), FUZZ_PIECE("ctorch\nComplexDoubleStorage\n"),
  FUZZ_PIECE("ctorch.storage\nUntypedStorage\n"), FUZZ_PIECE("ctorch\nbfloat16\n"), FUZZ_PIECE("ctorch\nuint16\n"),
  FUZZ_PIECE("ctorch\nfloat4_e2m1fn_x2\n"), FUZZ_PIECE("ctorch\nfloat8_e4m3fn\n"),
  FUZZ_PIECE(FUZZ_STORAGE("FloatStorage", "0", "K\6")), FUZZ_PIECE(FUZZ_STORAGE("LongStorage", "1", "K\3")),
  FUZZ_PIECE(FUZZ_STORAGE("FloatStorage", "0", "K\6N")),
  FUZZ_PIECE(FUZZ_STORAGE("HalfStorage", "1", "K\x0c(U\1vK\2K\4t")),
  FUZZ_PIECE("(U\7storagectorch.storage\nUntypedStorage\nU\1" "0U\3cpuK\x18tQ"),
  FUZZ_PIECE("U\1w" FUZZ_REBUILD "(" FUZZ_STORAGE("FloatStorage", "0", "K\6") "K\0K\2K\3\x86K\3K\1\x86\x89}tRs"),
  FUZZ_PIECE("ccollections\nOrderedDict\n]U\1w" FUZZ_REBUILD "(" FUZZ_STORAGE("ByteStorage", "0", "K\x18")
             "K\0K\3\x85K\2\x85\x89}tR\x86" "a\x85R"),
  FUZZ_PIECE("U\1v" FUZZ_REBUILD "(" FUZZ_STORAGE("ByteStorage", "1", "K\x18") "K\1K\2K\3\x86K\1K\2\x86\x89}tRs"),
  FUZZ_PIECE("U\1s" FUZZ_REBUILD "(" FUZZ_STORAGE("HalfStorage", "1", "K\x0c") "K\0))\x89}tRs"),
  FUZZ_PIECE("U\1e" FUZZ_REBUILD "(" FUZZ_STORAGE("FloatStorage", "0", "K\6") "K\0K\0\x85K\1\x85\x89}tRs"),
  FUZZ_PIECE("U\1u" "ctorch._utils\n_rebuild_tensor_v3\n((U\7storagectorch.storage\nUntypedStorage\nU\1"
             "1U\3cpuK\x18tQK\0K\3\x85K\1\x85\x89}ctorch\nfloat8_e4m3fn\ntRs"),
  FUZZ_PIECE("U\1p" "ctorch._utils\n_rebuild_parameter\n(" FUZZ_REBUILD "("
             FUZZ_STORAGE("FloatStorage", "0", "K\6") "K\0K\6\x85K\1\x85\x89}tR\x88}tRs"),
};

/* The operand of an instruction at a limit, or a little beside. */
static void fuzz_mutate_operand(fuzz_edit *e, size_t at, size_t size) {
  static const uint64_t limits[] = {0, 1, 2, 6, 8, 12, 24, 127, 128, 255, 256, 0x7fffffff, 0x80000000u, 0xffffffffu,
                                    0x4000000000000000u, 0x7fffffffffffffffu, 0xffffffffffffffffu};
  if (size < 2) return;
  if (size <= 10 && fuzz_below(e, 2)) {
    uint8_t bytes[8];
    const size_t first = e->data[at] == 0x8a && size > 2 ? 2 : 1;
    fuzz_put_number(bytes, FUZZ_PICK(e, limits), 8);
    memcpy(e->data + at + first, bytes, FUZZ_MIN(size - first, (size_t)8));
  } else {
    e->data[at + 1 + fuzz_below(e, size - 1)] += (uint8_t)(fuzz_below(e, 2) ? 1 : fuzz_below(e, 256));
  }
}

/* One change among the instructions from `begin` on, up to and with the STOP number `stops`. */
static void fuzz_mutate_pickle(fuzz_edit *e, size_t begin, size_t stops) {
  static size_t at[FUZZ_OPS + 1];
  const size_t count = fuzz_ops(e, begin, stops, at);
  const size_t i = count ? fuzz_below(e, count) : 0, j = i + 1 + fuzz_below(e, 4);
  const size_t from = count ? at[i] : begin, to = count ? at[FUZZ_MIN(j, count)] : begin;
  const size_t next = count ? at[i + 1] : begin, other = count ? at[fuzz_below(e, count)] : begin;
  const fuzz_piece *piece = &FUZZ_PICK(e, fuzz_pieces);
  if (begin > e->size) return;
  switch (fuzz_below(e, 10)) {
    case 0:
    case 1:
    case 2: fuzz_splice(e, from, 0, piece->bytes, piece->size); break;
    case 3: fuzz_splice(e, from, next - from, piece->bytes, piece->size); break;
    case 4: fuzz_splice(e, from, to - from, "", 0); break;
    case 5: fuzz_splice(e, other, 0, e->data + from, to - from); break;
    case 6:
    case 7: fuzz_mutate_operand(e, from, next - from); break;
    case 8: /* twice as many of everything */
      if (to - from < 64) fuzz_splice(e, to, 0, e->data + from, to - from);
      break;
    default: (void)fuzz_mutate_range(e, begin, e->size); break;
  }
}

#endif
