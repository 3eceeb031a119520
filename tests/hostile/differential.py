"""Mutated and odd files, read by the library and by the real reader of their kind: where the verdicts differ, or the
values where both accept a file, it counts the differences by class and shows the first of each.

    python tests/hostile/differential.py [COUNT] [SEED] [KIND...]     (4000 files of each kind, seed 1)

Run with torch 2.15.0, safetensors 0.8.0 and gguf 0.19.0; docs/security.md has the figures and the reason of each class.
The kinds: safetensors (safetensors.deserialize), zip and legacy (torch.load, weights_only=True), gguf (GGUFReader).
make test doesn't run it: it needs these packages.
"""
import collections
import concurrent.futures
import io
import json
import multiprocessing
import os
import pickle
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile
import zlib

import gguf
import safetensors
import torch
from safetensors.torch import save

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MOST = 1 << 20  # as in verdicts.c
WRAPPERS = ("state_dict", "model_state_dict", "model", "module")


# ---- The real readers: a list of (name, type, shape, checksum), or an exception ----

def read_safetensors(data):
    return [(name, t["dtype"], tuple(t["shape"]), zlib.crc32(t["data"])) for name, t in safetensors.deserialize(data)]


class NotAStateDict(Exception):
    pass


def has_tensors(value):
    return isinstance(value, dict) and any(isinstance(v, torch.Tensor) for v in value.values())


def read_torch(data):
    torch._utils._get_sparse_tensors_to_validate().clear()  # of a file before, which was refused
    value = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(value, dict):
        raise NotAStateDict("torch.load gives a %s" % type(value).__name__)
    for wrapper in WRAPPERS:
        if has_tensors(value.get(wrapper)):
            value = value[wrapper]
            break
    tensors = {k: v for k, v in value.items() if isinstance(v, torch.Tensor)}
    if not all(isinstance(k, str) for k in tensors):
        raise NotAStateDict("a tensor without a name")
    if tensors and all(k.startswith("module.") for k in tensors):
        tensors = {k[7:]: v for k, v in tensors.items()}
    result = []
    for name, t in tensors.items():
        t = t.detach()
        if t.numel() * t.itemsize > MOST:
            checksum = "large"
        else:
            t = t.resolve_conj().resolve_neg().contiguous()
            checksum = zlib.crc32(bytes(t.flatten().view(torch.uint8).tolist())) if t.numel() else 0
        result.append((name, str(t.dtype)[6:], tuple(t.shape), checksum))
    return result


def read_gguf(data):
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(data)
        file.flush()
        reader = gguf.GGUFReader(file.name)
        return [(t.name, t.tensor_type.name, tuple(int(n) for n in reversed(t.shape)), zlib.crc32(t.data.tobytes()))
                for t in reader.tensors]


READERS = {"safetensors": read_safetensors, "zip": read_torch, "legacy": read_torch, "gguf": read_gguf}


def really(kind, data):
    warnings.simplefilter("ignore")
    signal.alarm(4)
    try:
        return sorted(READERS[kind](data)), None
    except Exception as error:  # whatever it is: the reader refused
        text = " ".join(str(error).split())
        return None, "%s: %s" % (type(error).__name__, text[max(text.find("WeightsUnpickler error"), 0):])
    finally:
        signal.alarm(0)


def too_long(*_):
    raise TimeoutError("4 seconds")


def limit():  # a size that a file claims must not take this machine's memory
    with open("/proc/self/statm", encoding="ascii") as file:
        most = int(file.read().split()[0]) * resource.getpagesize() + (1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, too_long)


def all_really(kind, files):
    context = multiprocessing.get_context("fork")
    verdicts = []
    while len(verdicts) < len(files):  # again after a file that ends the process
        with concurrent.futures.ProcessPoolExecutor(1, context, limit) as pool:
            try:
                for data in files[len(verdicts):]:
                    verdicts.append(pool.submit(really, kind, data).result())
            except concurrent.futures.process.BrokenProcessPool:
                verdicts.append((None, "the process ended"))
    return verdicts


# ---- The library ----

def all_ours(kind, files):
    program = os.path.join(ROOT, "build", "verdicts")
    os.makedirs(os.path.dirname(program), exist_ok=True)
    subprocess.run([os.environ.get("CC", "cc"), "-std=c99", "-O1", "-g", "-fsanitize=address,undefined",
                    "-fno-sanitize-recover=all", "-DHFMODEL_STATIC", "-I" + ROOT, "-o", program,
                    os.path.join(HERE, "verdicts.c"), "-pthread", "-lm"], check=True)
    name = {"safetensors": b"x.safetensors", "gguf": b"x.gguf"}.get(kind, b"x.bin")
    packed = b"".join(struct.pack("<II", len(name), len(data)) + name + data for data in files)
    lines = subprocess.run([program], input=packed, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert len(lines) == len(files)
    return [our(line) for line in lines]


def our(line):
    word, _, rest = line.partition(" ")
    if word == "no":
        return None, rest
    tensors = []
    for text in rest.split():
        name, dtype, shape, checksum = text.split(":")
        tensors.append((bytes.fromhex(name).decode(), dtype, tuple(int(n) for n in shape.split(",") if n),
                        checksum if checksum == "large" else int(checksum, 16)))
    return sorted(tensors), None


# ---- Files ----

def any_bytes(r, data, start=0, end=None):
    """One to three changes of bytes in data[start:end]."""
    data = bytearray(data)
    for _ in range(r.choice((1, 1, 1, 2, 3))):
        end_now = min(len(data), end or len(data))
        at = r.randrange(start, max(end_now, start + 1))
        how = r.randrange(8)
        if how < 4 and at < len(data):
            data[at] = r.choice((r.randrange(256), data[at] ^ 1 << r.randrange(8), 0, 255, (data[at] + 1) % 256))
        elif how == 4:
            del data[at:at + r.choice((1, 1, 2, 8))]
        elif how == 5:
            data[at:at] = bytes(r.randrange(256) for _ in range(r.choice((1, 1, 2, 8))))
        elif how == 6:
            data[at:at] = data[start:][:r.randrange(40)]
        else:
            data = data[:at] if r.randrange(2) else data + bytes(r.randrange(3) for _ in range(r.choice((1, 8, 64))))
    return bytes(data)


def with_header(text, data):
    return struct.pack("<Q", len(text)) + text + data


def odd_number(r):
    return r.choice((0, 1, 2, 3, 4, 8, 9, -1, 1.0, "4", None, True, [], 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63,
                     2**64 - 1, 2**64, 10**30))


def odd_safetensors(r, base):
    size = struct.unpack("<Q", base[:8])[0]
    header, data = json.loads(base[8:8 + size]), base[8 + size:]
    names = [name for name in header if name != "__metadata__"]
    name = r.choice(names)
    how = r.randrange(14)
    if how == 0:
        header[name]["dtype"] = r.choice(("F32", "f32", "BOOL", "F4", "F6_E2M3", "F8_E4M3", "C64", "U64", "F16 ", "", 4,
                                          None))
    elif how in (1, 2):
        shape = header[name]["shape"]
        if shape and how == 1:
            shape[r.randrange(len(shape))] = odd_number(r)
        else:
            header[name]["shape"] = [odd_number(r) for _ in range(r.randrange(11))] if r.randrange(2) else shape + [1]
    elif how in (3, 4):
        offsets = header[name]["data_offsets"]
        offsets[r.randrange(2)] = odd_number(r) if r.randrange(2) else offsets[r.randrange(2)] + r.choice((-1, 1, 4))
    elif how == 5:
        header["__metadata__"] = r.choice(({}, {"a": "b"}, {"a": 1}, {"a": None}, None, [], "x", {"a": {"b": "c"}}))
    elif how == 6:
        del header[name][r.choice(("dtype", "shape", "data_offsets"))]
    elif how == 7:
        header[name][r.choice(("extra", "Dtype", "", "shape "))] = r.choice((1, [], {"a": [1]}, "x", 1e300))
    elif how == 8:
        header[r.choice(("\0", "a\0b", "\u00e9", "\ud83d\ude00", "", "x" * 300))] = header.pop(name)
    elif how == 9:
        header["empty"] = {"dtype": "U8", "shape": [0] * r.randrange(1, 11),
                           "data_offsets": [r.choice((0, len(data)))] * 2}
    elif how == 10:
        header[name]["data_offsets"] = header[r.choice(names)]["data_offsets"]
    text = json.dumps(header, ensure_ascii=bool(r.randrange(2))).encode("utf-8", "surrogatepass")
    if how == 11:  # a key twice
        text = text[:-1] + b"," + json.dumps({name: header[name]})[1:].encode()
    elif how == 12:
        text = r.choice((b" ", b"\n", b"\t", b"\xef\xbb\xbf", b"[", b"/**/")) + text
    elif how == 13:
        text += r.choice((b" ", b"   \n", b"\0", b"{}", b",", b"x"))
    return with_header(text, data)


def safetensors_bases(r):
    one = {"w": torch.arange(6, dtype=torch.float32).reshape(2, 3), "b": torch.ones(3, dtype=torch.bfloat16)}
    dtypes = (torch.int8, torch.float64, torch.bool, torch.int64)
    two = {"a.%d" % i: torch.full((2,), i, dtype=d) for i, d in enumerate(dtypes)}
    two["scalar"] = torch.tensor(2.5)
    two["empty"] = torch.zeros(0, 3)
    return [save(one), save(two, {"format": "pt"}), save(one, {"format": "pt", "caf\u00e9": "\n"})]


class Odd:
    """Pickled as the given call."""
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def odd_objects(r):
    """State dicts as people have them, and what no state dict is."""
    t = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    plain = {"w": t, "b": torch.ones(3, dtype=torch.float16)}
    return [
        plain, collections.OrderedDict(plain), {"module." + k: v for k, v in plain.items()},
        {"state_dict": plain, "epoch": 1},
        {"model": plain, "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999)}]}},
        {"w": t.t(), "v": t[1:, ::2], "e": t[:1].expand(5, 4), "s": t[0, 0], "n": t[:0]}, {"w": torch.nn.Parameter(t)},
        {"c": torch.ones(2, dtype=torch.complex64), "z": torch.ones(2, dtype=torch.complex128)},
        {"f": t.to(torch.float8_e4m3fn), "u": t.to(torch.uint16)}, {"w": t, 1: t, None: 2, (1, 2): "x"}, [t], t,
        (t, 1), {}, 5,
        "text", {"a": {"b": {"c": t}}}, {"w": t, "n": 1 << 90, "f": 0.5, "b": b"\0", "s": {1, 2}, "y": bytearray(b"x")},
        {"w": t.to_sparse()}, {"w": torch.quantize_per_tensor(t, 0.1, 0, torch.qint8)},
        {"w": t, "d": torch.device("cpu")},
        {"w": t, "t": torch.float32, "z": torch.Size([1, 2])}, {"w": t.conj()}, {"w": t.untyped_storage()},
        {"w": t, "x": Odd(os.system, "true")}, {"w": t, "x": Odd(eval, "1")}, {"w": t, "x": Odd(complex, 1.0, 2.0)},
        {"w": t, "x": collections.Counter("ab")}, {"w": t, "x": Odd(bytearray, b"x")}, {"w": t, "x": slice(1, 2)},
        {"w": t, "x": Odd(torch.nn.Linear, 2, 2)}, {"w": t, "x": Odd(set, [1, 2])}, {"w": t, "x": frozenset([1])},
        {"w": torch.nn.Buffer(t)}, {"w": t, "x": range(3)}, {"w": t.to("meta")}, {"module": {"module.w": t}, "w": t},
    ]


def torch_bytes(value, legacy, protocol):
    buffer = io.BytesIO()
    torch.save(value, buffer, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def torch_bases(r, legacy):
    bases = []
    for value in odd_objects(r):
        for protocol in (2, 2, 3, 4, 5):
            try:
                bases.append(torch_bytes(value, legacy, protocol))
            except Exception:  # what torch itself doesn't save in this form
                pass
    return bases


CODES = [op.code.encode("latin-1") for op in __import__("pickletools").opcodes]


def odd_pickle(r, text):
    """Instructions and operands changed."""
    text = bytearray(text)
    for _ in range(r.choice((1, 1, 2))):
        at = r.randrange(2, len(text))
        how = r.randrange(6)
        if how == 0:
            text[at] = r.choice(CODES)[0]
        elif how == 1:
            text[at:at] = r.choice(CODES) + bytes(r.randrange(4) for _ in range(r.randrange(5)))
        elif how == 2:
            numbers = [m.start() for m in re.finditer(rb"[KMJ]", text)]
            at = r.choice(numbers) if numbers else at
            text[at:at + 2] = r.choice((b"K\0", b"K\1", b"K\4", b"K\xff", b"J\xff\xff\xff\xff", b"\x8a\5\0\0\0\0\1",
                                        b"N", b"\x88", b"J\xff\xff\xff\x7f"))
        elif how == 3:
            for old, new in ((b"FloatStorage", r.choice((b"HalfStorage", b"LongStorage", b"DoubleStorage",
                                                         b"ByteStorage", b"QInt8Storage", b"BoolStorage"))),):
                text = bytearray(bytes(text).replace(old, new))
        elif how == 4:
            old = r.choice((b"torch._utils", b"_rebuild_tensor_v2", b"collections", b"storage", b"cpu"))
            new = r.choice((b"torch", b"_rebuild_tensor", b"os", b"cuda:0", b"storage", b"builtins"))
            text = bytearray(bytes(text).replace(old, new, 1))
        else:
            del text[at:at + 1]
    return bytes(text)


def odd_zip(r, base):
    how = r.randrange(10)
    if how < 2:
        return any_bytes(r, base, max(0, len(base) - r.choice((22, 98, 400))))
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base)) as before, zipfile.ZipFile(buffer, "w") as after:
        if how == 2:
            after.comment = r.choice((b"x", b"PK\5\6" + b"\0" * 18, b"y" * 1000))
        infos = before.infolist()
        if how == 3:
            r.shuffle(infos)
        dropped = r.choice(infos) if how == 4 else None
        for info in infos:
            name, data, method = info.filename, before.read(info), zipfile.ZIP_STORED
            folder, _, rest = name.partition("/")
            if info is dropped:
                continue
            if how == 5 and r.randrange(4) == 0:
                data = r.choice((data[:-1], data + b"\0", data * 2, b"", b"big", b"little"))
            if how == 6 and r.randrange(4) == 0:
                method = zipfile.ZIP_DEFLATED
            if how == 7 and r.randrange(4) == 0:
                name = r.choice((rest, folder + "2/" + rest, folder + "/" + rest.upper(), folder + "//" + rest,
                                 "../" + name, folder + "/./" + rest))
            if how >= 8 and rest == "data.pkl":
                data = odd_pickle(r, data)
            after.writestr(zipfile.ZipInfo(name), data, method)
            if how == 5 and r.randrange(12) == 0:
                warnings.simplefilter("ignore")
                after.writestr(zipfile.ZipInfo(name), data, method)
        if how == 6 and r.randrange(3) == 0:
            after.writestr(folder + "/" + r.choice(("code/x.py", "constants.pkl", "extra", ".format_version")), b"x")
    return buffer.getvalue()


def odd_legacy(r, base):
    """The five pickles and what follows, one of them changed."""
    file, ends = io.BytesIO(base), [0]
    try:
        for _ in range(5):
            for op, _, _ in __import__("pickletools").genops(file):
                pass
            ends.append(file.tell())
    except Exception:
        return any_bytes(r, base)
    which = r.choice((1, 2, 3, 3, 3, 4, 5))
    parts = [base[a:b] for a, b in zip(ends, ends[1:])] + [base[ends[-1]:]]
    is_pickle = which < 5 and len(parts[which]) > 3
    parts[which] = odd_pickle(r, parts[which]) if is_pickle else any_bytes(r, parts[which] or b"\0")
    return b"".join(parts)


def gguf_bases(r):
    folder = os.path.join(HERE, "gguf")
    return [open(os.path.join(folder, name), "rb").read() for name in ("values.gguf", "aligned.gguf", "types.gguf")]


def odd_gguf(r, base):
    """A field of 4 or 8 bytes replaced."""
    at = r.randrange(4, min(len(base), 1200)) & ~3
    value = r.choice((0, 1, 2, 3, 8, 9, 16, 31, 32, 64, 255, 2**31, 2**32 - 1))
    width = r.choice((4, 8))
    return base[:at] + struct.pack("<Q", r.choice((value, value, 2**63, 2**64 - 1, 2**40)))[:width] + base[at + width:]


def files_of(kind, count, r):
    bases = safetensors_bases(r) if kind == "safetensors" else gguf_bases(r) if kind == "gguf" else \
        torch_bases(r, kind == "legacy")
    odd = {"safetensors": odd_safetensors, "zip": odd_zip, "legacy": odd_legacy, "gguf": odd_gguf}[kind]
    files = list(bases)
    while len(files) < count:
        base = r.choice(bases)
        if r.randrange(3):
            files.append(odd(r, base))
        else:
            end = 8 + struct.unpack("<Q", base[:8])[0] if kind == "safetensors" else 1200 if kind == "gguf" else None
            files.append(any_bytes(r, base, 0, end))
    return files[:count]


# ---- Differences ----

def shape_of(text):
    """An error without its numbers and names."""
    text = text.split("\n")[0]
    text = re.sub(r"^(\S+) x\.\w+: (byte \d+: )?", r"\1 ", text)
    if not text.startswith("PICKLE_GLOBAL"):
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", text)
    return re.sub(r"\[[^\]]*\]|0x[0-9a-f]+|-?\d+", "N", text)[:150]


def compare(kind, count, seed):
    warnings.simplefilter("ignore")
    files = files_of(kind, count, random.Random(seed))
    theirs, mine = all_really(kind, files), all_ours(kind, files)
    classes = collections.defaultdict(list)
    both = neither = 0
    for i, ((a, refused_a), (b, refused_b)) in enumerate(zip(theirs, mine)):
        if a is None and b is None:
            neither += 1
        elif a is None:
            classes["only we accept; theirs: " + shape_of(refused_a)].append(i)
        elif b is None:
            classes["only they accept; ours: " + shape_of(refused_b)].append(i)
        elif a != b:
            classes["other tensors"].append(i)
        else:
            both += 1
    print("%s: %d files, %d accepted by both with the same tensors, %d refused by both, %d differ" %
          (kind, len(files), both, neither, len(files) - both - neither))
    out = os.path.join(ROOT, "build", "differential")
    os.makedirs(out, exist_ok=True)
    for number, (text, cases) in enumerate(sorted(classes.items(), key=lambda c: -len(c[1]))):
        path = os.path.join(out, "%s_%d" % (kind, number))
        with open(path, "wb") as file:
            file.write(files[cases[0]])
        print("  %5d  %s" % (len(cases), text))
        for verdict in (theirs[cases[0]], mine[cases[0]]):
            print("           %s" % str(verdict[1] or verdict[0])[:300].replace("\n", " "))


def main():
    numbers = [int(a) for a in sys.argv[1:] if a.isdigit()]
    kinds = [a for a in sys.argv[1:] if not a.isdigit()] or list(READERS)
    print("torch %s, safetensors %s, gguf %s" % (torch.__version__, safetensors.__version__,
                                                 __import__("importlib.metadata").metadata.version("gguf")))
    for kind in kinds:
        compare(kind, numbers[0] if numbers else 4000, numbers[1] if len(numbers) > 1 else 1)


if __name__ == "__main__":
    main()
