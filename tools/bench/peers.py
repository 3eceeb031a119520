#!/usr/bin/env python3
"""make bench-peers: the same models with the same weights in hfmodel.h, onnxruntime, torch and llama.cpp, in turns.

    make bench-peers PYTHON=/path/to/python                      all cases, 15 rounds
    python tools/bench/peers.py [--rounds N] [--threads N] [--write] [CASE...]    cases whose name contains a word

Needs torch, transformers, onnx and onnxruntime in the Python that runs it, and llama_cpp and gguf for the decoder;
what is not there is named and left out. Weights are random, saved once by Transformers under build/bench/peers/, and
every engine must give the same numbers before its time counts. A round measures every engine for a fifth of a second;
the best and the median of the rounds are shown. --write puts the table into docs/benchmarks.md, in the place of this
instruction set.
"""
import argparse
import ctypes
import datetime
import os
import platform
import statistics
import subprocess
import sys
import textwrap
import time
import warnings

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(ROOT, "build", "bench", "peers")
SLICE = 0.2  # seconds of one engine in one round
# name, configuration, dtype, batch, length, cached tokens; greedy tokens to generate where that is what is timed
CASES = [
    ("bert-base 8", "bert-base", "float32", 1, 8, 0),
    ("bert-base 32", "bert-base", "float32", 1, 32, 0),
    ("bert-base 128", "bert-base", "float32", 1, 128, 0),
    ("bert-base 512", "bert-base", "float32", 1, 512, 0),
    ("bert-base 8x32", "bert-base", "float32", 8, 32, 0),
    ("vit-base", "vit-base", "float32", 1, None, 0),
    ("smollm2-135m prompt 256", "smollm2-135m", "float32", 1, 256, 0),
    ("smollm2-135m decode", "smollm2-135m", "float32", 1, 1, 256),
    ("smollm2-135m bf16 prompt 256", "smollm2-135m", "bfloat16", 1, 256, 0),
    ("smollm2-135m bf16 products prompt 256", "smollm2-135m", "bfloat16", 1, 256, 0),
    ("smollm2-135m bf16 decode", "smollm2-135m", "bfloat16", 1, 1, 256),
    ("smollm2-135m 64 tokens", "smollm2-135m", "float32", 1, 64, 0, 64),
    ("t5-small 64 tokens", "t5-small", "float32", 1, 64, 0, 64),
    ("bart-base 64 tokens", "bart-base", "float32", 1, 64, 0, 64),
]


class NotThis(Exception):
    """This engine doesn't take part in this case."""


def model_directory(name, dtype):
    """A directory with config and random weights, made once."""
    import torch
    import transformers
    path = os.path.join(WORK, "%s-%s" % (name, dtype))
    if not os.path.exists(os.path.join(path, "model.safetensors")):
        torch.manual_seed(0)
        config = transformers.AutoConfig.from_pretrained(os.path.join(ROOT, "tools", "bench", name))
        model = getattr(transformers, config.architectures[0])(config).eval().to(getattr(torch, dtype))
        model.save_pretrained(path)
    return path


def inputs_of(config, batch, length, past):
    import torch
    g = torch.Generator().manual_seed(1)
    if not length:
        shape = (batch, config.num_channels, config.image_size, config.image_size)
        return {"pixel_values": torch.rand(*shape, generator=g)}, None
    ids = torch.randint(3, config.vocab_size - 1, (batch, past + length), generator=g)
    return {"input_ids": ids[:, past:].contiguous()}, ids[:, :past].contiguous() if past else None


def peer_library():
    """peer.c as a shared library, made again where it is older than what it is made of."""
    library, source = os.path.join(WORK, "peer.so"), os.path.join(ROOT, "tools", "bench", "peer.c")
    newest = max(os.path.getmtime(path) for path in (source, os.path.join(ROOT, "hfmodel.h")))
    if not os.path.exists(library) or os.path.getmtime(library) < newest:
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-I" + ROOT,
                        source, "-o", library, "-lm", "-pthread"], check=True)
    return library


class Hfm:
    """Weights packed at load, as onnxruntime does; the default, lazy, gets there after some hundred forwards."""
    name = "hfmodel.h"
    packed = 1

    def __init__(self, case, threads):
        library = peer_library()
        self.c = c = ctypes.CDLL(library)
        c.peer_open.restype = ctypes.c_void_p
        c.peer_isa.restype = ctypes.c_char_p
        c.peer_output.restype = ctypes.POINTER(ctypes.c_float)
        c.peer_ids.restype = ctypes.POINTER(ctypes.c_int64)
        message = ctypes.create_string_buffer(640)
        handle = c.peer_open(case["path"].encode(), threads, self.packed, "bf16 products" in case["name"], message)
        if not handle:
            sys.exit("hfmodel.h: " + message.value.decode())
        self.handle = ctypes.c_void_p(handle)
        self.isa = c.peer_isa(self.handle).decode()
        ids, pixels = case["inputs"].get("input_ids"), case["inputs"].get("pixel_values")
        shape = (ctypes.c_int64 * 4)(*(pixels.shape if pixels is not None else (0, 0, 0, 0)))
        past = case["past_ids"]
        pointer = lambda t: ctypes.c_void_p(t.data_ptr() if t is not None else None)  # noqa: E731
        self.kept = case, shape
        if c.peer_inputs(self.handle, pointer(ids), ctypes.c_int64(ids.shape[0] if ids is not None else 0),
                         ctypes.c_int64(ids.shape[1] if ids is not None else 0), pointer(pixels), shape, case["keep"],
                         pointer(past), ctypes.c_int64(past.shape[1] if past is not None else 0),
                         ctypes.c_int64(case["new"])):
            sys.exit("hfmodel.h: the inputs of %s were refused" % case["name"])

    def run(self):
        if self.c.peer_run(self.handle):
            sys.exit("hfmodel.h: a forward failed")

    def output(self):
        import numpy
        self.run()
        if self.kept[0]["new"]:
            return numpy.ctypeslib.as_array(self.c.peer_ids(self.handle), (self.kept[0]["new"],)).copy()
        count = ctypes.c_int64()
        data = self.c.peer_output(self.handle, ctypes.byref(count))
        return numpy.ctypeslib.as_array(data, (count.value,)).copy()

    def close(self):
        self.c.peer_close(self.handle)


class HfmUnpacked(Hfm):
    name = "hfmodel.h unpacked"
    packed = 0


class Torch:
    name = "torch"
    attention = "sdpa"

    def __init__(self, case, threads):
        import torch
        import transformers
        torch.set_num_threads(threads)
        self.torch = torch
        kind = getattr(transformers, case["config"].architectures[0])
        self.model = kind.from_pretrained(case["path"], dtype=getattr(torch, case["dtype"]),
                                          attn_implementation=self.attention).eval()
        self.inputs = dict(case["inputs"])
        self.new = case["new"]
        if self.new:
            self.inputs["attention_mask"] = torch.ones_like(self.inputs["input_ids"])
        elif case["keep"]:
            self.inputs["logits_to_keep"] = case["keep"]
        self.past = None
        if case["past_ids"] is not None:
            with torch.inference_mode():
                self.past = self.model(input_ids=case["past_ids"], use_cache=True).past_key_values
        elif case["keep"] and not self.new:
            self.inputs["use_cache"] = False

    def run(self):
        with self.torch.inference_mode():
            if self.new:
                return self.model.generate(**self.inputs, max_new_tokens=self.new, min_new_tokens=self.new,
                                           do_sample=False, num_beams=1)[0, -self.new:]
            if self.past is None:
                return self.model(**self.inputs)[0]
            result = self.model(**self.inputs, past_key_values=self.past, use_cache=True)[0]
            self.past.crop(-1)
            return result

    def output(self):
        return self.run().float().flatten().numpy()

    def close(self):
        pass


class TorchEager(Torch):
    """Generation only: attention without its fused kernel, which can be faster for a single query."""
    name = "torch eager"
    attention = "eager"

    def __init__(self, case, threads):
        if not case["new"]:
            raise NotThis("the same as torch")
        super().__init__(case, threads)


class OnnxRuntime:
    name = "onnxruntime"

    def __init__(self, case, threads):
        import onnx  # noqa: F401  torch's exporter needs it
        import onnxruntime
        import torch
        if case["past_ids"] is not None or case["dtype"] != "float32" or case["keep"] or case["new"]:
            raise NotThis("only encoders are exported")
        model = Torch(case, threads).model
        names = list(case["inputs"])

        class First(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, *values):
                return self.model(**dict(zip(names, values)))[0]

        path = os.path.join(WORK, "model.onnx")
        with torch.no_grad():
            torch.onnx.export(First(), tuple(case["inputs"].values()), path, input_names=names, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.feed = {name: value.numpy() for name, value in case["inputs"].items()}

    def run(self):
        return self.session.run(None, self.feed)[0]

    def output(self):
        return self.run().flatten()

    def close(self):
        del self.session


class LlamaCpp:
    name = "llama.cpp"
    tolerance = 5e-3  # its attention over a cache rounds to half floats

    def __init__(self, case, threads):
        import llama_cpp
        if case["config"].model_type != "llama":
            raise NotThis("not a model of its kind")
        self.c = c = llama_cpp
        path = gguf_file(case)
        c.llama_backend_init()
        quiet = c.llama_log_callback(lambda level, text, data: None)
        c.llama_log_set(quiet, ctypes.c_void_p(0))
        self.quiet = quiet
        self.model = c.llama_model_load_from_file(path.encode(), c.llama_model_default_params())
        params = c.llama_context_default_params()
        params.n_ctx = 512
        params.n_batch = params.n_ubatch = 512
        params.n_threads = params.n_threads_batch = threads
        params.type_k = params.type_v = 0  # float32, as the others keep theirs
        self.context = c.llama_init_from_model(self.model, params)
        self.memory = c.llama_get_memory(self.context)
        self.past = case["past_ids"].shape[1] if case["past_ids"] is not None else 0
        self.vocab = case["config"].vocab_size
        self.new = case["new"]
        self.batches = []
        if self.past:
            self.decode(case["past_ids"][0].tolist())
        self.tokens = case["inputs"]["input_ids"][0].tolist()

    def decode(self, tokens):
        array = (self.c.llama_token * len(tokens))(*tokens)
        if self.c.llama_decode(self.context, self.c.llama_batch_get_one(array, len(tokens))):
            sys.exit("llama.cpp: llama_decode failed")

    def logits(self):
        import numpy
        return numpy.ctypeslib.as_array(self.c.llama_get_logits_ith(self.context, -1), (self.vocab,))

    def run(self):
        self.c.llama_memory_seq_rm(self.memory, -1, self.past, -1)
        self.decode(self.tokens)
        self.ids = [int(self.logits().argmax())] if self.new else []
        while len(self.ids) < self.new:
            self.decode(self.ids[-1:])
            self.ids.append(int(self.logits().argmax()))

    def output(self):
        import numpy
        self.run()
        return numpy.array(self.ids) if self.new else self.logits().copy()

    def close(self):
        self.c.llama_free(self.context)
        self.c.llama_model_free(self.model)


def gguf_file(case):
    """The same weights as llama.cpp wants them: its names, and rows of q and k in its order of rotary pairs."""
    import gguf
    import numpy
    from safetensors import safe_open
    path = os.path.join(WORK, os.path.basename(case["path"]) + ".gguf")
    if os.path.exists(path):
        return path
    config = case["config"]
    w = gguf.GGUFWriter(path, "llama")
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_rope_freq_base(config.rope_parameters["rope_theta"])
    w.add_vocab_size(config.vocab_size)
    w.add_tokenizer_model("no_vocab")
    parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    with safe_open(os.path.join(case["path"], "model.safetensors"), "pt") as f:
        for key in f.keys():
            value = f.get_tensor(key).float()
            name = {"model.embed_tokens.weight": "token_embd.weight",
                    "model.norm.weight": "output_norm.weight"}.get(key)
            if not name:
                _, _, layer, rest = key.split(".", 3)
                module = rest.removesuffix(".weight")
                name = "blk.%s.%s.weight" % (layer, parts[module])
                heads = {"self_attn.q_proj": config.num_attention_heads,
                         "self_attn.k_proj": config.num_key_value_heads}.get(module)
                if heads:
                    rows, columns = value.shape
                    value = value.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
            data = value.numpy()
            if case["dtype"] == "bfloat16" and data.ndim > 1:
                bits = (data.view(numpy.uint32) >> 16).astype(numpy.uint16)
                w.add_tensor(name, bits.view(numpy.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
            else:
                w.add_tensor(name, data)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_BF16 if case["dtype"] == "bfloat16" else gguf.LlamaFileType.ALL_F32)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return path


def measure(engine):
    """Median milliseconds of a call, over a slice of time."""
    engine.run()  # others have had the caches and the threads
    times, start = [], time.perf_counter()
    while len(times) < 2 or time.perf_counter() - start < SLICE:
        t = time.perf_counter()
        engine.run()
        times.append((time.perf_counter() - t) * 1e3)
    return statistics.median(times)


def run_case(row, threads, rounds):
    """Engine name -> milliseconds of each round."""
    import numpy
    import transformers
    name, config_name, dtype, batch, length, past, new = row + (0,) * (7 - len(row))
    path = model_directory(config_name, dtype)
    config = transformers.AutoConfig.from_pretrained(path)
    inputs, past_ids = inputs_of(config, batch, length, past)
    case = {"name": name, "path": path, "config": config, "dtype": dtype, "inputs": inputs, "past_ids": past_ids,
            "keep": 1 if config.model_type == "llama" else 0, "new": new}
    engines = []
    for kind in (Hfm, HfmUnpacked, OnnxRuntime, Torch, TorchEager, LlamaCpp):
        try:
            engines.append(kind(case, threads))
        except ImportError as e:
            print("  %s: not here (%s)" % (kind.name, e), file=sys.stderr)
        except NotThis:
            pass
    want = engines[0].output()
    for engine in list(engines[1:]):
        got = engine.output()
        worst = numpy.inf
        if got.shape == want.shape:
            worst = float(numpy.abs(got - want).max() / max(numpy.abs(want).max(), 1e-30))
        if not worst <= (5e-2 if dtype == "bfloat16" else getattr(engine, "tolerance", 1e-3)):
            print("  %s: %s gives other numbers (%.2g of the largest): left out" % (name, engine.name, worst),
                  file=sys.stderr)
            engines.remove(engine)
    times = {engine.name: [] for engine in engines}
    for _ in range(rounds):
        for engine in engines:
            times[engine.name].append(measure(engine))
            time.sleep(0.03)  # until its threads have stopped spinning
    isa = engines[0].isa
    for engine in engines:
        engine.close()
    return isa, times


def ratio(ours, theirs):
    return "%.2f / %.2f" % (min(ours) / min(theirs), statistics.median(ours) / statistics.median(theirs))


def table(results):
    peers = ["onnxruntime", "torch", "torch eager", "llama.cpp"]
    peers = [p for p in peers if any(p in times for _, _, times in results)]
    lines = ["| model | threads | hfmodel.h ms, best / median | unpacked | " + " | ".join(peers) + " | ratio to " +
             ", ".join(peers) + " |", "|---|--:|--:|--:|" + "--:|" * len(peers) + "---|"]
    for name, threads, times in results:
        show = lambda t: "%.2f / %.2f" % (min(t), statistics.median(t))  # noqa: E731
        ours = times["hfmodel.h"]
        lines.append("| %s | %d | %s | %s | %s | %s |" % (
            name, threads, show(ours), show(times["hfmodel.h unpacked"]),
            " | ".join(show(times[p]) if p in times else "" for p in peers),
            ", ".join(ratio(ours, times[p]) for p in peers if p in times)))
    return "\n".join(lines)


def versions():
    from importlib.metadata import PackageNotFoundError, version
    out = []
    for package in ("torch", "transformers", "onnxruntime", "llama-cpp-python"):
        try:
            out.append("%s %s" % (package, version(package)))
        except PackageNotFoundError:
            out.append("%s: not there" % package)
    return ", ".join(out)


def processor():
    """What it calls itself, and its kind as a word."""
    try:
        with open("/proc/cpuinfo") as f:
            fields = dict(line.split(":", 1) for line in f if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        number = fields["cpu family"], fields["model"]
        return ("%s (family %s, model %s)" % ((fields["model name"],) + number),
                "%s-%s-%s" % ((fields["vendor_id"],) + number))
    except (OSError, KeyError):
        return platform.processor(), platform.machine()


def write(kind, text):
    """Replaces the block of this kind of machine in docs/benchmarks.md."""
    path = os.path.join(ROOT, "docs", "benchmarks.md")
    begin, end = "<!-- peers:%s:begin -->" % kind, "<!-- peers:%s:end -->" % kind
    with open(path) as f:
        page = f.read()
    block = "%s\n%s\n%s" % (begin, text, end)
    if begin in page:
        head, rest = page.split(begin, 1)
        page = head + block + rest.split(end, 1)[1]
    else:
        page = page.rstrip("\n") + "\n\n" + block + "\n"
    with open(path, "w") as f:
        f.write(page)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError:
        sys.exit("bench-peers: this Python has no torch and transformers: make bench-peers PYTHON=/path/to/python")
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    os.makedirs(WORK, exist_ok=True)
    results, isa = [], ""
    for threads in [args.threads] if args.threads else sorted({1, os.cpu_count() or 1}):
        for row in CASES:
            if args.words and not any(word in row[0] for word in args.words):
                continue
            isa, times = run_case(row, threads, args.rounds)
            results.append((row[0], threads, times))
            print("%-30s %d thread%s  %s" % (row[0], threads, "s" if threads > 1 else " ", "   ".join(
                "%s %.2f / %.2f ms%s" % (name, min(t), statistics.median(t),
                                        "" if name == "hfmodel.h" else " (%s)" % ratio(times["hfmodel.h"], t))
                for name, t in times.items())), flush=True)
    if args.write and results:
        command = "make bench-peers" if not args.words else "tools/bench/peers.py " + " ".join(args.words)
        name, kind = processor()
        about = ("%s; %s, %d processors, instruction set %s; %s; `%s`, %d rounds in turns. Times are best / median in "
                 "milliseconds; a ratio is our time over the peer's, of the bests and of the medians: below 1 is "
                 "faster."
                 % (datetime.date.today(), name, os.cpu_count() or 1, isa, versions(), command, args.rounds))
        write("%s:%s" % (kind, isa), "### %s, %s\n\n%s\n\n%s" % (
            kind, isa, textwrap.fill(about, 118, break_on_hyphens=False), table(results)))


if __name__ == "__main__":
    main()
