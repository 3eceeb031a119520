"""Writes tests/hostile/gguf/: small files of the real gguf.GGUFWriter, and beside each, as text, what the real
GGUFReader finds in it, which is what tests/unit/test_gguf.c compares them with.

    python tests/hostile/make_gguf.py          (gguf 0.19.0, numpy 2.4.6)

Not there, because that version differs from ggml or doesn't have them: Q8_1 (40 bytes a block there, 36 in ggml), Q2_0.
"""
import os
import struct

import gguf
import numpy as np

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gguf")
TYPE = gguf.GGMLQuantizationType
VALUE = gguf.GGUFValueType


def values(writer):
    writer.add_name("Tiny\n\u00e9")
    writer.add_uint8("v.u8", 255)
    writer.add_int8("v.i8", -128)
    writer.add_uint16("v.u16", 65535)
    writer.add_int16("v.i16", -32768)
    writer.add_uint32("v.u32", 4294967295)
    writer.add_int32("v.i32", -2147483648)
    writer.add_float32("v.f32", 0.1)
    writer.add_bool("v.yes", True)
    writer.add_bool("v.no", False)
    writer.add_uint64("v.u64", 2**64 - 1)
    writer.add_int64("v.i64", -2**63)
    writer.add_float64("v.f64", -2.5e-300)
    writer.add_string("v.empty", "")
    writer.add_token_list(["<s>", "", "\u2581a", "\U0001f600"])
    writer.add_token_scores([0.0, -1.5, 2.0])
    writer.add_token_types([1, 3])
    writer.add_array("v.bools", [True, False, True])


def types(writer):
    for kind in TYPE:
        size = gguf.GGML_QUANT_SIZES[kind][1]
        if kind is TYPE.Q8_1:
            continue
        rows = (np.arange(3 * size, dtype=np.int64) * 7 % 251).astype(np.uint8).reshape(3, size)
        writer.add_tensor("w." + kind.name, rows, raw_shape=[3, size], raw_dtype=kind)


def shapes(writer):
    writer.add_tensor("rank1", np.arange(5, dtype=np.float32))
    writer.add_tensor("rank4", np.arange(48, dtype=np.int16).reshape(2, 3, 4, 2))
    writer.add_tensor("empty", np.zeros((2, 0), dtype=np.float64))
    writer.add_tensor("last", np.arange(3, dtype=np.int8))


def describe(path):
    reader = gguf.GGUFReader(path)
    lines = ["version %d, alignment %d" % (reader.fields["GGUF.version"].contents(), reader.alignment)]
    for key, field in reader.fields.items():
        if key.startswith("GGUF."):
            continue
        kind, value = field.types[0], field.contents()
        if kind is VALUE.ARRAY:
            value = "%s[%d]" % (field.types[-1].name if len(field.types) > 1 else "?", len(field.data))
        elif kind is VALUE.STRING:
            value = "STRING " + value.encode().hex()
        elif kind in (VALUE.FLOAT32, VALUE.FLOAT64):
            value = "%s %016x" % (kind.name, struct.unpack("<Q", struct.pack("<d", value))[0])
        else:
            value = "%s %d" % (kind.name, value)
        lines.append("%s: %s" % (key, value))
    for t in reader.tensors:
        shape = [int(n) for n in reversed(t.shape)]
        lines.append("%s %s %s at %d, %d bytes" % (t.name, t.tensor_type.name, shape, t.data_offset, t.n_bytes))
    return "".join(line + "\n" for line in lines)


def write(name, *parts, alignment=None, architecture="llama"):
    path = os.path.join(OUT, name + ".gguf")
    writer = gguf.GGUFWriter(path, architecture)
    if alignment:
        writer.add_custom_alignment(alignment)
    for part in parts:
        part(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with open(path[:-5] + ".txt", "w") as f:
        f.write(describe(path))


os.makedirs(OUT, exist_ok=True)
write("values", values, shapes)
write("types", types)
write("aligned", shapes, alignment=128)
