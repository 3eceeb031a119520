/* The pickle in a pytorch_model.bin: every rule of the machine (P), in a good archive. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "torch_judge.h"
#include <time.h>

/* P1: instructions that state dicts don't need. P10: protocols 2 to 5. */
static void test_instructions(void) {
  static const uint8_t refused[] = {'P', 'i', 'o', 'I', 'L', 'F', 'S', 'V', 'p', 'g', '2', 0x82, 0x83, 0x84, 0x91, 0x92,
                                    0x96, 0x97, 0x98, 0x00, 0xff};
  static const pickle_case cases[] = {
      {"protocol 0", PICKLE("(dp0\n."), HFM_E_PICKLE_OPCODE},
      {"protocol 1", PICKLE("\x80\1}."), HFM_E_PICKLE_OPCODE},
      {"protocol 6", PICKLE("\x80\6}."), HFM_E_PICKLE_OPCODE},
      {"protocol 5", PICKLE("\x80\5}."), HFM_E_NONE},
      {"empty dict", PICKLE("\x80\2}."), HFM_E_NONE},
  };
  for (size_t i = 0; i < sizeof refused; i++) {
    char pickle[] = "\x80\2}X.";
    hfm_error error;
    pickle[3] = (char)refused[i];
    CHECK_INT(judge_pickle(pickle, 5, &error), HFM_E_PICKLE_OPCODE);
  }
  check_pickles(cases, HFM__COUNT(cases));
}

/* P9: only exact pairs of the list; the error names the global. */
static void test_globals(void) {
  static const char *const refused[] = {
      "os\nsystem", "posix\nsystem", "builtins\neval", "__builtin__\neval", "builtins\ngetattr", "torch\nload",
      "torch.storage\n_load_from_bytes", "torch._utils\n_rebuild_qtensor", "torch._utils\n_rebuild_sparse_tensor",
      "torch._utils\n_rebuild_wrapper_subclass", "torch._tensor\n_rebuild_from_type_v2", "numpy\ndtype",
      "numpy.core.multiarray\nscalar", "collections\nOrderedDict.fromkeys", "torch\nEvilFloatStorage",
      "torch.FloatStorage\n", "\ntorch.FloatStorage", "torch \nFloatStorage", "TORCH\nFloatStorage",
      "torch.cuda\nStorage",
      "collections\nOrderedDic", "collections\nOrderedDictx"};
  hfm_error error;
  for (size_t i = 0; i < HFM__COUNT(refused); i++) {
    char pickle[128];
    hfm__text t = hfm__text_to(pickle, sizeof pickle);
    hfm__text_format(&t, "\x80\2" "c%s\n)R.", refused[i]);
    if (!CHECK_INT(judge_pickle(pickle, t.length, &error), HFM_E_PICKLE_GLOBAL)) printf("    %s\n", refused[i]);
  }
  CHECK_INT(judge_pickle(PICKLE("\x80\2cos\nsystem\nX\2\0\0\0ls\x85R."), &error), HFM_E_PICKLE_GLOBAL);
  CHECK_CONTAINS(error.message, "global 'os' 'system' is not allowed");
  CHECK_INT(error.code, HFM_ERROR_UNSUPPORTED);
  CHECK_INT(judge_pickle(PICKLE("\x80\4\x8c\2os\x8c\6system\x93."), &error), HFM_E_PICKLE_GLOBAL);
}

/* P2: every value has a type. */
static void test_types(void) {
  static const pickle_case cases[] = {
      {"a class is no function", PICKLE("\x80\2ctorch\nFloatStorage\nK\4\x85R."), HFM_E_PICKLE_TYPE},
      {"a dtype is no function", PICKLE("\x80\2ctorch\nfloat32\n)R."), HFM_E_PICKLE_TYPE},
      {"a string is no function", PICKLE("\x80\2U\1x)R."), HFM_E_PICKLE_TYPE},
      {"arguments are a tuple", PICKLE("\x80\2" "ccollections\nOrderedDict\n]R."), HFM_E_PICKLE_TYPE},
      {"OrderedDict of an int", PICKLE("\x80\2" "ccollections\nOrderedDict\nK\1\x85R."), HFM_E_PICKLE_TYPE},
      {"SETITEM on a list", PICKLE("\x80\2]K\1K\2s."), HFM_E_PICKLE_TYPE},
      {"SETITEMS on a tuple", PICKLE("\x80\2)(K\1K\2u."), HFM_E_PICKLE_TYPE},
      {"APPEND on a dict", PICKLE("\x80\2}K\1a."), HFM_E_PICKLE_TYPE},
      {"APPENDS on a tuple", PICKLE("\x80\2)(K\1e."), HFM_E_PICKLE_TYPE},
      {"ADDITEMS on a list", PICKLE("\x80\2](K\1\x90."), HFM_E_PICKLE_TYPE},
      {"BUILD on a dict", PICKLE("\x80\2}}b."), HFM_E_PICKLE_TYPE},
      {"BUILD on a storage class", PICKLE("\x80\2ctorch\nFloatStorage\n}b."), HFM_E_PICKLE_TYPE},
      {"NEWOBJ of a storage", PICKLE("\x80\2ctorch\nFloatStorage\n)\x81."), HFM_E_PICKLE_TYPE},
      {"NEWOBJ with arguments", PICKLE("\x80\2" "ccollections\nOrderedDict\nK\1\x85\x81."), HFM_E_PICKLE_TYPE},
      {"NEWOBJ without a tuple", PICKLE("\x80\2" "ccollections\nOrderedDict\n]\x81."), HFM_E_PICKLE_TYPE},
      {"STACK_GLOBAL of numbers", PICKLE("\x80\4K\1K\2\x93."), HFM_E_PICKLE_TYPE},
      {"a parameter of no tensor", PICKLE("\x80\2" "ctorch._utils\n_rebuild_parameter\nK\1\x89}\x87R."),
       HFM_E_PICKLE_TENSOR},
      {"NEWOBJ of an OrderedDict", PICKLE("\x80\2" "ccollections\nOrderedDict\n)\x81."), HFM_E_NONE},
      {"BUILD on an OrderedDict", PICKLE("\x80\2" "ccollections\nOrderedDict\n)R}b."), HFM_E_NONE},
      {"OrderedDict of pairs", PICKLE("\x80\2" "ccollections\nOrderedDict\n]](U\1aK\1ea\x85R."), HFM_E_NONE},
      {"a set", PICKLE("\x80\4}\x8c\1s\x8f(K\1\x90s."), HFM_E_NONE},
      {"opaque calls", PICKLE("\x80\2}U\1ac__builtin__\nset\n]\x85RsU\1bctorch\ndevice\nU\3cpu\x85Rs."), HFM_E_NONE},
  };
  check_pickles(cases, HFM__COUNT(cases));
}

/* P3: nothing below the mark, nothing from an empty stack; pairs are pairs. */
static void test_stack(void) {
  static const pickle_case cases[] = {
      {"STOP on nothing", PICKLE("\x80\2."), HFM_E_PICKLE_STACK},
      {"STOP on two", PICKLE("\x80\2}}."), HFM_E_PICKLE_STACK},
      {"STOP below a mark", PICKLE("\x80\2}(."), HFM_E_PICKLE_STACK},
      {"POP of nothing", PICKLE("\x80\2" "0."), HFM_E_PICKLE_STACK},
      {"POP_MARK without a mark", PICKLE("\x80\2" "1."), HFM_E_PICKLE_STACK},
      {"TUPLE without a mark", PICKLE("\x80\2t."), HFM_E_PICKLE_STACK},
      {"TUPLE2 below the mark", PICKLE("\x80\2K\1(K\2\x86."), HFM_E_PICKLE_STACK},
      {"APPEND below the mark", PICKLE("\x80\2](K\2a."), HFM_E_PICKLE_STACK},
      {"APPENDS on nothing", PICKLE("\x80\2(K\2e."), HFM_E_PICKLE_STACK},
      {"SETITEMS on nothing", PICKLE("\x80\2(K\1K\2u."), HFM_E_PICKLE_STACK},
      {"SETITEMS across a mark", PICKLE("\x80\2}((K\1K\2u."), HFM_E_PICKLE_STACK},
      {"SETITEMS of one", PICKLE("\x80\2}(K\1u."), HFM_E_PICKLE_STACK},
      {"DICT of one", PICKLE("\x80\2(K\1d."), HFM_E_PICKLE_STACK},
      {"SETITEM of one", PICKLE("\x80\2}K\1s."), HFM_E_PICKLE_STACK},
      {"REDUCE of one", PICKLE("\x80\2)R."), HFM_E_PICKLE_STACK},
      {"BINPUT of nothing", PICKLE("\x80\2q\0."), HFM_E_PICKLE_STACK},
      {"BINPUT at a mark", PICKLE("\x80\2}(q\0."), HFM_E_PICKLE_STACK},
      {"BUILD of one", PICKLE("\x80\2}b."), HFM_E_PICKLE_STACK},
      {"BINPERSID of nothing", PICKLE("\x80\2Q."), HFM_E_PICKLE_STACK},
      {"POP of a mark", PICKLE("\x80\2}(0."), HFM_E_NONE},
      {"POP_MARK", PICKLE("\x80\2}(K\1K\2" "1."), HFM_E_NONE},
      {"DICT", PICKLE("\x80\2(K\1K\2d."), HFM_E_NONE},
      {"LIST in a dict", PICKLE("\x80\2}U\1a(K\1K\2ls."), HFM_E_NONE},
  };
  check_pickles(cases, HFM__COUNT(cases));
}

/* P4: unset slots, and slots that no stream of this size has: nothing is allocated for them. */
static void test_memo(void) {
  static const pickle_case cases[] = {
      {"LONG_BINPUT 2^32-1", PICKLE("\x80\2}r\xff\xff\xff\xff."), HFM_E_PICKLE_MEMO},
      {"BINGET unset", PICKLE("\x80\2h\0."), HFM_E_PICKLE_MEMO},
      {"BINGET unset", PICKLE("\x80\2}q\0h\1."), HFM_E_PICKLE_MEMO},
      {"LONG_BINGET far away", PICKLE("\x80\2j\xff\xff\xff\xff."), HFM_E_PICKLE_MEMO},
      {"BINGET", PICKLE("\x80\2}q\1" "0h\1."), HFM_E_NONE},
      {"MEMOIZE", PICKLE("\x80\4}\x94" "0h\0."), HFM_E_NONE},
  };
  check_pickles(cases, HFM__COUNT(cases));
}

/* P5: lengths beyond the stream. P8: STOP at the end, and nowhere else. */
static void test_lengths(void) {
  static const pickle_case cases[] = {
      {"BINUNICODE 4 GB", PICKLE("\x80\2X\xff\xff\xff\xff."), HFM_E_PICKLE_TRUNCATED},
      {"BINSTRING negative", PICKLE("\x80\2T\0\0\0\x80."), HFM_E_PICKLE_TRUNCATED},
      {"BINUNICODE8 2^64-1", PICKLE("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), HFM_E_PICKLE_TRUNCATED},
      {"BINBYTES8 2^63", PICKLE("\x80\4\x8e\0\0\0\0\0\0\0\x80."), HFM_E_PICKLE_TRUNCATED},
      {"LONG4 negative", PICKLE("\x80\2\x8b\xff\xff\xff\xff."), HFM_E_PICKLE_TRUNCATED},
      {"LONG1", PICKLE("\x80\2\x8a\x09."), HFM_E_PICKLE_TRUNCATED},
      {"SHORT_BINUNICODE", PICKLE("\x80\4\x8c\xff."), HFM_E_PICKLE_TRUNCATED},
      {"FRAME beyond the end", PICKLE("\x80\4\x95\xff\0\0\0\0\0\0\0}."), HFM_E_PICKLE_TRUNCATED},
      {"half an instruction", PICKLE("\x80\2J\1\2"), HFM_E_PICKLE_TRUNCATED},
      {"GLOBAL without an end", PICKLE("\x80\2" "ccollections"), HFM_E_PICKLE_TRUNCATED},
      {"GLOBAL without a name", PICKLE("\x80\2" "ccollections\nOrd"), HFM_E_PICKLE_TRUNCATED},
      {"no STOP", PICKLE("\x80\2}"), HFM_E_PICKLE_TRUNCATED},
      {"nothing", PICKLE(""), HFM_E_PICKLE_OPCODE},
      {"bytes after STOP", PICKLE("\x80\2}.}"), HFM_E_PICKLE_RESULT},
      {"FRAME", PICKLE("\x80\4\x95\2\0\0\0\0\0\0\0}."), HFM_E_NONE},
  };
  check_pickles(cases, HFM__COUNT(cases));
}

/* P7: sharing and cycles cost nothing: 60 doublings stay 60 tuples. P6: neither does a list that many calls share. */
static void test_sharing(void) {
  char pickle[4096];
  hfm_error error;
  size_t n = 0;
  memcpy(pickle, "\x80\2}U\1x]q\0", 9);
  n = 9;
  for (int i = 0; i < 60; i++) {
    memcpy(pickle + n, "0h\0h\0\x86q\0", 8); /* the last one, twice, in a tuple */
    pickle[n + 2] = pickle[n + 4] = (char)i;
    pickle[n + 7] = (char)(i + 1);
    n += 8;
  }
  memcpy(pickle + n, "s.", 2);
  n += 2;
  CHECK_INT(judge_pickle(pickle, n, &error), HFM_E_NONE);
  CHECK_INT(judge_pickle(PICKLE("\x80\2}q\0U\1xh\0s."), &error), HFM_E_NONE);
  CHECK_INT(judge_pickle(PICKLE("\x80\2}U\1x]q\0h\0as."), &error), HFM_E_NONE);
  { /* 20,000 OrderedDicts of one list of 20,000: 4 * 10^8 cells if each were copied */
    enum { MANY = 20000 };
    static char stream[MANY * 8];
    failing_alloc memory;
    size_t at = 37;
    memcpy(stream, "\x80\2}q\0" "ccollections\nOrderedDict\nq\1" "0]q\2(", 37);
    memset(stream + at, 'N', MANY);
    at += MANY;
    memcpy(stream + at, "e\x85q\3" "0", 5);
    at += 5;
    for (int i = 0; i < MANY; i++) {
      memcpy(stream + at, "h\1h\3R0", 6);
      at += 6;
    }
    stream[at++] = '.';
    failing_alloc_begin(&memory, -1);
    CHECK_INT(judge_large(stream, at, &memory, &error), HFM_E_NONE);
    CHECK(memory.peak_bytes < (int64_t)(64 * at));
    CHECK(failing_alloc_clean(&memory));
  }
}

/* P11: the persistent id. P13: sizes and strides inside the storage, checked in every step. P14: the result. */
static void test_tensors(void) {
#define OK_ID OF("ByteStorage", "\1" "0", "K\4")
#define V3(dtype) V3_ARGS(UNTYPED("K\4"), "K\0K\2\x85K\1\x85", dtype)
  static const pickle_case cases[] = {
      {"good", PICKLE(ARGS(OK_ID, "K\0", "K\2K\2\x86", "K\2K\1\x86")), HFM_E_NONE},
      {"another tag", PICKLE(ARGS(ID("U\6modulectorch\nByteStorage\nU\1" "0U\3cpuK\4"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"class is a string", PICKLE(ARGS(ID("U\7storageU\1xU\1" "0U\3cpuK\4"), "K\0", ")", ")")), HFM_E_PICKLE_TYPE},
      {"class is a function",
       PICKLE(ARGS(ID("U\7storage" "ccollections\nOrderedDict\nU\1" "0U\3cpuK\4"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"key is a number", PICKLE(ARGS(ID("U\7storagectorch\nByteStorage\nK\0U\3cpuK\4"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"numel is negative", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "J\xff\xff\xff\xff"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"numel is a long", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "\x8a\x09" "123456789"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"four elements", PICKLE(ARGS(OF("ByteStorage", "\1" "0", ""), "K\0", ")", ")")), HFM_E_PICKLE_TYPE},
      {"a bad view", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4K\1"), "K\0", ")", ")")), HFM_E_PICKLE_TYPE},
      {"numel overflows", PICKLE(ARGS(OF("LongStorage", "\1" "0", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"),
                                      "K\0", ")", ")")), HFM_E_PICKLE_TENSOR},
      {"numel too large", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\5"), "K\0", ")", ")")), HFM_E_TORCH_ENTRY},
      {"wider dtype", PICKLE(ARGS(OF("LongStorage", "\1" "0", "K\4"), "K\0", ")", ")")), HFM_E_TORCH_ENTRY},
      {"no such key", PICKLE(ARGS(OF("ByteStorage", "\1" "9", "K\4"), "K\0", ")", ")")), HFM_E_TORCH_ENTRY},
      {"key with ..", PICKLE(ARGS(ID("U\7storagectorch\nByteStorage\nU\012../version" "U\3cpuK\2"), "K\0", ")", ")")),
       HFM_E_TORCH_ENTRY},
      {"key with NUL", PICKLE(ARGS(ID("U\7storagectorch\nByteStorage\nU\3" "0\0xU\3cpuK\4"), "K\0", ")", ")")),
       HFM_E_TORCH_ENTRY},
      {"rank differs", PICKLE(ARGS(OK_ID, "K\0", "K\2K\2\x86", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"size is a list", PICKLE(ARGS(OK_ID, "K\0", "]", ")")), HFM_E_PICKLE_TENSOR},
      {"negative size", PICKLE(ARGS(OK_ID, "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"negative stride", PICKLE(ARGS(OK_ID, "K\3", "K\4\x85", "J\xff\xff\xff\xff\x85")), HFM_E_PICKLE_TENSOR},
      {"negative offset", PICKLE(ARGS(OK_ID, "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"offset at the end", PICKLE(ARGS(OK_ID, "K\4", ")", ")")), HFM_E_PICKLE_TENSOR},
      {"last element", PICKLE(ARGS(OK_ID, "K\3", ")", ")")), HFM_E_NONE},
      {"one beyond", PICKLE(ARGS(OK_ID, "K\1", "K\4\x85", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"stride beyond", PICKLE(ARGS(OK_ID, "K\0", "K\2\x85", "K\4\x85")), HFM_E_PICKLE_TENSOR},
      {"stride wraps", PICKLE(ARGS(OK_ID, "K\0", "K\5\x85", "\x8a\x08\0\0\0\0\0\0\0\x40\x85")), HFM_E_PICKLE_TENSOR},
      {"empty", PICKLE(ARGS(OK_ID, "K\4", "K\0\x85", "K\1\x85")), HFM_E_NONE},
      {"empty beyond", PICKLE(ARGS(OK_ID, "K\5", "K\0\x85", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"4 TB of one byte", PICKLE(ARGS(OK_ID, "K\0", "\x8a\x06\0\0\0\0\0\4\x85", "K\0\x85")), HFM_E_NEW_WEIGHTS_LIMIT},
      {"2^64 of one byte", PICKLE(ARGS(OK_ID, "K\0", "\x8a\x08\0\0\0\0\0\0\0\x40K\4\x86", "K\0K\0\x86")),
       HFM_E_PICKLE_TENSOR},
      {"rank 9", PICKLE(ARGS(OK_ID, "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t")),
       HFM_E_PICKLE_TENSOR},
      {"too few arguments", PICKLE("\x80\2}U\1w" REBUILD "(" OK_ID "K\0))\x89tRs."), HFM_E_PICKLE_TYPE},
      {"complex128", PICKLE(ARGS(OF("ComplexDoubleStorage", "\1" "0", "K\0"), "K\0", "K\0\x85", "K\1\x85")),
       HFM_E_WEIGHT_DTYPE},
      {"untyped without a dtype", PICKLE(ARGS(UNTYPED("K\4"), "K\0", ")", ")")),
       HFM_E_PICKLE_TENSOR},
      {"v3", PICKLE(V3("bfloat16")), HFM_E_NONE},
      {"v3 beyond", PICKLE(V3("float32")), HFM_E_PICKLE_TENSOR},
      {"v3 of float4", PICKLE(V3("float4_e2m1fn_x2")), HFM_E_WEIGHT_DTYPE},
      {"v3 of a class", PICKLE(V3("FloatStorage")), HFM_E_PICKLE_TENSOR},
      {"P11: a view", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4U\1vK\1K\2\x87"), "K\0", "K\2\x85", "K\1\x85")),
       HFM_E_PICKLE_TYPE},
      {"P11: no view", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4N"), "K\0", "K\4\x85", "K\1\x85")),
       HFM_E_PICKLE_TYPE},
      {"P11: a view of bytes", PICKLE(V3_ARGS(UNTYPED("K\4U\1vK\4K\0\x87"), "K\0K\1\x85K\1\x85", "float32")),
       HFM_E_PICKLE_TYPE},
      {"four arguments", PICKLE("\x80\2}U\1wctorch._utils\n_rebuild_tensor\n(" OK_ID "K\0K\4\x85K\1\x85tRs."),
       HFM_E_NONE},
      {"a list", PICKLE("\x80\2]."), HFM_E_PICKLE_RESULT},
      {"a number for a name", PICKLE("\x80\2}K\1" REBUILD "(" OK_ID "K\0))\x89}tRs."), HFM_E_PICKLE_RESULT},
      {"a NUL in a name", PICKLE("\x80\2}U\3a\0b" REBUILD "(" OK_ID "K\0))\x89}tRs."), HFM_E_PICKLE_RESULT},
      {"no UTF-8", PICKLE("\x80\2}U\1\xff" REBUILD "(" OK_ID "K\0))\x89}tRs."), HFM_E_PICKLE_RESULT},
      {"wrapped", PICKLE("\x80\2}U\5modelU\1wN\x86" "0}U\1w" REBUILD "(" OK_ID "K\0))\x89}tRs."), HFM_E_PICKLE_STACK},
  };
#undef OK_ID
#undef V3
  check_pickles(cases, HFM__COUNT(cases));
}

/* Names of the tensors that a pickle's archive holds, with commas; the error where it is refused. */
static const char *names_of(const char *pickle, size_t size) {
  static char names[256];
  static archive a;
  hfm__text t = hfm__text_to(names, sizeof names);
  source s;
  hfm__checkpoint ckpt;
  hfm_error error;
  make_archive(&a, pickle, size, 1);
  if (open_bytes("x.bin", a.bytes, a.size, 0, NULL, &s, &ckpt, &error) != HFM_E_NONE) {
    hfm__text_str(&t, error.message);
    return names;
  }
  for (size_t i = 0; i < ckpt.count; i++) hfm__text_format(&t, "%s%s", i ? "," : "", ckpt.tensors[i].name);
  hfm__checkpoint_close(&ckpt);
  return names;
}

/* Of members of one name the last counts; what was put into a list after a dict was made of it does not. P14: a dict of
   tensors under a wrapper's name is the state dict. */
static void test_members(void) {
#define W REBUILD "(" OF("ByteStorage", "\1" "0", "K\4") "K\0K\4\x85K\1\x85\x89}tR"
#define ORDERED "ccollections\nOrderedDict\n"
#define NAMES(text) names_of(text, sizeof(text) - 1)
  CHECK_STR(NAMES("\x80\2}(U\1w" W "U\1wNu."), "");
  CHECK_STR(NAMES("\x80\2}(U\1wNU\1w" W "u."), "w");
  CHECK_STR(NAMES("\x80\2}(U\1w" W "U\1vNU\1x" W "u."), "w,x");
  CHECK_STR(NAMES("\x80\2" ORDERED "](U\1a" W "\x86U\1b" W "\x86U\1aN\x86" "e\x85R."), "b");
  CHECK_STR(NAMES("\x80\2]q\0(U\1a" W "\x86" "e0" ORDERED "h\0\x85Rq\1" "0h\0U\1b" W "\x86" "a0h\1."), "a");
  CHECK_STR(NAMES("\x80\2}(U\5model}U\1w" W "sU\4best" W "u."), "w");
  CHECK_STR(NAMES("\x80\2}(U\5model}U\1w" W "sU\5modelNU\4best" W "u."), "best");
  CHECK_STR(NAMES("\x80\2}(U\5model" W "U\4best" W "u."), "best,model");
  CHECK_STR(NAMES("\x80\2}(U\5model}U\1w" W "sU\12state_dict}U\1s" W "su."), "s");
#undef W
#undef ORDERED
#undef NAMES
}

/* Thousands of wrappers, each a dict that must be looked at to the end: once is enough. */
static void test_many_wrappers(void) {
  enum { MANY = 60000 };
  const size_t size = 16 + MANY * 8;
  char *pickle = (char *)malloc(size);
  size_t n = 0;
  const clock_t start = clock();
  hfm_error error;
  if (!CHECK(pickle != NULL)) return;
  memcpy(pickle, "\x80\2}q\0(", 6); /* the root, then ("model", d) with one d of MANY numbers */
  memcpy(pickle + 6, "U\5modelq\1}q\2(", 13);
  n = 19;
  for (int i = 0; i < MANY; i++, n += 2) memcpy(pickle + n, "NN", 2);
  pickle[n++] = 'u';
  for (int i = 0; i < MANY; i++, n += 4) memcpy(pickle + n, "h\1h\2", 4);
  memcpy(pickle + n, "u.", 2);
  n += 2;
  CHECK(n <= size);
  CHECK_INT(judge_large(pickle, n, NULL, &error), HFM_E_NONE);
  CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 5);
  free(pickle);
}

int main(void) {
  TEST(test_instructions);
  TEST(test_globals);
  TEST(test_types);
  TEST(test_stack);
  TEST(test_memo);
  TEST(test_lengths);
  TEST(test_sharing);
  TEST(test_tensors);
  TEST(test_members);
  TEST(test_many_wrappers);
  return check_report("test_torch_pickle");
}
