#!/usr/bin/env python3
"""make bench-peers: the same models, sizes and threads in hfmodel.h, onnxruntime and torch, in turns.

Needs torch, transformers, onnx and onnxruntime in the Python that runs it (make bench-peers PYTHON=...); what is not there
is named and left out. Weights are random: the time does not depend on them.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = [("bert-base", 1, 16), ("bert-base", 1, 128), ("bert-base", 1, 512), ("bert-base", 8, 128),
         ("gpt2", 1, 128), ("vit-base", 1, None)]
ROUNDS = 3
SECONDS = 2.0


def measure(call):
    """Median milliseconds over about SECONDS."""
    call()
    times, start = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < SECONDS:
        t = time.perf_counter()
        call()
        times.append((time.perf_counter() - t) * 1e3)
    return statistics.median(times)


def hfm(name, batch, length, threads):
    command = [os.path.join(ROOT, "build", "hfm"), "bench", os.path.join(ROOT, "tools", "bench", name),
               "--random-weights", "--json", "--batch", str(batch), "--threads", str(threads)]
    if length:
        command += ["--length", str(length)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["median_ms"]


def torch_model(name, batch, length):
    import torch
    import transformers
    torch.manual_seed(0)
    config = transformers.AutoConfig.from_pretrained(os.path.join(ROOT, "tools", "bench", name))
    config.use_cache = False
    model = getattr(transformers, config.architectures[0])(config).eval()
    if length:
        inputs = {"input_ids": torch.arange(batch * length).reshape(batch, length) % config.vocab_size,
                  "attention_mask": torch.ones(batch, length, dtype=torch.int64)}
    else:
        inputs = {"pixel_values": torch.rand(batch, config.num_channels, config.image_size, config.image_size)}
    return model, inputs


def onnx_session(model, inputs, threads, folder):
    import onnxruntime
    import torch

    class First(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *values):
            return self.model(**dict(zip(names, values)))[0]

    path = os.path.join(folder, "model.onnx")
    names = list(inputs)
    with torch.no_grad():
        torch.onnx.export(First(), tuple(inputs.values()), path, input_names=names, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    used = {i.name for i in session.get_inputs()}
    feed = {name: value.numpy() for name, value in inputs.items() if name in used}
    return lambda: session.run(None, feed)


def main():
    try:
        import torch
    except ImportError:
        sys.exit("bench-peers: this Python has no torch: make bench-peers PYTHON=/path/to/python")
    warnings.simplefilter("ignore")
    all_threads = os.cpu_count() or 1
    print("%-12s %5s %6s %7s %12s %12s %12s %10s" % ("model", "batch", "length", "threads", "hfmodel.h ms",
                                                     "onnxruntime", "torch", "hfm / ort"))
    for threads in sorted({1, all_threads}):
        torch.set_num_threads(threads)
        for name, batch, length in CASES:
            model, inputs = torch_model(name, batch, length)
            with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
                try:
                    run_onnx = onnx_session(model, inputs, threads, folder)
                except Exception as e:  # an exporter or a package that is not there
                    print("  no onnxruntime figure: %s" % str(e).split("\n")[0])
                    run_onnx = None
                times = {"hfm": [], "ort": [], "torch": []}
                for _ in range(ROUNDS):
                    times["hfm"].append(hfm(name, batch, length, threads))
                    if run_onnx:
                        times["ort"].append(measure(run_onnx))
                    times["torch"].append(measure(lambda: model(**inputs)))
            best = {key: min(values) for key, values in times.items() if values}
            print("%-12s %5d %6s %7d %12.2f %12s %12.2f %10s" % (
                name, batch, length or "-", threads, best["hfm"], "%.2f" % best["ort"] if run_onnx else "-",
                best["torch"], "%.2f" % (best["hfm"] / best["ort"]) if run_onnx else "-"), flush=True)


if __name__ == "__main__":
    main()
