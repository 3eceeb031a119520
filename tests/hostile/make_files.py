"""Writes the bad and the odd files: one folder for each, named after its rule (the table in tests/README.md), what it
is about, and the verdict that it must get.

    python3 tests/hostile/make_files.py FOLDER      (nothing but Python; prints "good PATH" or "bad PATH" for each)

Made from the rules alone, without the library and without the libraries that usually write such files.
tests/hostile/test_files.sh has build/hfm judge each.
"""
import json
import os
import struct
import sys

OUT = sys.argv[1]


def put(rule, what, verdict, files):
    """`files`: (name, bytes) pairs; the first is judged, the others lie beside it. A size in place of bytes: so many
    zeros, which take no room on the disk."""
    folder = os.path.join(OUT, "%s-%s-%s" % (rule, what, verdict))
    for name, data in files:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            if isinstance(data, int):
                f.truncate(data)
            else:
                f.write(data)
    print(verdict, os.path.join(folder, files[0][0]))


def table(name, make, cases):
    for rule, what, verdict, *arguments in cases:
        put(rule, what, verdict, [(name, make(*arguments))])


# ---- safetensors ----

def entry(dtype, shape, begin, end, more=""):
    return '{"dtype":"%s","shape":%s,"data_offsets":[%s,%s]%s}' % (dtype, json.dumps(shape), begin, end, more)


def header(text, data=b"", size=None):
    text = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def one(dtype, shape, size, begin=0, end=None, data=None):
    return header('{"w":%s}' % entry(dtype, shape, begin, size if end is None else end),
                  bytes(size) if data is None else bytes(data))


def two(a, b, size):
    return header('{"a":%s,"b":%s}' % (entry("U8", [a[1] - a[0]], *a), entry("U8", [b[1] - b[0]], *b)), bytes(size))


def chain(count):
    names = ('"%d":%s' % (i, entry("U8", [1], i, i + 1)) for i in reversed(range(count)))
    return header("{" + ",".join(names) + "}", bytes(count))


DTYPES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1,
          "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "C64": 8, "F64": 8, "I64": 8, "U64": 8}
W = entry("U8", [1], 0, 1)


def safetensors():
    raw = bytes
    table("x.safetensors", raw, [
        ("S1", "empty-file", "bad", b""), ("S1", "seven-bytes", "bad", bytes(7)),
        ("S1", "no-tensors", "good", header("{}")),
        ("S2", "header-of-2-to-the-63", "bad", struct.pack("<Q", 1 << 63) + b"{}"),
        ("S2", "header-of-100000001", "bad", struct.pack("<Q", 100000001) + b"{}"),
        ("S3", "header-beyond-the-file", "bad", header("{}", size=3)),
        ("S3", "header-to-the-last-byte", "good", header("{}   ")),
        ("S3", "header-size-wraps", "bad", header("{}", size=(1 << 64) - 8)),
        ("S4", "list", "bad", header("[]")), ("S4", "not-utf8", "bad", header(b'{"\xff":' + W.encode() + b"}", b"0")),
        ("S4", "utf8-with-bom", "bad", header("\ufeff{}")),
        ("S4", "white-space-around", "good", header(" \n\t\r{} \n")),
        ("S4", "two-objects", "bad", header("{}{}")), ("S4", "header-of-0-bytes", "bad", header("")),
        ("S4", "surrogate-written-as-utf8", "bad", header('{"\ud800":%s}' % W, b"0")),
        ("S5", "metadata-number", "bad", header('{"__metadata__":{"a":1}}')),
        ("S5", "metadata-list", "bad", header('{"__metadata__":[]}')),
        ("S5", "metadata-null", "bad", header('{"__metadata__":null}')),
        ("S5", "metadata-twice", "bad", header('{"__metadata__":{},"__metadata__":{}}')),
        ("S5", "metadata-empty", "good", header('{"__metadata__":{}}')),
        ("S6", "no-dtype", "bad", header('{"w":{"shape":[1],"data_offsets":[0,1]}}', b"0")),
        ("S6", "no-shape", "bad", header('{"w":{"dtype":"U8","data_offsets":[0,1]}}', b"0")),
        ("S6", "no-offsets", "bad", header('{"w":{"dtype":"U8","shape":[1]}}', b"0")),
        ("S6", "dtype-twice", "bad",
         header('{"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"0")),
        ("S6", "unknown-field", "good", header('{"w":%s}' % entry("U8", [1], 0, 1, ',"x":[{}]'), b"0")),
        ("S6", "entry-is-a-number", "bad", header('{"w":5}')),
        ("S7", "lower-case", "bad", one("f32", [1], 4)), ("S7", "with-a-space", "bad", one("F32 ", [1], 4)),
        ("S7", "unknown", "bad", one("F128", [1], 16)), ("S7", "escaped", "good", one("F\\u00332", [1], 4)),
        ("S8", "whole-number-as-float", "bad",
         header('{"w":%s}' % entry("U8", [1], 0, 1).replace("[1]", "[1.0]"), b"0")),
        ("S8", "negative", "bad", one("U8", [-1], 1)),
        ("S8", "minus-0", "bad", one("U8", [0], 0).replace(b"[0]", b"[-0]")),
        ("S8", "text", "bad", one("U8", ["1"], 1)), ("S8", "wraps-to-0", "bad", one("U8", [1 << 32, 1 << 32], 0)),
        ("S8", "wraps-before-0", "bad", one("U8", [1 << 32, 1 << 32, 0], 0)),
        ("S8", "wraps-to-the-right-size", "bad", one("F32", [(1 << 62) + 1], 4)),
        ("S8", "half-a-byte", "bad", one("F4", [3], 2)), ("S8", "two-of-4-bits", "good", one("F4", [2], 1)),
        ("S8", "four-of-6-bits", "good", one("F6_E2M3", [4], 3)),
        ("S8", "nine-dimensions", "bad", one("U8", [1] * 9, 1)),
        ("S8", "eight-dimensions", "good", one("U8", [1] * 8, 1)),
        ("S8", "a-billion-of-none", "good", one("F32", [1 << 30, 0], 0)),
        ("S9", "gap", "bad", two((0, 1), (2, 3), 3)), ("S9", "overlap", "bad", two((0, 2), (1, 3), 3)),
        ("S9", "same-bytes-twice", "bad", two((0, 2), (0, 2), 2)),
        ("S9", "begins-at-1", "bad", one("U8", [1], 2, 1, 2)),
        ("S9", "end-before-begin", "bad", one("U8", [1], 1, 1, 0)), ("S9", "three-offsets", "bad",
         header('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}', b"0")),
        ("S9", "in-any-order", "good", two((2, 3), (0, 2), 3)),
        ("S9", "too-short-for-its-shape", "bad", one("F32", [2], 4)),
        ("S9", "offset-of-2-to-the-64", "bad", one("U8", [1], 1, 1 << 64, (1 << 64) + 1)),
        ("S10", "a-byte-too-many", "bad", one("U8", [2], 2, data=3)),
        ("S10", "a-byte-too-few", "bad", one("U8", [2], 2, data=1)),
        ("S10", "zip-behind-it", "bad", one("U8", [1], 1) + b"PK\5\6" + bytes(18)),
        ("S11", "50000-tensors", "good", chain(50000)),
        ("F4", "truncated-by-half", "bad", one("F32", [1000], 4000)[:2000]),
        ("F7", "name-with-escapes", "bad", header('{"\\u001b[2J\\u202e%%s%%n":%s}' % entry("U8", [2], 0, 1), b"0")),
        ("J4", "nul-in-a-name", "bad", header('{"a\\u0000b":%s}' % W, b"0")),
        ("J5", "name-twice", "bad", header('{"w":%s,"\\u0077":%s}' % (W, W), b"0")),
        ("J6", "exponent", "bad", header('{"w":%s}' % W.replace("[1]", "[1e0]"), b"0")),
        ("J7", "nan-in-a-header", "bad", header('{"w":%s}' % entry("U8", [1], 0, 1, ',"x":NaN'), b"0")),
        ("2.1", "header-of-odd-length", "good", header('{"w":%s} ' % entry("F32", [1], 0, 4), bytes(4))),
        ("2.1", "scalar", "good", one("F64", [], 8)),
        ("2.1", "unicode", "good", header('{"\u91cd\u307f":%s}' % W, b"0"))])
    for dtype, size in DTYPES.items():
        put("S7", dtype, "good", [("x.safetensors", one(dtype, [3], 3 * size))])


# ---- JSON, indexes, configurations ----

def json_files():
    deep = b"[" * 128 + b"]" * 128
    table("x.json", bytes, [
        ("J1", "nothing", "bad", b""), ("J1", "cut", "bad", b'{"a":'), ("J1", "overlong-slash", "bad", b'"\xc0\xaf"'),
        ("J1", "beyond-unicode", "bad", b'"\xf4\x90\x80\x80"'), ("J1", "two-values", "bad", b"1 2"),
        ("J1", "form-feed", "bad", b"\f1"), ("J1", "tab-in-a-string", "bad", b'"\t"'),
        ("J1", "number", "good", b"-0.5e-7"),
        ("J1", "leading-zero", "bad", b"01"), ("J1", "plus", "bad", b"+1"), ("J1", "dot-without-digits", "bad", b"1."),
        ("J2", "128-levels", "good", deep), ("J2", "129-levels", "bad", b"[" + deep + b"]"),
        ("J2", "a-million-levels", "bad", b"[" * 1000000),
        ("J3", "bom", "bad", b"\xef\xbb\xbf{}"), ("J3", "comment", "bad", b"{} // x"), ("J3", "comma", "bad", b"[1,]"),
        ("J3", "nul-behind", "bad", b"{}\0"), ("J3", "single-quotes", "bad", b"{'a':1}"),
        ("J3", "word", "bad", b"True"),
        ("J4", "lone-surrogate", "bad", b'"\\ud800"'), ("J4", "surrogates-swapped", "bad", b'"\\udc00\\ud800"'),
        ("J4", "pair", "good", b'"\\ud83d\\ude00"'), ("J5", "key-twice", "bad", b'{"a":1,"b":2,"\\u0061":3}'),
        ("J5", "keys-that-differ-behind-a-nul", "good", b'{"a\\u0000b":1,"a\\u0000c":2}'),
        ("J6", "a-million-digits", "good", b"9" * 1000000),
        ("J6", "exponent-of-a-million-digits", "good", b"1e" + b"9" * 1000000),
        ("J7", "nan", "bad", b"[NaN]"), ("J7", "infinity", "bad", b"[-Infinity]")])
    table("generation_config.json", bytes, [
        ("J7", "infinity-of-python", "good", b'{"a": [0.0, Infinity]}'), ("J7", "nan-misspelt", "bad", b'{"a": nan}'),
        ("C", "generation-config-is-a-list", "bad", b"[]"),
        ("C3", "temperature-below-0", "bad", b'{"do_sample": true, "temperature": -1.0}'),
        ("C3", "top-p-of-2", "bad", b'{"do_sample": true, "top_p": 2}'),
        ("C3", "temperature-0-of-greedy-search", "good", b'{"temperature": 0.0}'),
        ("C", "top-k-as-text", "bad", b'{"top_k": "50"}'), ("C4", "guidance", "good", b'{"guidance_scale": 1.5}'),
        ("C", "what-whisper-has", "good", b'{"suppress_tokens": [1, 2], "begin_suppress_tokens": [220, 50256], '
                                          b'"max_length": 448, "is_multilingual": true}'),
        ("2.5", "what-llama-has", "good", b'{"_from_model_config": true, "bos_token_id": 1, "eos_token_id": [2, 3], '
                                          b'"do_sample": true, "temperature": 0.6, "top_p": 0.9, '
                                          b'"transformers_version": "4.40.0.dev0"}')])
    put("F3", "config-of-17-MB", "bad", [("config.json", 17 << 20)])
    put("F3", "index-of-65-MB", "bad", [("model.safetensors.index.json", 65 << 20)])


def indexes():
    shard = one("U8", [1], 1)

    def index(name, other="model-1.safetensors", kind="safetensors", shards=(("model-1.safetensors", shard),)):
        text = b'{"metadata":{"total_size":1},"weight_map":{"w":%s}}' % json.dumps(name, ensure_ascii=False).encode()
        return [("model.%s.index.json" % kind, text)] + list(shards)

    for what, name in (("parent", "../model-1.safetensors"), ("parent-inside", "a/../../model-1.safetensors"),
                       ("root", "/model-1.safetensors"), ("drive", "C:model-1.safetensors"),
                       ("backslash", "..\\model-1.safetensors"), ("share", "\\\\h\\s\\model-1.safetensors"),
                       ("empty", ""), ("device", "nul.safetensors"), ("device-with-number", "COM1.x.safetensors"),
                       ("device-inside", "aux/model-1.safetensors"), ("newline", "a\nb.safetensors"),
                       ("nul", "a\0.safetensors"), ("right-to-left", "a\u202e.safetensors"),
                       ("two-thousand-letters", "x" * 2000 + ".safetensors"), ("stream", "model-1.safetensors:x")):
        put("I2", what, "bad", [(f, d) for f, d in index(name)])
    put("I2", "folder-below", "good", index("a/b/m.safetensors", shards=(("a/b/m.safetensors", shard),)))
    put("I3", "bin-in-a-safetensors-index", "bad", index("model-1.bin", shards=(("model-1.bin", shard),)))
    put("I3", "other-letters", "bad", index("model-1.SafeTensors", shards=(("model-1.SafeTensors", shard),)))
    put("I4", "sound", "good", index("model-1.safetensors"))
    put("I4", "no-such-shard", "bad", index("model-2.safetensors"))
    put("I4", "tensor-elsewhere", "bad", index("model-1.safetensors", shards=(("model-1.safetensors", header("{}")),)))
    put("I4", "shard-cut", "bad", index("model-1.safetensors", shards=(("model-1.safetensors", shard[:-1]),)))
    name = "model.safetensors.index.json"
    beside = [("model-1.safetensors", shard)]
    for rule, what, verdict, text in (
            ("I1", "list", "bad", b"[]"), ("I1", "no-map", "bad", b'{"metadata":{}}'),
            ("I1", "map-is-a-list", "bad", b'{"weight_map":["model-1.safetensors"]}'),
            ("I1", "number", "bad", b'{"weight_map":{"w":1}}'), ("I1", "empty-map", "bad", b'{"weight_map":{}}'),
            ("I1", "map-twice", "bad", b'{"weight_map":{"w":"model-1.safetensors"},"weight_map":{}}'),
            ("I5", "size-of-a-float", "good",
             b'{"metadata":{"total_size":1e300},"weight_map":{"w":"model-1.safetensors"}}'),
            ("I5", "metadata-is-text", "good", b'{"metadata":"x","weight_map":{"w":"model-1.safetensors"}}')):
        put(rule, what, verdict, [(name, text)] + beside)


def configs():
    bert = {"model_type": "bert", "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8,
            "num_hidden_layers": 1}
    llama = {"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8,
             "num_hidden_layers": 1, "num_key_value_heads": 1}

    def config(base, **changes):
        value = dict(base)
        value.update(changes)
        return json.dumps({k: v for k, v in value.items() if v != "gone"}).encode()

    for rule, what, verdict, base, changes in (
            ("C1", "sound", "good", bert, {}),
            ("C1", "heads-that-do-not-divide", "bad", bert, {"num_attention_heads": 3}),
            ("C1", "no-heads", "bad", bert, {"num_attention_heads": 0}),
            ("C1", "layers-below-0", "bad", bert, {"num_hidden_layers": -1}),
            ("C1", "size-of-2-to-the-31", "bad", bert, {"hidden_size": 1 << 31}),
            ("C1", "size-as-text", "bad", bert, {"hidden_size": "8"}),
            ("C1", "more-key-heads-than-heads", "bad", llama, {"num_key_value_heads": 4}),
            ("C1", "odd-head", "bad", llama, {"head_dim": 3}),
            ("C2", "a-billion-layers", "bad", bert, {"num_hidden_layers": 10**9}),
            ("C2", "a-billion-positions", "good", llama, {"max_position_embeddings": 10**9}),
            ("C3", "eps-nan", "bad", bert, {"layer_norm_eps": float("nan")}),
            ("C3", "eps-infinite", "bad", bert, {"layer_norm_eps": float("inf")}),
            ("C3", "theta-0", "bad", llama, {"rope_theta": 0}),
            ("C3", "factor-0", "bad", llama, {"rope_scaling": {"type": "linear", "factor": 0}}),
            ("C4", "activation", "bad", bert, {"hidden_act": "gelo"}),
            ("C4", "rope", "bad", llama, {"rope_scaling": {"rope_type": "spiral", "factor": 2.0}}),
            ("C5", "code", "good",
             bert, {"auto_map": {"AutoModel": "evil/repo--x.Evil"}, "_attn_implementation_internal": "evil/kernels"}),
            ("C6", "eos-of-2-to-the-40", "good", llama, {"eos_token_id": 1 << 40}),
            ("2.5", "no-limit", "good",
             llama, {"task_specific_params": None, "max_length": 10**30, "time_step_limit": [0.0, float("inf")]}),
            ("2.5", "letters", "good",
             bert, {"id2label": {"0": "\u00fcber", "1": "\u91cd"}, "rare": {"__float__": "Infinity"}})):
        put(rule, what, verdict, [("config.json", config(base, **changes))])


# ---- pytorch_model.bin: zip ----

def local(name, data, method=0, flags=0, sizes=None, extra=b""):
    size = len(data) if sizes is None else sizes
    return struct.pack("<IHHHIIIIHH", 0x04034b50, 20, flags, method, 0, 0, size, size, len(name), len(extra)) + \
        name + extra + data


def central(name, size, offset, method=0, flags=0, disk=0, extra=b"", packed=None):
    return struct.pack("<IHHHHIIIIHHHHHII", 0x02014b50, 20, 20, flags, method, 0, 0,
                       size if packed is None else packed, size, len(name), len(extra), 0, disk, 0, 0,
                       offset) + name + extra


def end(count, size, offset, comment=b"", disk=0, total=None):
    return struct.pack("<IHHHHIIH", 0x06054b50, disk, disk, count, count if total is None else total, size, offset,
                       len(comment)) + comment


def end64(count, size, offset, at, disk=0):
    return struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 30, 45, disk, disk, count, count, size, offset) + \
        struct.pack("<IIQI", 0x07064b50, disk, at, 1)


def archive(entries, zip64=True, comment=b"", change=None, tail=b""):
    """`change`(i, keywords of central and local) alters a record."""
    body, directory = b"", b""
    for i, (name, data) in enumerate(entries):
        keys = {"name": name, "size": len(data), "offset": len(body), "local": {"name": name, "data": data}}
        if change:
            change(i, keys)
        inside = keys.pop("local")
        body += local(**inside)
        directory += central(**keys)
    at = len(body)
    whole = body + directory
    if zip64:
        whole += end64(len(entries), len(directory), at, len(whole))
    return whole + end(len(entries), len(directory), at, comment) + tail


def tensor(key=b"0", kind=b"FloatStorage", numel=4, offset=0, sizes=(4,), strides=(1,), place=b"cpu"):
    """_rebuild_tensor_v2 of a storage, as torch pickles it."""
    def numbers(values):
        return b"(" + b"".join(b"J" + struct.pack("<i", n) for n in values) + b"t"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n" + kind + b"\nX" +
            struct.pack("<I", len(key)) + key + b"X" + struct.pack("<I", len(place)) + place +
            b"J" + struct.pack("<i", numel) + b"tQJ" +
            struct.pack("<i", offset) + numbers(sizes) + numbers(strides) + b"\x89ccollections\nOrderedDict\n)RtR")


def state(*members, protocol=2):
    text = b"\x80" + bytes([protocol]) + b"}("
    for name, value in members:
        text += b"X" + struct.pack("<I", len(name)) + name + value
    return text + b"u."


GOOD = state((b"w", tensor()))


def torch_zip(pickle=GOOD, storage=bytes(16), more=(), root=b"archive", **options):
    parts = [(root + b"/data.pkl", pickle), (root + b"/byteorder", b"little"), (root + b"/data/0", storage),
             (root + b"/version", b"3\n")]
    return archive(parts + [(root + b"/" + name, data) for name, data in more], **options)


def changed(at, **keys):
    def change(i, record):
        if i == at:
            record.update(keys)
    return {"change": change}


def changed_local(at, **keys):
    def change(i, record):
        if i == at:
            record["local"].update(keys)
    return {"change": change}


def zips():
    good = torch_zip()
    extra64 = struct.pack("<HHQQ", 1, 16, 16, 16)
    table("x.bin", bytes, [
        ("Z1", "no-end-record", "bad", good[:-22]), ("Z1", "comment", "good", torch_zip(comment=b"hello")),
        ("Z1", "comment-of-65535", "good", torch_zip(comment=b"x" * 65535)), ("Z1", "byte-behind", "bad", good + b"\0"),
        ("Z1", "second-archive-behind", "bad", good + good), ("Z2", "without-zip64", "good", torch_zip(zip64=False)),
        ("Z2", "zip64-says-otherwise", "bad", good.replace(struct.pack("<QQ", 4, 4), struct.pack("<QQ", 5, 5))),
        ("Z3", "two-disks", "bad", good[:-18] + struct.pack("<HH", 1, 1) + good[-14:]),
        ("Z3", "entry-on-disk-1", "bad", torch_zip(**changed(2, disk=1))),
        ("Z4", "directory-beyond-the-end", "bad", good[:-6] + struct.pack("<I", 0x7fffffff) + good[-2:]),
        ("Z4", "count-of-65535", "bad",
         torch_zip(zip64=False)[:-14] + struct.pack("<HH", 65534, 65534) + torch_zip(zip64=False)[-10:]),
        ("Z5", "as-torch-writes", "good",
         torch_zip(change=lambda i, r: (r.update(flags=0x808), r["local"].update(flags=0x808, sizes=0)))),
        ("Z6", "other-name-inside", "bad", torch_zip(**changed_local(2, name=b"archive/data/1"))),
        ("Z6", "no-local-header", "bad", torch_zip(**changed(2, offset=3))),
        ("Z6", "padding-in-the-local-header", "good", torch_zip(**changed_local(2, extra=b"FB\4\0ZZZZ"))),
        ("Z7", "compressed", "bad",
         torch_zip(change=lambda i, r: i == 2 and (r.update(method=8), r["local"].update(method=8)))),
        ("Z7", "packed-size-differs", "bad", torch_zip(**changed(2, packed=8))),
        ("Z7", "encrypted", "bad",
         torch_zip(change=lambda i, r: i == 2 and (r.update(flags=1), r["local"].update(flags=1)))),
        ("Z8", "zip64-block", "good", torch_zip(**changed(2, size=0xffffffff, extra=extra64))),
        ("Z8", "zip64-block-too-short", "bad",
         torch_zip(**changed(2, size=0xffffffff, extra=struct.pack("<HHQ", 1, 8, 16)))),
        ("Z8", "zip64-block-absent", "bad", torch_zip(**changed(2, size=0xffffffff))),
        ("Z9", "two-names-for-one-body", "bad",
         torch_zip(more=((b"data/1", b""),), change=lambda i, r: i == 4 and r.update(
            offset=len(local(b"archive/data.pkl", GOOD) + local(b"archive/byteorder", b"little")), size=16))),
        ("Z10", "name-twice", "bad", torch_zip(more=((b"data.pkl", GOOD),))),
        ("Z10", "any-folder", "good", torch_zip(root=b"my model.v1")),
        ("Z10", "no-folder", "bad", archive([(b"data.pkl", GOOD)])), ("Z10", "two-folders", "bad", archive(
            [(b"a/data.pkl", GOOD), (b"b/data/0", bytes(16))])),
            ("Z10", "no-data-pkl", "bad", archive([(b"a/data/0", b"0")])),
        ("Z10", "torchscript", "bad", torch_zip(more=((b"constants.pkl", b"\x80\2)."), (b"code/x.py", b"")))),
        ("Z11", "middle-endian", "bad", torch_zip().replace(b"little", b"middle")),
        ("Z11", "big-endian", "good",
         archive([(b"a/data.pkl", GOOD), (b"a/byteorder", b"big"), (b"a/data/0", bytes(16))])),
        ("Z12", "no-checksums", "good", good),
        ("2.2", "no-version", "good", archive([(b"a/data.pkl", GOOD), (b"a/data/0", bytes(16))])),
        ("2.2", "unknown-records", "good",
         torch_zip(more=((b".format_version", b"1"), (b".data/serialization_id", b"1" * 40)))),
        ("F7", "control-characters-in-a-name", "bad", torch_zip(more=((b"\x1b[2J", b""),)))])


# ---- pytorch_model.bin: pickles ----

def call(module, name, arguments=b")"):
    return b"c" + module + b"\n" + name + b"\n" + arguments + b"R"


def pickles():
    def with_value(value):
        return torch_zip(state((b"w", tensor()), (b"x", value)))

    def as_list(text):
        return torch_zip(b"\x80\2" + text)
    laughs = b"]q\0" + b"".join(b"(h%ch%cl" % (i, i) + b"q" + bytes([i + 1]) for i in range(60))
    table("x.bin", bytes, [
        ("P1", "python-2-text-integer", "bad", with_value(b"I1\n")),
        ("P1", "inst", "bad", with_value(b"(ios\nsystem\n")),
        ("P1", "obj", "bad", with_value(b"(cos\nsystem\no")), ("P1", "ext1", "bad", with_value(b"\x82\1")),
        ("P1", "byte-ff", "bad", with_value(b"\xff")), ("P1", "persid-as-text", "bad", with_value(b"P0\n")),
        ("P1", "bytearray8", "bad", with_value(b"\x96" + bytes(8))), ("P1", "next-buffer", "bad", with_value(b"\x97")),
        ("P2", "call-of-a-storage-class", "bad", with_value(call(b"torch", b"FloatStorage", b"K\4\x85"))),
        ("P2", "call-of-a-dtype", "bad", with_value(call(b"torch", b"float32"))),
        ("P2", "setitem-on-a-list", "bad", with_value(b"]K\1K\2s")),
        ("P2", "append-to-a-dict", "bad", with_value(b"}K\1a")),
        ("P2", "build-on-a-dict", "bad", with_value(b"}}b")),
        ("P2", "reduce-without-a-tuple", "bad", with_value(b"ccollections\nOrderedDict\n]R")),
        ("P3", "empty-stack", "bad", as_list(b".")), ("P3", "no-mark", "bad", as_list(b"t.")),
        ("P3", "below-the-mark", "bad", as_list(b"N(0.")),
        ("P3", "key-without-value", "bad", as_list(b"}(K\1u.")), ("P3", "mark-left", "bad", as_list(b"}(.")),
        ("P4", "slot-of-2-to-the-32", "bad", as_list(b"}r\xff\xff\xff\xff.")),
        ("P4", "unset-slot", "bad", as_list(b"h\7.")),
        ("P4", "300-slots", "good",
         torch_zip(b"\x80\2" + b"".join(b"Nr" + struct.pack("<I", i) + b"0" for i in range(300)) + GOOD[2:])),
        ("P5", "string-of-4-GB", "bad", with_value(b"X\xff\xff\xff\xffx")),
        ("P5", "string-of-2-to-the-63", "bad", with_value(b"\x8d" + bytes(7) + b"\x80")),
        ("P5", "long-below-0", "bad", with_value(b"\x8b\xff\xff\xff\xff")),
        ("P5", "frame-beyond-the-end", "bad", torch_zip(b"\x80\4\x95" + struct.pack("<Q", 1 << 40) + GOOD[2:])),
        ("P5", "global-without-its-end", "bad", as_list(b"cos")),
        ("P6", "a-million-tuples", "good", with_value(b"]" + b"(" + b")" * 1000000 + b"e")),
        ("P7", "sixty-doublings", "good", with_value(laughs)),
        ("P7", "dict-in-itself", "good", with_value(b"}q\1K\1h\1s")),
        ("P8", "no-stop", "bad", torch_zip(GOOD[:-1])), ("P8", "bytes-behind-stop", "bad", torch_zip(GOOD + b"N")),
        ("P8", "second-pickle-behind-stop", "bad", torch_zip(GOOD + b"\x80\2cos\nsystem\n(X\4\0\0\0truetR.")),
        ("P9", "os-system", "bad", with_value(call(b"os", b"system", b"X\4\0\0\0true\x85"))),
        ("P9", "posix-system-by-stack", "bad",
         torch_zip(b"\x80\4}(X\1\0\0\0w" + tensor() + b"X\1\0\0\0x\x8c\5posix\x8c\6system\x93u.")),
        ("P9", "builtins-eval", "bad", with_value(b"c__builtin__\neval\n")),
        ("P9", "dotted-name", "bad", with_value(b"ctorch\nserialization.os.system\n")),
        ("P9", "storage-of-another-module", "bad", torch_zip(state((b"w", tensor(kind=b"serialization.EvilStorage"))))),
        ("P9", "load-from-bytes", "bad", with_value(call(b"torch.storage", b"_load_from_bytes", b"U\0\x85"))),
        ("P9", "pip-main", "bad", with_value(call(b"pip", b"main"))),
        ("P9", "numpy", "bad", with_value(b"cnumpy.core.multiarray\n_reconstruct\n")),
        ("P9", "sparse", "bad", with_value(b"ctorch._utils\n_rebuild_sparse_tensor\n")),
        ("P9", "quantised", "bad", with_value(b"ctorch._utils\n_rebuild_qtensor\n")),
        ("P10", "protocol-1", "bad", torch_zip(b"\x80\1" + GOOD[2:])),
        ("P10", "protocol-6", "bad", torch_zip(b"\x80\6" + GOOD[2:])),
        ("P10", "protocol-5", "good", torch_zip(b"\x80\5" + GOOD[2:])),
        ("P10", "no-protocol", "bad", torch_zip(GOOD[2:])),
        ("P11", "other-tag", "bad", torch_zip(GOOD.replace(b"X\7\0\0\0storage", b"X\6\0\0\0module"))),
        ("P11", "key-of-another-folder", "bad", torch_zip(state((b"w", tensor(key=b"../data.pkl"))))),
        ("P11", "no-such-key", "bad", torch_zip(state((b"w", tensor(key=b"7"))))),
        ("P11", "cuda-7", "good", torch_zip(state((b"w", tensor(place=b"cuda:7"))))),
        ("P12", "storage-too-short", "bad", torch_zip(storage=bytes(15))),
        ("P12", "storage-too-long", "bad", torch_zip(storage=bytes(17))),
        ("P12", "numel-of-a-billion", "bad", torch_zip(state((b"w", tensor(numel=1 << 30, sizes=(1 << 30,)))))),
        ("P12", "a-key-as-a-wider-type", "bad",
         torch_zip(state((b"w", tensor()), (b"x", tensor(kind=b"DoubleStorage"))))),
        ("P12", "numel-below-0", "bad", torch_zip(state((b"w", tensor(numel=-4))))),
        ("P13", "beyond-the-storage", "bad", torch_zip(state((b"w", tensor(offset=1))))),
        ("P13", "stride-beyond", "bad", torch_zip(state((b"w", tensor(sizes=(2, 2), strides=(3, 1)))))),
        ("P13", "offset-below-0", "bad", torch_zip(state((b"w", tensor(offset=-1))))),
        ("P13", "stride-below-0", "bad", torch_zip(state((b"w", tensor(strides=(-1,)))))),
        ("P13", "ranks-differ", "bad", torch_zip(state((b"w", tensor(strides=(1, 1)))))),
        ("P13", "nine-dimensions", "bad", torch_zip(state((b"w", tensor(sizes=(1,) * 9, strides=(1,) * 9))))),
        ("P13", "four-terabytes-of-one-element", "bad",
         torch_zip(state((b"w", tensor(sizes=(1 << 20, 1 << 20), strides=(0, 0)))))),
        ("P13", "transposed", "good", torch_zip(state((b"w", tensor(sizes=(2, 2), strides=(1, 2)))))),
        ("P13", "empty-with-any-stride", "good",
         torch_zip(state((b"w", tensor(sizes=(0, 4), strides=(1 << 30, 1 << 30)))))),
        ("P14", "number", "bad", as_list(b"K\1.")),
        ("P14", "list-of-tensors", "bad", as_list(b"](" + tensor() + b"e.")),
        ("P14", "state-dict-inside", "good", torch_zip(b"\x80\2}X\n\0\0\0state_dict" + GOOD[2:-1] + b"s.")),
        ("P14", "model-inside", "good", torch_zip(b"\x80\2}(X\5\0\0\0epochK\1X\5\0\0\0model" + GOOD[2:-1] + b"u.")),
        ("P14", "module-prefix", "good", torch_zip(state((b"module.w", tensor())))),
        ("2.2", "tied", "good", torch_zip(b"\x80\2}(X\1\0\0\0w" + tensor() + b"q\1X\1\0\0\0vh\1u.")),
        ("2.2", "one-key", "good", torch_zip(b"\x80\2}X\1\0\0\0w" + tensor() + b"s.")),
        ("2.2", "optimizer-beside", "good",
         torch_zip(state((b"w", tensor()), (b"lr", b"G" + bytes(8)),
                          (b"n", b"\x8a\x0a" + bytes(9) + b"\1"), (b"t", b"\x88"), (b"l", b"](K\1Ne")))),
        ("2.3", "protocol-4-as-python-writes", "good",
         torch_zip(b"\x80\4\x95" + struct.pack("<Q", len(GOOD) - 2) + GOOD[2:]))])


# ---- pytorch_model.bin: the legacy stream ----

MAGIC = b"\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."


def legacy(magic=MAGIC, version=b"\x80\2M\xe9\3.", little=b"\x88", view=b"N", keys=(b"0",), numel=4,
           data=bytes(16), tail=b"", pickle=None):
    info = b"\x80\2}(X\20\0\0\0protocol_versionM\xe9\3X\15\0\0\0little_endian" + little + b"u."
    body = (pickle or GOOD).replace(b"J" + struct.pack("<i", 4) + b"tQ", b"J" + struct.pack("<i", 4) + view + b"tQ")
    names = b"\x80\2](" + b"".join(b"X" + struct.pack("<I", len(k)) + k for k in keys) + b"e."
    return magic + version + info + body + names + b"".join(struct.pack("<q", numel) + data for _ in keys) + tail


def legacies():
    tar = bytearray(512)
    tar[:3], tar[257:263] = b"sys", b"ustar\0"
    table("x.bin", bytes, [
        ("L1", "sound", "good", legacy()), ("L1", "magic-only", "bad", MAGIC),
        ("L1", "other-magic", "bad", legacy(MAGIC.replace(b"\x50\x19", b"\x51\x19"))),
        ("L1", "version-1002", "bad", legacy(version=b"\x80\2M\xea\3.")),
        ("L1", "evil-fourth-pickle", "bad", legacy(pickle=b"\x80\2cos\nsystem\n(X\4\0\0\0truetR.")),
        ("L1", "evil-third-pickle", "bad", legacy(little=b"cos\nsystem\n(X\4\0\0\0truetR")),
        ("L2", "big-endian", "bad", legacy(little=b"\x89")),
        ("L3", "key-twice", "bad", legacy(keys=(b"0", b"0"))),
        ("L3", "unused-storage", "bad", legacy(keys=(b"0", b"1"))),
        ("L3", "absent-storage", "bad", legacy(keys=())),
        ("L3", "numel-differs", "bad", legacy(numel=3, data=bytes(12))),
        ("L3", "numel-below-0", "bad", legacy(numel=-1)), ("L3", "a-byte-behind", "bad", legacy(tail=b"\0")),
        ("L3", "a-byte-too-few", "bad", legacy(data=bytes(15))),
        ("L4", "view-inside", "good", legacy(view=b"(X\1\0\0\x001K\0K\4t")),
        ("L4", "view-outside", "bad", legacy(view=b"(X\1\0\0\x001K\3K\4t")),
        ("L5", "module", "bad", legacy(pickle=GOOD.replace(b"X\7\0\0\0storage", b"X\6\0\0\0module"))),
        ("L5", "tar", "bad", bytes(tar) + bytes(1024)),
        ("P14", "plain-pickle", "bad", b"\x80\2}q\0."), ("F7", "web-page", "bad", b"<!DOCTYPE html><html>"),
        ("F7", "lfs-pointer", "bad", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
        ("S1", "nothing", "bad", b"")])


# ---- GGUF ----

def text(value):
    return struct.pack("<Q", len(value)) + value


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def described(name=b"w", dims=(32,), kind=0, offset=0):
    shape = b"".join(struct.pack("<Q", d) for d in dims)
    return text(name) + struct.pack("<I", len(dims)) + shape + struct.pack("<IQ", kind, offset)


def gguf(pairs=(), tensors=(), data=0, magic=b"GGUF", version=3, counts=None, align=32):
    counts = counts or (len(tensors), len(pairs))
    head = magic + struct.pack("<IQQ", version, *counts) + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % align) + bytes(data)


def ggufs():
    f32 = described()
    table("x.gguf", bytes, [
        ("G1", "sound", "good", gguf((pair(b"general.architecture", 8, text(b"llama")),), (f32,), 128)),
        ("G1", "magic", "bad", gguf(magic=b"GGML")),
        ("G1", "version-1", "bad", gguf(version=1)), ("G1", "version-4", "bad", gguf(version=4)),
        ("G1", "version-2", "good", gguf(version=2, data=0)),
        ("G1", "big-endian", "bad", b"GGUF" + struct.pack(">IQQ", 3, 0, 0)),
        ("G2", "a-trillion-tensors", "bad", gguf(counts=(1 << 40, 0))),
        ("G2", "keys-below-0", "bad", gguf(counts=(0, (1 << 64) - 1))),
        ("G3", "string-beyond-the-end", "bad", gguf((pair(b"k", 8, struct.pack("<Q", 1 << 50)),))),
        ("G3", "key-twice", "bad", gguf((pair(b"k", 0, b"1"),) * 2)),
        ("G3", "empty-key", "bad", gguf((pair(b"", 0, b"1"),))),
        ("G3", "name-twice", "bad", gguf((), (f32, described(offset=128)), 256)),
        ("G3", "nul-in-a-name", "bad", gguf((), (described(b"a\0b"),), 128)),
        ("G4", "type-13", "bad", gguf((pair(b"k", 13, b"1"),))),
        ("G4", "list-of-lists", "bad", gguf((pair(b"k", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 0, 0)),))),
        ("G4", "list-of-2-to-the-61", "bad", gguf((pair(b"k", 9, struct.pack("<IQ", 10, 1 << 61)),))),
        ("G4", "empty-list", "good", gguf((pair(b"k", 9, struct.pack("<IQ", 8, 0)),))),
        ("G5", "alignment-0", "bad", gguf((pair(b"general.alignment", 4, struct.pack("<I", 0)),))),
        ("G5", "alignment-24", "bad", gguf((pair(b"general.alignment", 4, struct.pack("<I", 24)),))),
        ("G5", "alignment-as-text", "bad", gguf((pair(b"general.alignment", 8, text(b"32")),))),
        ("G5", "alignment-64", "good",
         gguf((pair(b"general.alignment", 4, struct.pack("<I", 64)),), (f32,), 128, align=64)),
        ("G6", "five-dimensions", "bad", gguf((), (described(dims=(1,) * 5),), 32)),
        ("G6", "wraps-to-0", "bad", gguf((), (described(dims=(1 << 32, 1 << 32)),), 32)),
        ("G6", "below-0", "bad", gguf((), (described(dims=((1 << 64) - 1,)),), 32)),
        ("G6", "removed-type", "bad", gguf((), (described(kind=4),), 64)),
        ("G6", "unknown-type", "bad", gguf((), (described(kind=99),), 64)),
        ("G6", "half-a-block", "bad", gguf((), (described(dims=(16,), kind=2),), 32)),
        ("G6", "q4-0", "good", gguf((), (described(dims=(64, 2), kind=2),), 72)),
        ("G6", "bf16", "good", gguf((), (described(kind=30),), 64)),
        ("G7", "gap", "bad", gguf((), (f32, described(b"v", offset=256)), 512)),
        ("G7", "overlap", "bad", gguf((), (f32, described(b"v", offset=0)), 256)),
        ("G7", "beyond-the-end", "bad", gguf((), (f32,), 127)),
        ("G7", "unaligned", "bad", gguf((), (f32, described(b"v", offset=129)), 512))])


# ---- What is no file ----

def others():
    for kind, name in (("F1", "x.safetensors"), ("F1", "x.bin"), ("F1", "config.json"), ("F1", "x.gguf")):
        for what, make in (("fifo", os.mkfifo), ("endless-device", lambda p: os.symlink("/dev/zero", p)),
                           ("loop", lambda p: os.symlink(os.path.basename(p), p)),
                           ("link-to-nothing", lambda p: os.symlink("gone", p))):
            folder = os.path.join(OUT, "%s-%s-%s-bad" % (kind, what, name.replace(".", "-")))
            os.makedirs(folder)
            path = os.path.join(folder, name)
            make(path)
            print("bad", path)
    folder = os.path.join(OUT, "I6-link-to-a-blob-good")
    os.makedirs(os.path.join(folder, "snapshot"))
    with open(os.path.join(folder, "blob"), "wb") as f:
        f.write(one("U8", [1], 1))
    os.symlink("../blob", os.path.join(folder, "snapshot/model.safetensors"))
    print("good", os.path.join(folder, "snapshot/model.safetensors"))
    large = one("U8", [5 << 30], 0, 0, 5 << 30)
    path = os.path.join(OUT, "F2-five-gigabytes-in-one-tensor-good/x.safetensors")
    os.makedirs(os.path.dirname(path))
    try:
        with open(path, "wb") as f:
            f.write(large)
            f.truncate(len(large) + (5 << 30))
        print("good", path)
        put("F2", "five-gigabytes-of-zeros", "bad", [("x.bin", 5 << 30)])
    except OSError:  # a file system without such files
        pass


for write in (safetensors, json_files, indexes, configs, zips, pickles, legacies, ggufs, others):
    write()
