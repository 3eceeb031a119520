#!/usr/bin/env python3
"""Draws docs/roofline.svg: how near the products come to what this machine's memory and arithmetic allow.

    python3 tools/bench/roofline.py [build/bench/kernels] [--rounds N]

Runs the kernel benchmark (make bench builds it) on one thread and needs nothing but Python's standard library.
"""
import json
import math
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 64, 24, 40, 56
X_RANGE, Y_LOW = (0.25, 512.0), 4.0
COLOURS = {"float32": "#1f5fa8", "bfloat16": "#b3541e", "float16": "#4f7f2e"}


def points(report):
    """(dtype, M, kept or not, flops per byte, best GF/s): the median shape for each."""
    found = {}
    for case in report["cases"]:
        m = re.match(r"linear (\w+) (\d+)x(\d+) M=(\d+) (rows|kept|per call)$", case["name"])
        if not m:
            continue
        dtype, n, k, rows = m.group(1), int(m.group(2)), int(m.group(3)), int(m.group(4))
        size = 4 if dtype == "float32" else 2
        flops, moved = 2.0 * rows * n * k, size * n * k + 4.0 * rows * (n + k)
        rate = case["best"] * flops / (size * n * k) if case["unit"] == "GB/s" else case["best"]
        found.setdefault((dtype, rows, m.group(5) != "per call"), []).append((flops / moved, rate))
    for (dtype, rows, kept), values in sorted(found.items()):
        yield (dtype, rows, kept) + sorted(values)[len(values) // 2]


def svg(report):
    peak, read = report["fma_gflops"], report["read_gbytes"]
    y_range = (Y_LOW, 2 ** math.ceil(math.log2(peak * 1.05)))

    def scale(v, low, high, start, end):
        return start + (end - start) * math.log(v / low) / math.log(high / low)

    def x(v):
        return scale(v, X_RANGE[0], X_RANGE[1], LEFT, WIDTH - RIGHT)

    def y(v):
        return scale(v, y_range[0], y_range[1], HEIGHT - BOTTOM, TOP)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">'
           % (WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="%d" y="20" font-size="14">Products on one core, %s: %.0f GF/s of multiply-adds, '
           '%.0f GB/s of reads</text>'
           % (LEFT, report["isa"], peak, read)]
    for power in range(math.ceil(math.log2(X_RANGE[0])), int(math.log2(X_RANGE[1])) + 1):
        out.append('<path d="M%.1f %dV%d" stroke="#eee"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>'
                   % (x(2.0 ** power), TOP, HEIGHT - BOTTOM, x(2.0 ** power), HEIGHT - BOTTOM + 16, 2.0 ** power))
    for power in range(math.ceil(math.log2(y_range[0])), int(math.log2(y_range[1])) + 1):
        out.append('<path d="M%d %.1fH%d" stroke="#eee"/><text x="%d" y="%.1f" text-anchor="end">%g</text>'
                   % (LEFT, y(2.0 ** power), WIDTH - RIGHT, LEFT - 6, y(2.0 ** power) + 4, 2.0 ** power))
    ridge = peak / read
    out.append('<path d="M%.1f %.1fL%.1f %.1fH%d" fill="none" stroke="#333" stroke-width="2"/>'
               % (x(max(X_RANGE[0], y_range[0] / read)), y(max(y_range[0], read * X_RANGE[0])), x(ridge), y(peak),
                  WIDTH - RIGHT))
    for dtype, rows, kept, intensity, rate in points(report):
        colour = COLOURS[dtype]
        out.append('<circle cx="%.1f" cy="%.1f" r="4" fill="%s" stroke="%s">'
                   '<title>%s, M=%d, %s: %.1f GF/s</title></circle>'
                   % (x(intensity), y(rate), colour if kept else "white", colour, dtype, rows,
                      "as stored" if rows <= 4 else "kept panels" if kept else "packed per call", rate))
    for i, (dtype, colour) in enumerate(COLOURS.items()):
        out.append('<circle cx="%d" cy="%d" r="4" fill="%s"/><text x="%d" y="%d">%s weights</text>'
                   % (WIDTH - 190, HEIGHT - BOTTOM - 68 + 18 * i, colour, WIDTH - 178, HEIGHT - BOTTOM - 64 + 18 * i,
                      dtype))
    out.append('<text x="%d" y="%d">hollow: packed per call</text>' % (WIDTH - 178, HEIGHT - BOTTOM - 10))
    out.append('<text x="%d" y="%d" text-anchor="middle">'
               'flops for each byte moved (rows of x: 1, 4, 8, 16, 32, 128, 512)</text>'
               % ((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 16))
    out.append('<text x="16" y="%d" transform="rotate(-90 16 %d)" text-anchor="middle">GF/s</text></svg>'
               % ((TOP + HEIGHT - BOTTOM) // 2, (TOP + HEIGHT - BOTTOM) // 2))
    return "\n".join(out) + "\n"


def main():
    arguments = sys.argv[1:]
    program = os.path.join(ROOT, "build/bench/kernels")
    if arguments and not arguments[0].startswith("-"):
        program = arguments.pop(0)
    if not os.path.exists(program):
        sys.exit("%s is not there: make bench builds it" % program)
    output = subprocess.run([program, "--json", "--threads", "1"] + arguments + ["linear"], check=True,
                            stdout=subprocess.PIPE)
    report = json.loads(output.stdout)
    path = os.path.join(ROOT, "docs", "roofline.svg")
    with open(path, "w") as f:
        f.write(svg(report))
    print(path)


if __name__ == "__main__":
    main()
