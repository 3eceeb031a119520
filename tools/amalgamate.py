#!/usr/bin/env python3
"""Writes hfmodel.h, the product, from src/hfmodel.h: each quoted include is replaced by the file's text.

  tools/amalgamate.py               write ../hfmodel.h (left alone when nothing changed)
  tools/amalgamate.py --check       exit 1 with a diff when ../hfmodel.h is not what src/ gives
  tools/amalgamate.py --line        print it with #line marks, so that a debugger shows src/
  tools/amalgamate.py --list        print the top-level includes, one on each line, in order
  tools/amalgamate.py --upto NAME   print it cut off after the include NAME, or after the last one of folder NAME/
  tools/amalgamate.py -o FILE       write to FILE instead ("-" is standard output)

A file is expanded once; a second include of it is an error, because the unity build has no include guards either.
Only a file whose first line says `amalgamate: repeat` is expanded at each include. Needs only Python 3.6.
"""
import argparse
import difflib
import hashlib
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = os.path.join(ROOT, "src")
MANIFEST = "hfmodel.h"
GUARD = "#define HFMODEL_H"
BANNER = ("/* hfmodel.h, one file, nothing else to install. Generated from src/ by tools/amalgamate.py: edit there.\n"
          "   Either the MIT licence or the Unlicense, at your choice: see the end of this file. */")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"\s*$')
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|/[*/]|[^"\'/]+|.')
CONDITION = re.compile(r"^\s*#\s*(if|ifdef|ifndef|endif)\b")


def fail(message):
    sys.exit("amalgamate: " + message)


def without_comments(lines):
    """The same number of lines with comments blanked: a directive in the manual's examples is not a directive."""
    inside = False
    for line in lines:
        code, at = "", 0
        while at < len(line):
            if inside:
                end = line.find("*/", at)
                inside = end < 0
                at = len(line) if inside else end + 2
                continue
            token = TOKEN.match(line, at).group()
            if token == "//":
                break
            if token == "/*":
                inside = True
            else:
                code += token
            at += len(token)
        yield code.rstrip()


class Amalgamator:
    def __init__(self, line_marks=False, upto=None):
        self.line_marks = line_marks
        self.upto = upto
        self.output = []
        self.expanded = {}  # path below src/ -> text, in the order of first use
        self.open_conditions = []

    def read(self, path):
        """The file's lines without trailing blanks, checked to be plain ASCII."""
        with open(os.path.join(SOURCE, *path.split("/")), "rb") as f:
            data = f.read()
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        for number, line in enumerate(lines, 1):
            bad = [b for b in line if b > 126 or (b < 32 and b != 9)]
            if bad:
                fail("src/%s:%d: byte 0x%02x is not printable ASCII" % (path, number, bad[0]))
        lines = [line.decode("ascii").rstrip() for line in lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def resolve(self, name, includer, number):
        """As the compiler does with -Isrc: beside the including file, then below src/."""
        for base in (os.path.dirname(includer), ""):
            path = os.path.normpath(os.path.join(base, name)).replace(os.sep, "/")
            if not path.startswith("..") and os.path.isfile(os.path.join(SOURCE, *path.split("/"))):
                return path
        fail("src/%s:%d: there is no src/%s" % (includer, number, name))

    def mark(self, number, path):
        if self.line_marks:
            self.output.append('#line %d "src/%s"' % (number, path))

    def expand(self, path, stack=()):
        if path in stack:
            fail("src/%s includes itself by way of %s" % (path, " -> ".join(stack)))
        lines = self.read(path)
        repeats = bool(lines) and "amalgamate: repeat" in lines[0]
        if path in self.expanded and not repeats:
            fail("src/%s is included a second time, by src/%s" % (path, stack[-1]))
        self.expanded[path] = "\n".join(lines)
        self.mark(1, path)
        codes = list(without_comments(lines))
        for number, (line, code) in enumerate(zip(lines, codes), 1):
            self.track_condition(code)
            include = INCLUDE.match(code)
            if not include:
                self.output.append(line)
                continue
            inner = self.resolve(include.group(1), path, number)
            self.output.append("/* ==== begin src/%s ==== */" % inner)
            self.expand(inner, stack + (path,))
            self.output.append("/* ==== end src/%s ==== */" % inner)
            self.mark(number + 1, path)
            if not stack and self.is_last(inner, codes[number:]):
                self.output += ["#endif /* %s */" % text for text in reversed(self.open_conditions)]
                return

    def is_last(self, path, rest):
        """1 where --upto asks to stop after this top-level include."""
        if not self.upto:
            return False
        if path == self.upto:
            return True
        later = [m.group(1) for m in map(INCLUDE.match, rest) if m]
        return path.startswith(self.upto + "/") and not any(name.startswith(self.upto + "/") for name in later)

    def track_condition(self, line):
        condition = CONDITION.match(line)
        if condition and condition.group(1) == "endif":
            self.open_conditions.pop()
        elif condition:
            self.open_conditions.append(line.strip())

    def source_id(self):
        digest = hashlib.sha256()
        for path in sorted(self.expanded):
            digest.update(("%s\n%s\n" % (path, self.expanded[path])).encode("ascii"))
        return digest.hexdigest()[:16]


def drop_leading_comment(lines):
    """The manifest's own introduction speaks to developers; the product opens with the banner and the manual."""
    text = "\n".join(lines)
    if text.startswith("/*"):
        text = text[text.index("*/") + 2:].lstrip("\n")
    return text.split("\n")


def licence_comment():
    with open(os.path.join(ROOT, "LICENSE"), encoding="ascii") as f:
        return "/*\n" + f.read().rstrip() + "\n*/"


def amalgamate(line_marks, upto):
    a = Amalgamator(line_marks, upto)
    a.expand(MANIFEST)
    if upto and not any(p == upto or p.startswith(upto + "/") for p in a.expanded):
        fail("src/%s includes no %s" % (MANIFEST, upto))
    lines = a.output if line_marks else drop_leading_comment(a.output)
    if GUARD not in lines:
        fail("src/%s has no line '%s'" % (MANIFEST, GUARD))
    at = lines.index(GUARD) + 1
    lines[at:at] = ['#define HFMODEL_SOURCE_ID "%s" /* of the src/ that this file was made from */' % a.source_id()]
    if line_marks:
        lines[at + 1:at + 1] = ['#line %d "src/%s"' % (at, MANIFEST)]
    return "\n".join([BANNER] + lines + ["", licence_comment()]) + "\n"


def top_level_includes():
    a = Amalgamator()
    return [a.resolve(m.group(1), MANIFEST, 0) for m in map(INCLUDE.match, without_comments(a.read(MANIFEST))) if m]


def check(path, text):
    try:
        with open(path, "rb") as f:
            found = f.read().decode("latin-1")
    except OSError as e:
        fail(str(e))
    if found == text:
        return
    diff = difflib.unified_diff(found.split("\n"), text.split("\n"), path, "what src/ gives", lineterm="", n=1)
    for count, line in enumerate(diff):
        if count == 40:
            print("...")
            break
        print(line)
    fail("%s does not match src/: run `make hfmodel.h` and commit the result" % os.path.basename(path))


def write(path, text):
    if path == "-":
        sys.stdout.write(text)
        return
    data = text.encode("ascii")
    if os.path.isfile(path):
        with open(path, "rb") as f:
            if f.read() == data:
                return
    with open(path, "wb") as f:
        f.write(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--line", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--upto", metavar="NAME")
    parser.add_argument("-o", metavar="FILE", dest="output")
    args = parser.parse_args()
    product = os.path.join(ROOT, "hfmodel.h")
    if args.list:
        print("\n".join(top_level_includes()))
    elif args.check:
        check(args.output or product, amalgamate(args.line, args.upto))
    else:
        write(args.output or ("-" if args.line or args.upto else product), amalgamate(args.line, args.upto))


if __name__ == "__main__":
    main()
