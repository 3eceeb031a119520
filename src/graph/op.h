/* ==== graph/op (private): the op list ==========================================================================
   An op is one row: X(name, fewest inputs, most inputs, outputs). cpu/ (and later cuda/ and export/) each expand the
   same list into their own table; nothing else switches on op kinds. HFM__FOR_...: only in builds that need it
   (base/cuts.h). Values are f32 unless said otherwise; `ids` are
   i64. "rows" of a tensor are all its dimensions but the last, flattened.

   Compute:
     linear      x [..., K], weight [N, K] or (transposed) [K, N], bias [N]?, residual [..., N]?  -> [..., N]
                 activation(x W^T + bias) + residual; weight in its storage dtype
     embedding   ids [...], table [V, D] -> [..., D]: row id + attrs.first_row of the table
     layer_norm  x [..., D], weight [D]?, bias [D]?   (x - mean) / sqrt(var + epsilon) * weight + bias
     rms_norm    x [..., D], weight [D]               x / sqrt(mean(x^2) + epsilon) * (weight + offset)
     unary       x -> activation(x)
     add, mul    a, b -> numpy broadcasting
     attention   q [B, S, H, D], k and v [B, T, KV, D], keep [B, T] u8 or segment [B, T] i64?, bias [B or 1, H or 1,
                 S or 1, T]? -> context [B, S, H, D], probabilities [B, H, S, T] (only where they are used). A score is
                 scale * q k^T, with `softcap` > 0 softcap * tanh(that / softcap), plus the bias. Key j is seen by query
                 i if keep[j] (or if their segments are equal; T = S then), and with `causal` j <= i + T - S, and with
                 `window` > 0 also j > i + T - S - window (and, where not causal, j < i + T - S + window).
     rotary      x [B, S, H, D], angles [B or 1, S, 2, R/2] (cosines, then sines) -> [B, S, H, D]; halves rotated
     conv2d      x [B, C, H, W], weight [O, C, KH, KW], bias [O]? -> [B, OH, OW, O] (channels last)
     rope_angles positions i64 [B or 1, S], frequencies [R/2] -> [B or 1, S, 2, R/2], times attrs.scale
     sinusoids   positions i64 [B or 1, S], frequencies [D/2] -> [B or 1, S, D]: sines, then cosines, then 0 where D is
                 odd, each as attrs.rounded holds it; all zeros where the position is attrs.pad
     top_k       x [..., N] -> probabilities [..., K], i64 [..., K]: the K largest of softmax(x), attrs.count of them,
                 largest first (of equals the one that comes first), and where they are; with attrs.normalized divided
                 by their sum
     experts     x [..., K] or [..., S, K], chosen i64 [..., S], weights [E, N, K] -> [..., S, N]: each row of x times
                 the weights of the S experts that were chosen for it; the others' are not touched. `weights` is a table
                 of addresses: attrs.parts for each expert, each of N / parts rows
     weighted_sum  x [..., S, N], weights [..., S] -> [..., N]: the sum over S, each row times its weight
     rope_frequencies  positions i64, frequencies [R/2], long frequencies [R/2]? -> frequencies [R/2]: the long ones
                 where the largest position reaches beyond the original length; without them "dynamic" NTK scaling
   Indices:
     iota        -> i64 [1, S]: dims[0], dims[0] + 1, ...
     padded_positions  ids [B, S] -> i64 [B, S]: dims[0] + cumulative count of ids != pad, plus pad; pad where
                 id == pad
     kept_positions  keep [B, T] u8 -> i64 [B, T]: how many are kept before; attrs.pad where it is not kept
     alibi       positions i64 [B or 1, T] -> [B or 1, H, 1, T]: times the slope of each head (slopes, positions and
                 products as attrs.rounded holds them), times attrs.scale
     relative_bias  table [buckets, H] -> [1, H, S, T]: of the bucket of key j's distance from query dims[0] + i. Half
                 of the buckets are for single distances, half for ever wider ranges up to `window`; without `causal`
                 half of all are for keys that follow
     last_token  ids [B, S] -> i64 [B]: the rightmost position whose id != pad, or with `equal` == pad; 0 if there is
                 none
     shift_right ids [B, S] -> i64 [B, S]: each id one place later; first comes attrs.pad, or with `wrapped` the last id
                 of as many as are not attrs.pad: where padding is on the right, the last that is none
     segments    positions i64 [B or 1, S] -> i64 [B or 1, S]: how often they did not just go on by 1, so far
     gather_rows x [B, S, D], index i64 [B] -> [B, D]
   Movement:
     append      state [B, T, H, D], x [B, S, H, D] -> the state, whose last S positions are now x, kept as attention
                 takes keys or (transposed) values
     copy        x (any strides, any float dtype) -> contiguous f32
     concat      a, b -> joined along attrs.axis
   Views (no work; the result aliases its first input):
     reshape, slice, expand */

#define HFM__OP_LIST(X) \
  X(linear, 2, 4, 1) \
  X(embedding, 2, 2, 1) \
  X(layer_norm, 1, 3, 1) \
  HFM__FOR_RMS_NORM(X(rms_norm, 2, 2, 1)) \
  X(unary, 1, 1, 1) \
  X(add, 2, 2, 1) \
  HFM__FOR_MUL(X(mul, 2, 2, 1)) \
  X(attention, 3, 5, 2) \
  HFM__FOR_ROPE(X(rotary, 2, 2, 1)) \
  HFM__FOR_IMAGES(X(conv2d, 2, 3, 1)) \
  HFM__FOR_ROPE(X(rope_angles, 2, 2, 1)) \
  HFM__FOR_SINUSOIDS(X(sinusoids, 2, 2, 1)) \
  HFM__FOR_EXPERTS(X(top_k, 1, 1, 2)) \
  HFM__FOR_EXPERTS(X(experts, 3, 3, 1)) \
  HFM__FOR_EXPERTS(X(weighted_sum, 2, 2, 1)) \
  HFM__FOR_ROPE(X(rope_frequencies, 2, 3, 1)) \
  X(iota, 0, 0, 1) \
  HFM__FOR_PADDED_POSITIONS(X(padded_positions, 1, 1, 1)) \
  HFM__FOR_MASK_POSITIONS(X(kept_positions, 1, 1, 1)) \
  HFM__FOR_ALIBI(X(alibi, 1, 1, 1)) \
  HFM__FOR_RELATIVE_BIAS(X(relative_bias, 1, 1, 1)) \
  HFM__FOR_ROWS(X(last_token, 1, 1, 1)) \
  HFM__FOR_SEQ2SEQ(X(shift_right, 1, 1, 1)) \
  HFM__FOR_DECODERS(X(segments, 1, 1, 1)) \
  HFM__FOR_ROWS(X(gather_rows, 2, 2, 1)) \
  HFM__FOR_STATES(X(append, 2, 2, 1)) \
  X(copy, 1, 1, 1) \
  HFM__FOR_IMAGES(X(concat, 2, 2, 1))

#define HFM__VIEW_LIST(X) \
  X(reshape) \
  X(slice) \
  X(expand)

#define HFM__OP_ENUM(name, fewest, most, outputs) HFM__OP_##name,
#define HFM__VIEW_ENUM(name) HFM__VIEW_##name,
enum {
  HFM__OP_LIST(HFM__OP_ENUM) HFM__OP_COUNT,
  HFM__VIEW_FIRST = HFM__OP_COUNT - 1,
  HFM__VIEW_LIST(HFM__VIEW_ENUM) HFM__OP_END
};
#undef HFM__OP_ENUM
#undef HFM__VIEW_ENUM

enum { HFM__MAX_OP_INPUTS = 5, HFM__MAX_OP_OUTPUTS = 2, HFM__MAX_GROUP = 4 };

/* Activations by their names in configurations: X(name, the one that kernels know it as, torch class as printed, and
   what is printed in its parentheses). */
#define HFM__ACTIVATION_LIST(X) \
  X(gelu, gelu, "GELUActivation", "") \
  X(gelu_10, gelu_10, "ClippedGELUActivation", "") \
  X(gelu_accurate, gelu_tanh, "AccurateGELUActivation", "") \
  X(gelu_fast, gelu_tanh, "FastGELUActivation", "") \
  X(gelu_new, gelu_tanh, "NewGELUActivation", "") \
  X(gelu_python, gelu, "GELUActivation", "") \
  X(gelu_python_tanh, gelu_tanh, "GELUTanh", "") \
  X(gelu_pytorch_tanh, gelu_tanh, "GELUTanh", "") \
  X(hardswish, hardswish, "Hardswish", "") \
  X(laplace, laplace, "LaplaceActivation", "") \
  X(leaky_relu, leaky_relu, "LeakyReLU", "negative_slope=0.01") \
  X(linear, none, "LinearActivation", "") \
  X(mish, mish, "MishActivation", "") \
  X(quick_gelu, quick_gelu, "QuickGELUActivation", "") \
  X(relu, relu, "ReLU", "") \
  X(relu2, relu2, "ReLUSquaredActivation", "") \
  X(relu6, relu6, "ReLU6", "") \
  X(sigmoid, sigmoid, "Sigmoid", "") \
  X(silu, silu, "SiLUActivation", "") \
  X(sqrtsoftplus, sqrtsoftplus, "SqrtSoftplusActivation", "") \
  X(swish, silu, "SiLU", "") \
  X(tanh, tanh, "Tanh", "")

#define HFM__ACTIVATION_ENUM(name, kernel, torch, repr) HFM__ACTIVATION_##name,
enum { HFM__ACTIVATION_LIST(HFM__ACTIVATION_ENUM) HFM__ACTIVATION_COUNT };
#undef HFM__ACTIVATION_ENUM

/* Those that kernels compute; "none" gives what it gets. */
#define HFM__KERNEL_ACTIVATION_LIST(X) \
  X(none) X(gelu) X(gelu_10) X(gelu_tanh) X(hardswish) X(laplace) X(leaky_relu) X(mish) X(quick_gelu) X(relu) X(relu2) \
  X(relu6) X(sigmoid) X(silu) X(sqrtsoftplus) X(tanh)

#define HFM__ACT_ENUM(name) HFM__ACT_##name,
enum { HFM__KERNEL_ACTIVATION_LIST(HFM__ACT_ENUM) HFM__ACT_COUNT };
#undef HFM__ACT_ENUM

/* What an op knows besides its inputs. Each op reads the fields that its row names. */
typedef struct hfm__attrs {
  int32_t activation;                /* linear, unary: HFM__ACT_..., that of a kernel */
  int32_t transposed;                /* linear: weight is [K, N] (Conv1D); append: values rather than keys */
  int32_t causal;                    /* attention, relative_bias */
  int32_t implementation;            /* attention: HFM_ATTN_EAGER, _SDPA or _FLASH_ATTENTION_2 */
  int32_t axis;                      /* concat, slice */
  int32_t pad;                       /* padded_positions, last_token, shift_right with `wrapped`: the padding id;
                                        kept_positions, sinusoids: its position; with `equal`, and of shift_right: an
                                        id */
  int32_t equal;                     /* last_token */
  int32_t wrapped;                   /* shift_right */
  int32_t stride[2];                 /* conv2d: vertical, horizontal */
  int32_t padding[2];                /* conv2d: on both sides of each axis */
  int32_t first_row;                 /* embedding: the row of id 0 */
  hfm_dtype rounded;                 /* alibi, sinusoids: whose precision values have; 0: float32's */
  int32_t count, normalized;         /* top_k */
  int32_t parts;                     /* experts: addresses for each */
  int64_t window;                    /* attention: 0 is unlimited; relative_bias: the distance of the last bucket */
  float epsilon;                     /* layer_norm, rms_norm */
  float offset;                      /* rms_norm: what the weight is told from, 0 or 1 */
  float scale;                       /* attention: of the scores; rope_angles: of cosines and sines; alibi */
  float softcap;                     /* attention: the bound that scores approach; 0: none */
  double parameter[4];               /* rope_frequencies: base, factor, dimension, original length */
} hfm__attrs;

/* ---- What an op's implementation sees when it runs ---- */

struct hfm__weight; /* weights/weight.h */

/* States lie in pages of so many positions: a multiple of every tier's panel. */
enum { HFM__PAGE = 64 };

/* A tensor at run time. Strides are in elements; the innermost dimension of every f32 operand is contiguous.
   A state has `pages`: row b's i-th page is the pages[b * stride[0] + i]-th of those at `data`; a page has stride[1]
   elements, one head of it stride[2] (cpu/ops_cache.c). */
typedef struct hfm__operand {
  void *data; /* NULL: this optional input is absent, or nobody uses this output */
  hfm_dtype dtype;
  int32_t rank;
  int64_t shape[HFM_MAX_RANK];
  int64_t stride[HFM_MAX_RANK];
  struct hfm__weight *weight; /* the parameter behind it, for kept panels; NULL for activations */
  const int32_t *pages;       /* of a state, else NULL */
  int64_t first;              /* of a state: the position that comes first in it; those before have left the window */
} hfm__operand;

/* One thread's share of a session. */
typedef struct hfm__worker {
  int32_t stride;   /* from one of its chunks to the one that it is likely to take next; 0: to the next one */
  uint8_t *scratch; /* at least what the op's scratch() asked for, 64-byte aligned; contents persist between chunks */
  uint64_t node;    /* the serial of the node whose chunk was the last to run here */
  uint64_t tag;     /* what scratch holds, for an op that reuses it from chunk to chunk; 0 after another node's chunk */
} hfm__worker;

struct hfm__cpu; /* cpu/cpu.h: kernel table and policy */

typedef struct hfm__op_args {
  const struct hfm__cpu *cpu;
  const hfm__attrs *attrs;
  const int64_t *dims; /* values of the node's dimension attributes */
  uint64_t serial;     /* unique for (forward, node): for tags */
  int32_t one_row[2];  /* how all chunks multiply one row by a weight, of f32 or of 16 bits: HFM__ROW_... */
  hfm__operand in[HFM__MAX_OP_INPUTS];
  hfm__operand out[HFM__MAX_OP_OUTPUTS];
} hfm__op_args;

/* An op on a device. Chunks are independent, about 0.1 ms each, fixed by the shapes alone; chunk c computes the same
   bits whoever runs it. */
typedef struct hfm__op_impl {
  int64_t (*chunks)(const hfm__op_args *a);
  void (*run)(const hfm__op_args *a, int64_t chunk, hfm__worker *worker);
  uint64_t (*scratch)(const hfm__op_args *a); /* bytes for each worker; monotonic in every dimension */
} hfm__op_impl;

HFM__PRIVATE int64_t hfm__elements(const int64_t *shape, int32_t rank) {
  int64_t n = 1;
  int32_t i;
  for (i = 0; i < rank; i++) n *= shape[i];
  return n;
}
