"""Writes tests/hostile/torch/: small files of the real torch.save in all their forms, and beside each the same tensors
as a safetensors file, which is what tests/unit/test_torch_bin.c compares them with.

    python tests/hostile/make_torch_bin.py          (torch 2.15.0, safetensors 0.8.0)

Every file is what some version of torch writes; the last ones are such files rewritten (by Python's zipfile, with the
other byte order), because that is how people have them.
"""
import collections
import io
import os
import struct
import zipfile

import torch
from safetensors.torch import save_file

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch")


def tensors_of(value):
    return {k: v.detach() for k, v in value.items() if isinstance(v, torch.Tensor)}


def expect(name, tensors):
    dense = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
    save_file(dense, os.path.join(OUT, name + ".safetensors"))


def save(name, value, tensors=None, **options):
    torch.save(value, os.path.join(OUT, name + ".bin"), **options)
    expect(name, tensors if tensors is not None else tensors_of(value))


def counted(*shape, dtype=torch.float32):
    n = 1
    for size in shape:
        n *= size
    return (torch.arange(n) % 120 + 1).to(dtype).reshape(shape)


def views():
    base = counted(4, 6)
    shared = counted(10)
    return {
        "transposed": base.t(),
        "sliced": base[1:3, 2:5],
        "step": shared[1::3],
        "expanded": counted(1, 3).expand(2, 3),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "tied": shared,
        "tied_too": shared,
        "tail": shared[7:],
        "one": base[2:3, 4:5],
    }


def all_dtypes():
    names = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 complex64".split()
    result = {name: counted(2, 3, dtype=getattr(torch, name)) for name in names}
    result["bool"] = torch.tensor([True, False, True])
    return result


def rewrite(name, source, change):
    """The entries of source.bin through Python's zipfile; change(entry name, bytes) -> bytes or None."""
    with zipfile.ZipFile(os.path.join(OUT, source + ".bin")) as before:
        with zipfile.ZipFile(os.path.join(OUT, name + ".bin"), "w") as after:
            for info in before.infolist():
                data = change(info.filename, before.read(info))
                if data is not None:
                    after.writestr(zipfile.ZipInfo(info.filename), data, zipfile.ZIP_STORED)


def main():
    os.makedirs(OUT, exist_ok=True)
    torch.manual_seed(0)
    module = torch.nn.Sequential(collections.OrderedDict(first=torch.nn.Linear(3, 2), norm=torch.nn.BatchNorm1d(2)))
    save("zip_module", module.state_dict())  # OrderedDict with _metadata
    save("zip_dtypes", all_dtypes())
    save("zip_views", views())
    save("zip_views_4", views(), pickle_protocol=4)
    save("zip_parameter", {"w": torch.nn.Parameter(counted(2, 2)), "b": torch.nn.Parameter(counted(2), False)})
    f8 = {"a": counted(2, 3).to(torch.float8_e4m3fn), "b": counted(4).to(torch.float8_e5m2),
          "c": counted(3).to(torch.uint16), "d": counted(3).to(torch.uint32)[1:]}
    save("zip_rebuild_v3", f8)
    inner = {"module.w": counted(2, 2), "module.b": counted(2)}
    optimizer = {"state": {0: {"step": 7, "exp_avg": counted(2)}},
                 "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999)}]}
    checkpoint = {"epoch": 3, "best": 0.25, "big": 1 << 80, "none": None, "flags": [True, False], "text": "caf\u00e9",
                  "device": torch.device("cpu"), "size": torch.Size([2, 2]), "kinds": {1, 2}, "bytes": b"\x00\xff",
                  "state_dict": inner, "optimizer": optimizer}
    save("zip_checkpoint", checkpoint, {k[7:]: v for k, v in inner.items()})
    pool = counted(300)
    save("zip_many", {"layer.%d.weight" % i: pool[i:i + 2] for i in range(150)})  # LONG_BINPUT
    save("legacy_module", module.state_dict(), _use_new_zipfile_serialization=False)
    save("legacy_views", views(), _use_new_zipfile_serialization=False)
    save("legacy_dtypes", all_dtypes(), _use_new_zipfile_serialization=False)
    save("legacy_checkpoint", checkpoint, {k[7:]: v for k, v in inner.items()}, _use_new_zipfile_serialization=False)

    buffer = io.BytesIO()  # saved to a stream: the root folder is "archive"
    torch.save({"x": counted(5)}, buffer)
    with open(os.path.join(OUT, "zip_stream.bin"), "wb") as file:
        file.write(buffer.getvalue())
    expect("zip_stream", {"x": counted(5)})

    rewrite("zip_rewritten", "zip_views", lambda name, data: data)
    expect("zip_rewritten", views())

    def swap(name, data):
        if name.endswith("/byteorder"):
            return b"big"
        if "/data/" not in name:
            return data
        return struct.pack(">%df" % (len(data) // 4), *struct.unpack("<%df" % (len(data) // 4), data))

    rewrite("zip_big_endian", "zip_views", swap)
    expect("zip_big_endian", views())


if __name__ == "__main__":
    main()
