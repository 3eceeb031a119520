/* What real files have and must be read (2.1 to 2.5 of the rules in tests/README.md), and rules that hold for every
   format: data at any alignment (F5), no recursion on what a file says (F8). */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "torch_judge.h"

/* ---- 2.1 safetensors ---- */

static int32_t judge_safetensors(const char *header, size_t header_size, size_t data, hfm_error *error) {
  uint8_t file[4096];
  hfm_memory_file list;
  hfm__memory_files files;
  hfm_options options;
  memset(file, 0xff, sizeof file); /* NaN, where it is a float */
  for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)header_size >> 8 * i);
  memcpy(file + 8, header, header_size);
  list.name = "x.safetensors";
  list.data = file;
  list.size = 8 + header_size + data;
  files.files = &list;
  files.count = 1;
  memset(&options, 0, sizeof options);
  options.io = hfm__memory_io(&files);
  return hfm_check_file("x.safetensors", &options, error) == HFM_OK ? (int32_t)HFM_E_NONE : error->item;
}

/* 2.1: what writers of safetensors do. */
static void test_safetensors_quirks(void) {
#define T(dtype, shape, begin, end)                                                                                    \
  "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"
  static const struct {
    const char *what, *header;
    size_t data;
  } cases[] = {
      {"empty metadata", "{\"__metadata__\":{}}", 0},
      {"metadata last", "{\"a\":" T("U8", "[1]", 0, 1) ",\"__metadata__\":{\"a\":\"b\"}}", 1},
      {"metadata between", "{\"a\":" T("U8", "[1]", 0, 1) ",\"__metadata__\":{},\"b\":" T("U8", "[1]", 1, 2) "}", 2},
      {"padding behind", "{\"a\":" T("U8", "[1]", 0, 1) "}     ", 1},
      {"padding of every kind", "\n\t \r{\"a\":" T("U8", "[1]", 0, 1) "}\r\n\t ", 1},
      {"length not a multiple of 8, data not aligned", "{\"a\":" T("F32", "[3]", 0, 12) "}", 12},
      {"keys in another order than data", "{\"b\":" T("U8", "[1]", 1, 2) ",\"a\":" T("U8", "[1]", 0, 1) "}", 2},
      {"members in another order", "{\"a\":{\"data_offsets\":[0,1],\"shape\":[1],\"dtype\":\"U8\"}}", 1},
      {"a scalar", "{\"a\":" T("F32", "[]", 0, 4) "}", 4},
      {"no elements", "{\"a\":" T("F32", "[0]", 0, 0) ",\"b\":" T("F32", "[2,0,3]", 0, 0) "}", 0},
      {"no tensors", "{}", 0},
      {"rank 8", "{\"a\":" T("U8", "[1,1,1,1,1,1,1,1]", 0, 1) "}", 1},
      {"names of any language", "{\"\xe5\xb1\x82.\xd0\xb2\xd0\xb5\xd1\x81.\xf0\x9f\x98\x80\":" T("U8", "[1]", 0, 1) "}",
       1},
      {"an empty name", "{\"\":" T("U8", "[1]", 0, 1) "}", 1},
      {"escapes in names", "{\"a\\n\\u00e9\\ud83d\\ude00\":" T("U8", "[1]", 0, 1) "}", 1},
      {"pretty-printed",
       "{\n  \"a\": {\n    \"dtype\": \"U8\",\n    \"shape\": [\n      1\n    ],\n    "
       "\"data_offsets\": [0, 1]\n  }\n}\n",
       1},
      {"dtypes that nothing runs", "{\"a\":" T("C64", "[1]", 0, 8) ",\"b\":" T("F4", "[2]", 8, 9) "}", 9},
      {"a tied name on record",
       "{\"__metadata__\":{\"lm_head.weight\":\"wte.weight\"},\"wte.weight\":" T("F16", "[1]", 0, 2) "}", 2},
      {"other members", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"strides\":[1]}}", 1},
  };
#undef T
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    hfm_error error;
    if (!CHECK_INT(judge_safetensors(cases[i].header, strlen(cases[i].header), cases[i].data, &error), HFM_E_NONE))
      printf("    %s: %s\n", cases[i].what, error.message);
  }
}

/* F5: whatever its alignment, a tensor gives the same bits. (UBSan and the machines that trap check that no float is
   read where it does not lie.) */
static void test_alignment(void) {
  static const int64_t ids[3] = {5, 3, 7};
  hfm__context ctx;
  hfm_error error;
  char *config = NULL, *weights = NULL;
  size_t config_size, weights_size;
  float first[4] = {0, 0, 0, 0};
  CHECK_INT(hfm__context_init(NULL, &ctx, &error), HFM_OK);
  if (!CHECK_INT(hfm__file_load(&ctx, "tests/models/bert_base/config.json", 1 << 20, &config, &config_size, &error),
                 HFM_OK) ||
      !CHECK_INT(
          hfm__file_load(&ctx, "tests/models/bert_base/model.safetensors", 1 << 20, &weights, &weights_size, &error),
          HFM_OK))
    return;
  for (uint64_t shift = 0; shift < 9; shift++) {
    const uint64_t header = hfm__le64((const uint8_t *)weights);
    uint8_t *file = (uint8_t *)malloc(weights_size + 16);
    hfm_memory_file list[2];
    hfm_model *model = NULL;
    hfm_session *session = NULL;
    hfm_inputs in;
    hfm_outputs out;
    if (!CHECK(file != NULL)) break;
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)((header + shift) >> 8 * i);
    memcpy(file + 8, weights + 8, (size_t)header);
    memset(file + 8 + header, ' ', (size_t)shift);
    memcpy(file + 8 + header + shift, weights + 8 + header, weights_size - 8 - (size_t)header);
    list[0].name = "config.json";
    list[0].data = config;
    list[0].size = config_size;
    list[1].name = "model.safetensors";
    list[1].data = file;
    list[1].size = weights_size + shift;
    memset(&in, 0, sizeof in);
    in.input_ids = hfm_tensor_i64(ids, 1, 3);
    if (CHECK_INT(hfm_from_memory(list, 2, NULL, &model, &error), HFM_OK) &&
        CHECK_INT(hfm_session_create(model, NULL, &session, &error), HFM_OK) &&
        CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK)) {
      if (shift == 0) memcpy(first, out.last_hidden_state.data, sizeof first);
      CHECK(memcmp(first, out.last_hidden_state.data, sizeof first) == 0);
    }
    hfm_session_free(session);
    hfm_model_free(model);
    free(file);
  }
  hfm__free(&ctx.mem, config, (uint64_t)config_size + 1);
  hfm__free(&ctx.mem, weights, (uint64_t)weights_size + 1);
}

/* ---- 2.2 and 2.3: .bin ---- */

#define OK_ID OF("ByteStorage", "\1" "0", "K\4")
#define ALL "K\0K\4\x85K\1\x85"
#define W REBUILD "(" OK_ID ALL "\x89}tR"

/* 2.2: how state dicts are written; the files of test_torch_bin.c have the rest, as torch itself writes it. */
static void test_bin_quirks(void) {
  static const pickle_case cases[] = {
      {"a plain dict", PICKLE("\x80\2}U\1w" W "s."), HFM_E_NONE},
      {"OrderedDict with _metadata",
       PICKLE("\x80\2"
              "ccollections\nOrderedDict\n)R(U\1w" W "u}U\11_metadata}sb."),
       HFM_E_NONE},
      {"tied through the memo", PICKLE("\x80\2}(U\1v" W "q\1U\1wh\1u."), HFM_E_NONE},
      {"cuda:7",
       PICKLE("\x80\2}U\1w" REBUILD "(" ID("U\7storagectorch\nByteStorage\nU\1"
                                           "0U\6cuda:7K\4") ALL "\x89}tRs."),
       HFM_E_NONE},
      {"torch.cuda classes",
       PICKLE("\x80\2}U\1w" REBUILD "(" ID("U\7storagectorch.cuda\nByteStorage\nU\1"
                                           "0U\3cpuK\4") ALL "\x89}tRs."),
       HFM_E_NONE},
      {"a parameter",
       PICKLE("\x80\2}U\1w"
              "ctorch._utils\n_rebuild_parameter\n" W "\x88}\x87Rs."),
       HFM_E_NONE},
      {"a parameter with a state",
       PICKLE("\x80\2}U\1w"
              "ctorch._utils\n_rebuild_parameter_with_state\n(" W "\x88}}tRs."),
       HFM_E_NONE},
      {"numbers, None, lists beside it",
       PICKLE("\x80\2}(U\1eK\3U\1fG\x3f\xe0\0\0\0\0\0\0U\1nNU\1l](K\1Ne"
              "U\1b\x8a\1\x7fU\1w" W "u."),
       HFM_E_NONE},
      {"keys of Python 2", PICKLE("\x80\2}T\1\0\0\0w" W "s."), HFM_E_NONE},
      {"protocol 3", PICKLE("\x80\3}X\1\0\0\0w" W "s."), HFM_E_NONE},
      {"protocol 4", PICKLE("\x80\4\x95\4\0\0\0\0\0\0\0}\x94\x8c\1w" W "s."), HFM_E_NONE},
      {"expanded", PICKLE("\x80\2}U\1w" REBUILD "(" OK_ID "K\1K\3K\4\x86K\1K\0\x86\x89}tRs."), HFM_E_NONE},
      {"P12: the same key as another dtype",
       PICKLE("\x80\2}(U\1v" W "U\1w" REBUILD "(" OF("ShortStorage",
                                                     "\1"
                                                     "0",
                                                     "K\4") ALL "\x89}tRu."),
       HFM_E_TORCH_ENTRY},
      {"P12: the same key, of another length",
       PICKLE("\x80\2}(U\1v" W "U\1w" REBUILD "(" OF("ByteStorage",
                                                     "\1"
                                                     "0",
                                                     "K\3") "K\0K\3\x85K\1\x85\x89}tRu."),
       HFM_E_TORCH_ENTRY},
      {"P12: half as many, twice as wide",
       PICKLE("\x80\2}U\1w" REBUILD "(" OF("ShortStorage",
                                           "\1"
                                           "0",
                                           "K\2") "K\0K\2\x85K\1\x85\x89}tRs."),
       HFM_E_NONE},
  };
  check_pickles(cases, HFM__COUNT(cases));
}

/* 2.3: the instructions, all 256 of them: these 48 and STOP are known, nothing else is. */
static void test_all_instructions(void) {
  static const uint8_t known[] = {
      0x80, 0x95, '(',  '0',  '1',  'q',  'r',  'h',  'j',  0x94, 'N',  0x88, 0x89, 'J',  'K',  'M',
      0x8a, 0x8b, 'G',  'X',  0x8c, 0x8d, 'U',  'T',  'C',  'B',  0x8e, ')',  0x85, 0x86, 0x87, 't',
      ']',  'a',  'e',  'l',  '}',  's',  'u',  'd',  0x8f, 0x90, 'c',  0x93, 'R',  'b',  0x81, 'Q'};
  CHECK_INT(sizeof known, 48);
  for (int code = 0; code < 256; code++) {
    char pickle[] = "\x80\2}(X................";
    hfm_error error;
    int32_t item;
    pickle[4] = (char)code;
    item = judge_pickle(pickle, sizeof pickle - 1, &error);
    if (code == '.') CHECK_INT(item, HFM_E_PICKLE_STACK);
    else if (memchr(known, code, sizeof known)) CHECK(item != HFM_E_PICKLE_OPCODE || code == 0x80);
    else CHECK_INT(item, HFM_E_PICKLE_OPCODE);
    if (item == HFM_E_PICKLE_OPCODE && code != 0x80) CHECK_CONTAINS(error.message, "is not allowed");
  }
}

/* 2.4: the globals, each by its exact name: functions can be called, values can't. What makes nothing that a tensor
   needs takes the arguments that Python would take. */
static void test_all_globals(void) {
  static const char *const storages[] = {"Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte",
                                         "Bool", "ComplexFloat", "ComplexDouble"};
  static const char *const others[] = {"torch.storage\nUntypedStorage", "torch.storage\n_UntypedStorage",
                                       "torch.storage\nTypedStorage"};
  static const char *const dtypes[] = {"float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
                                       "float8_e8m0fnu", "float4_e2m1fn_x2", "uint16", "uint32", "uint64", "float32",
                                       "float16", "bfloat16", "float64", "int8", "int16", "int32", "int64", "uint8",
                                       "bool"};
  static const pickle_case calls[] = {
      {"torch.Size", PICKLE("\x80\2}U\1actorch\nSize\nK\1K\2\x86\x85Rs."), HFM_E_NONE},
      {"torch.Size of two", PICKLE("\x80\2}U\1actorch\nSize\nK\1K\2\x86Rs."), HFM_E_PICKLE_TYPE},
      {"torch.Size of a list", PICKLE("\x80\2}U\1actorch\nSize\n]\x85Rs."), HFM_E_PICKLE_TYPE},
      {"torch.Size of nothing", PICKLE("\x80\2}U\1actorch\nSize\n)Rs."), HFM_E_PICKLE_TYPE},
      {"torch.device", PICKLE("\x80\2}U\1actorch\ndevice\nU\3cpu\x85Rs."), HFM_E_NONE},
      {"torch.device with an index", PICKLE("\x80\2}U\1actorch\ndevice\nU\4cudaK\1\x86Rs."), HFM_E_NONE},
      {"torch.device of a list", PICKLE("\x80\2}U\1actorch\ndevice\n]\x85Rs."), HFM_E_PICKLE_TYPE},
      {"torch.device of a number", PICKLE("\x80\2}U\1actorch\ndevice\nK\1\x85Rs."), HFM_E_PICKLE_TYPE},
      {"torch.device of three", PICKLE("\x80\2}U\1actorch\ndevice\nU\1xK\1K\1\x87Rs."), HFM_E_PICKLE_TYPE},
      {"_codecs.encode", PICKLE("\x80\2}U\1a" "c_codecs\nencode\nU\1xU\6latin1\x86Rs."), HFM_E_NONE},
      {"_codecs.encode of a number", PICKLE("\x80\2}U\1a" "c_codecs\nencode\nK\1U\6latin1\x86Rs."), HFM_E_PICKLE_TYPE},
      {"set", PICKLE("\x80\2}U\1a" "c__builtin__\nset\n](K\1K\2e\x85Rs."), HFM_E_NONE},
      {"set of nothing", PICKLE("\x80\2}U\1a" "cbuiltins\nset\n)Rs."), HFM_E_NONE},
      {"set of a number", PICKLE("\x80\2}U\1a" "cbuiltins\nset\nK\1\x85Rs."), HFM_E_PICKLE_TYPE},
      {"NEWOBJ of a set", PICKLE("\x80\2}U\1a" "cbuiltins\nset\n)\x81s."), HFM_E_NONE},
      {"NEWOBJ of torch.Size", PICKLE("\x80\2}U\1actorch\nSize\n)\x85\x81s."), HFM_E_PICKLE_TYPE},
      {"v1", PICKLE("\x80\2}U\1wctorch._utils\n_rebuild_tensor\n(" OK_ID ALL "tRs."), HFM_E_NONE},
      {"v1 with more", PICKLE("\x80\2}U\1wctorch._utils\n_rebuild_tensor\n(" OK_ID ALL "\x89}tRs."), HFM_E_PICKLE_TYPE},
      {"v2 with metadata", PICKLE("\x80\2}U\1w" REBUILD "(" OK_ID ALL "\x89}}tRs."), HFM_E_NONE},
      {"v2 with more", PICKLE("\x80\2}U\1w" REBUILD "(" OK_ID ALL "\x89}}}tRs."), HFM_E_PICKLE_TYPE},
      {"v3", PICKLE("\x80\2}U\1wctorch._utils\n_rebuild_tensor_v3\n(" UNTYPED("K\4") ALL "\x89}ctorch\nuint8\n}tRs."),
       HFM_E_NONE},
      {"v3 without a dtype", PICKLE("\x80\2}U\1wctorch._utils\n_rebuild_tensor_v3\n(" UNTYPED("K\4") ALL "\x89}tRs."),
       HFM_E_PICKLE_TYPE},
      {"a parameter of two", PICKLE("\x80\2}U\1w" "ctorch._utils\n_rebuild_parameter\n" W "\x88\x86Rs."),
       HFM_E_PICKLE_TENSOR},
  };
  const size_t count = HFM__COUNT(storages) * 2 + HFM__COUNT(others) + HFM__COUNT(dtypes);
  check_pickles(calls, HFM__COUNT(calls));
  CHECK_INT(count + 11, HFM__COUNT(hfm__pickle_globals)); /* and the functions above: nothing else is on the list */
  for (size_t i = 0; i < count; i++) {
    char pickle[128];
    hfm_error error;
    for (int called = 0; called < 2; called++) {
      hfm__text t = hfm__text_to(pickle, sizeof pickle);
      size_t k = i;
      hfm__text_str(&t, "\x80\2}U\1ac");
      if (k < HFM__COUNT(storages) * 2) {
        hfm__text_format(&t, "torch%s\n%sStorage\n", k % 2 ? ".cuda" : "", storages[k / 2]);
      } else if ((k -= HFM__COUNT(storages) * 2) < HFM__COUNT(others)) {
        hfm__text_format(&t, "%s\n", others[k]);
      } else {
        hfm__text_format(&t, "torch\n%s\n", dtypes[k - HFM__COUNT(others)]);
      }
      hfm__text_str(&t, called ? ")Rs." : "s.");
      if (!CHECK_INT(judge_pickle(pickle, t.length, &error), called ? HFM_E_PICKLE_TYPE : HFM_E_NONE))
        printf("    %s\n", error.message);
    }
  }
}
#undef OK_ID
#undef ALL
#undef W

/* F8: depth costs memory, never the stack: a million tuples in each other, and a dict that holds itself. */
static void test_depth(void) {
  enum { DEEP = 1000000 };
  char *pickle = (char *)malloc(DEEP + 16);
  hfm_error error;
  if (!CHECK(pickle != NULL)) return;
  memcpy(pickle, "\x80\2}U\1a)", 7);
  memset(pickle + 7, 0x85, DEEP);
  memcpy(pickle + 7 + DEEP, "s.", 2);
  CHECK_INT(judge_large(pickle, DEEP + 9, NULL, &error), HFM_E_NONE);
  memset(pickle + 3, '(', DEEP); /* a million marks */
  CHECK_INT(judge_large(pickle, DEEP, NULL, &error), HFM_E_PICKLE_TRUNCATED);
  free(pickle);
}

/* ---- 2.5 config.json ---- */

/* 2.5: what real configurations hold. */
static void test_config_quirks(void) {
  static const char *const cases[][3] = {
      {"tests/models/llama_base", "time_step_limit", "[0.0, Infinity]"},
      {"tests/models/llama_base", "time_step_limit", "[NaN, -Infinity]"},
      {"tests/models/llama_base", "model_max_length", "1000000000000000019884624838656"},
      {"tests/models/llama_base", "head_dim", "null"},
      {"tests/models/llama_base", "rope_scaling", "null"},
      {"tests/models/llama_base", "pad_token_id", "null"},
      {"tests/models/llama_base", "attention_bias", "null"},
      {"tests/models/llama_base", "mlp_bias", "null"},
      {"tests/models/llama_base", "eos_token_id", "[1, 2, 3]"},
      {"tests/models/llama_base", "eos_token_id", "2"},
      {"tests/models/llama_base", "torch_dtype", "\"float32\""},
      {"tests/models/llama_base", "dtype", "\"float32\""},
      {"tests/models/llama_base", "text_config", "{\"hidden_size\": 5}"},
      {"tests/models/llama_base", "rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 10000}"},
      {"tests/models/llama_base", "rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 10000.0}"},
      {"tests/models/llama_base", "rope_scaling", "{\"type\": \"linear\", \"factor\": 2}"},
      {"tests/models/llama_base", "rope_scaling", "{\"rope_type\": \"linear\", \"factor\": 2.0}"},
      {"tests/models/llama_base", "some_key_of_tomorrow", "{\"x\": [null, true]}"},
      {"tests/models/llama_base", "_name_or_path", "\"\xe6\xa8\xa1\xe5\x9e\x8b \\ud83d\\ude00\""},
  };
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    hfm_options options;
    hfm_config *config = NULL;
    hfm_model *model = NULL;
    hfm_error error;
    memset(&options, 0, sizeof options);
    if (!CHECK_INT(hfm_config_from_pretrained(cases[i][0], NULL, &config, &error), HFM_OK)) continue;
    CHECK_INT(hfm_config_remove(config, "num_key_value_heads", &error), HFM_OK); /* missing: as many as heads */
    CHECK_INT(hfm_config_set_json(config, cases[i][1], cases[i][2], &error), HFM_OK);
    options.config = config;
    options.ignore_mismatched_sizes = 1;
    if (!CHECK_INT(hfm_from_pretrained(cases[i][0], &options, &model, &error), HFM_OK))
      printf("    %s = %s: %s\n", cases[i][1], cases[i][2], error.message);
    hfm_model_free(model);
    hfm_config_free(config);
  }
}

int main(void) {
  TEST(test_safetensors_quirks);
  TEST(test_alignment);
  TEST(test_bin_quirks);
  TEST(test_all_instructions);
  TEST(test_all_globals);
  TEST(test_depth);
  TEST(test_config_quirks);
  return check_report("test_quirks");
}
