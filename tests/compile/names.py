#!/usr/bin/env python3
"""Lists the names that hfmodel.h puts into its user's file and that do not carry the prefix.

Reads what `cc -E -dD` printed. The line marks in it say which lines come from hfmodel.h, so nothing has to be known
about system headers. Prints each offender once; exit code 1 if there is one.

  macros        defined and not undefined again: HFM_, HFM__, HFMODEL_
  at file scope functions, objects, typedefs, struct/union/enum tags and enumerators: hfm_, hfm__ (HFM_ for enumerators)

usage: names.py [--count] [--allow FILE]     FILE: one regular expression on each line; C library functions that the
header may declare again, because -std=c99 hides them.
"""
import argparse
import re
import sys

LINE_MARK = re.compile(r'^# (\d+) "((?:\\.|[^"])*)"')
DIRECTIVE = re.compile(r"^\s*#\s*(define|undef)\s+(\w+)")
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[A-Za-z_]\w*|\d[\w.]*|\S')
PREFIX = re.compile(r"^(hfm_|HFM_|HFMODEL_)")
NOT_NAMES = set("""auto break case char const continue default do double else enum extern float for goto if inline int
  long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
  class __attribute__ __extension__ __inline __inline__ __declspec __forceinline __restrict __cdecl __stdcall
  __asm__ _Bool bool""".split())


def own_lines(text, header):
    inside = False
    for line in text.split("\n"):
        mark = LINE_MARK.match(line)
        if mark:
            inside = mark.group(2).split("/")[-1] == header
        elif inside:
            yield line


def macros(lines):
    """What stays defined, and what of others' is taken away; a macro defined for one include and undefined is fine."""
    alive, bad = set(), set()
    for line in lines:
        m = DIRECTIVE.match(line)
        if not m or PREFIX.match(m.group(2)):
            continue
        if m.group(1) == "define":
            alive.add(m.group(2))
        elif m.group(2) in alive:
            alive.remove(m.group(2))
        else:
            bad.add("#undef " + m.group(2))
    return {"#define " + name for name in alive} | bad


def skip_group(tokens, at, opening, closing):
    """The index after the group that starts at tokens[at]."""
    depth = 0
    while at < len(tokens):
        depth += (tokens[at] == opening) - (tokens[at] == closing)
        at += 1
        if depth == 0:
            break
    return at


def declared_names(tokens):
    """Names that a translation unit's tokens declare at file scope."""
    at, last, pending, typedef = 0, None, [], False
    while at < len(tokens):
        t = tokens[at]
        if t == "extern" and at + 2 < len(tokens) and tokens[at + 1].startswith('"') and tokens[at + 2] == "{":
            at += 3  # extern "C" {
        elif t in ("__attribute__", "__declspec", "__asm__", "_Pragma"):
            at = skip_group(tokens, at + 1, "(", ")")
        elif t in ("struct", "union", "enum"):
            at += 1
            while tokens[at] in ("__attribute__", "__declspec"):
                at = skip_group(tokens, at + 1, "(", ")")
            if re.match(r"[A-Za-z_]", tokens[at]):
                if tokens[at + 1] in ("{", ";"):
                    yield tokens[at]
                at += 1
            if tokens[at] == "{":
                end = skip_group(tokens, at, "{", "}")
                body = tokens[at + 1:end - 1]
                if t == "enum":
                    depth, expect = 0, True
                    for word in body:
                        if expect and depth == 0:
                            yield word
                        depth += (word in "([") - (word in ")]")
                        expect = word == "," and depth == 0
                else:  # tags of nested structs are at file scope too, in C
                    for k in range(len(body) - 2):
                        if body[k] in ("struct", "union", "enum") and body[k + 2] == "{":
                            yield body[k + 1]
                at = end
            last = None
        elif t == "{":  # the body of a function
            at = skip_group(tokens, at, "{", "}")
            yield from pending
            last, pending, typedef = None, [], False
        elif t == "=":  # an initialiser
            while tokens[at] not in ";,":
                pair = {"{": "}", "(": ")"}.get(tokens[at])
                at = skip_group(tokens, at, tokens[at], pair) if pair else at + 1
        elif t == "(":
            inner = tokens[at + 1:at + 3]
            if inner[:1] == ["*"] and last is None or (inner[:1] == ["*"] and tokens[at + 3] in (")", "(")):
                pending.append(inner[1])  # a pointer to a function: int (*name)(...)
                at = skip_group(tokens, at, "(", ")")
                at = skip_group(tokens, at, "(", ")") if at < len(tokens) and tokens[at] == "(" else at
            else:
                if last:
                    pending.append(last)
                at = skip_group(tokens, at, "(", ")")
            last = None
        elif t in ("[", ",", ";", "}"):
            if last:
                pending.append(last)
            last = None
            at = skip_group(tokens, at, "[", "]") if t == "[" else at + 1
            if t == ";":
                yield from pending
                pending = []
        else:
            last = t if re.match(r"[A-Za-z_]", t) and t not in NOT_NAMES else None if t == "*" else last
            at += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--allow", metavar="FILE")
    args = parser.parse_args()
    lines = list(own_lines(sys.stdin.read(), "hfmodel.h"))
    code = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    names = set(declared_names(TOKEN.findall(code)))
    if args.count:
        print(len(names))
        return
    allowed = re.compile("$.")
    if args.allow:
        with open(args.allow, encoding="ascii") as f:
            allowed = re.compile("^(%s)$" % "|".join(f.read().split()))
    offenders = sorted(macros(lines)) + sorted(n for n in names if not PREFIX.match(n) and not allowed.match(n))
    print("\n".join(offenders))
    sys.exit(1 if offenders else 0)


if __name__ == "__main__":
    main()
