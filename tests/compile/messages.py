"""messages.py TABLE UNREACHED SOURCE...: every message that the sources make is a line of the table of errors.

A message is a call of one of CALLS; its text, and each text that is put into it (where it says "%s"), are looked for in
the messages of the table. A conversion stands for anything. UNREACHED has those that no test of the table can bring
about, each after the line that says why ("# why"); one that the table has, or no source, is one too many.
"""
import re
import sys

# name: which argument is the text, what stands before it in the message, and what after.
CALLS = {
    "hfm__fail": (5, "(.*: )?", ""),
    "hfm__fail_null": (1, "", " must not be NULL"),
    "hfm__json_fail": (3, ".*: byte [0-9]+: ", " expected, (found .*|but the text ends)"),
    "hfm__safetensors_bad": (4, ".*: byte [0-9]+: (tensor '.*': )?", ""),
    "hfm__safetensors_wrong": (4, ".*: byte [0-9]+: (tensor '.*': )?", ", found .*"),
    "hfm__index_bad": (3, ".*: byte [0-9]+: (shard name '.*' )?", ""),
    "hfm__index_wrong": (2, ".*: byte [0-9]+: ", ", found .*"),
    "hfm__zip_bad": (4, ".*: byte [0-9]+: (zip entry '.*': )?", ""),
    "hfm__torch_bad": (3, ".*: byte [0-9]+: tensor '.*': ", ""),
    "hfm__torch_legacy_bad": (3, ".*: byte [0-9]+: legacy .bin file: (storage '.*': )?", ""),
    "hfm__torch_legacy_found": (2, ".*: byte [0-9]+: legacy .bin file: ", " expected, found .*"),
    "hfm__pickle_fail": (2, ".*: byte [0-9]+: pickle: ", ""),
    "hfm__pickle_wrong": (2, ".*: byte [0-9]+: pickle: ", ", found .*"),
    "hfm__gguf_fail": (3, ".*: byte [0-9]+: (.*: )?", ""),
    "hfm__gguf_need": (3, ".*: byte [0-9]+: (.*: )?", " (takes|reaches) .*"),
    "hfm__gguf_number": (3, ".*: byte [0-9]+: (.*: )?", " (takes|reaches) .*"),
    "hfm__gguf_length": (2, ".*: byte [0-9]+: (.*: )?", " (takes|reaches) .*"),
    "hfm__config_wrong": (2, "(.*: )?'.*' must be ", ", found .*"),
    "hfm__config_no_place": (2, "(.*: )?'.*': ", ""),
    "hfm__pieces_wrong": (3, ".*: .* is made of several tensors, one of them '.*', ", ""),
    "hfm__refuse": (3, "(.*: )?'.*' is '.*', which is not supported: ", ""),
    "hfm__require": (4, ".*", ".*"),
    "hfm__input_ids": (3, ".*", ".*"),
    "hfm__input_bad_dtype": (2, ".*", ".*"),
    "hfm__prompt_like": (4, ".*", ".*"),
}
# They format other texts.
OTHERS = {"hfm__text_format", "hfm__log", "hfm__own_text"}
# Functions that return texts which are put into messages.
TEXTS = {"hfm__unsafe_name", "hfm__file_guess"}
# What the conversions write.
CONVERSIONS = {"s": ".*", "q": "'.*'", "d": "-?[0-9]+", "i": "-?[0-9]+", "u": "[0-9]+", "g": "[-+0-9.einfa]+",
               "t": r"\[[-0-9, ]*\]", "%": "%"}

TOKEN = re.compile(
    r'/\*.*?\*/|(?P<string>"(?:[^"\\\n]|\\.)*")|\'(?:[^\'\\\n]|\\.)*\'|(?P<word>[A-Za-z_]\w*)|\s+|(?P<other>.)', re.S)


def tokens(text):
    """(kind, text, line) of each string, word and other character."""
    line = 1
    for m in TOKEN.finditer(text):
        if m.lastgroup:
            yield m.lastgroup, m.group(m.lastgroup), line
        line += m.group().count("\n")


def unescape(literal):
    return re.sub(r"\\(.)", r"\1", literal[1:-1])


def named(text):
    """(name, line, string) of each static text."""
    for m in re.finditer(r'static const char (\w+)\[\] =\s*((?:"(?:[^"\\\n]|\\.)*"\s*)+)', text):
        strings = [t for kind, t, _ in tokens(m.group(2)) if kind == "string"]
        more = "" if text[m.end()] == ";" else "%s"  # a macro goes on
        yield m.group(1), text.count("\n", 0, m.start()) + 1, "".join(unescape(t) for t in strings) + more


def texts(argument, names):
    """The strings of an argument; what is written side by side is one, and a macro between two is "%s"."""
    found = None
    if len(argument) == 1 and argument[0][0] == "word":  # the static text of that name that stands last before
        before = [(line, text) for name, line, text in names if name == argument[0][1] and line <= argument[0][2]]
        yield from ((text, line) for line, text in before[-1:])
    for kind, text, line in argument + [("other", ",", 0)]:
        if kind == "string":
            found = (found[0] + unescape(text), found[1]) if found else (unescape(text), line)
        elif found and kind == "word" and text.isupper():
            found = (found[0] + "%s", found[1])
        elif found:
            yield found
            found = None


def calls(text):
    """(name, arguments) of each call of CALLS, where it is one and no definition."""
    all_tokens = list(tokens(text))
    for i, (kind, name, _) in enumerate(all_tokens[:-1]):
        if kind != "word" or name not in CALLS or all_tokens[i + 1][1] != "(":
            continue
        arguments, depth = [[]], 0
        for token in all_tokens[i + 1:]:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token[1], 0) if token[0] == "other" else 0
            if depth == 0:
                break
            if token[1] == "," and token[0] == "other" and depth == 1:
                arguments.append([])
            else:
                arguments[-1].append(token)
        yield name, arguments


def returned(text):
    """(text, line) of each string that a function of TEXTS returns: they end with the first line that is a brace."""
    for name in TEXTS:
        for body in re.finditer(r"\b%s\([^;]*?\{\n.*?^\}" % name, text, re.S | re.M):
            line = text.count("\n", 0, body.start()) + 1
            found = list(tokens(body.group()))
            for before, token in zip(found, found[1:]):
                if before[1] == "return" and token[0] == "string" and len(token[1]) > 2:
                    yield unescape(token[1]), line + token[2] - 1


def pattern(text):
    parts = re.split("(%.)", text)
    return "".join(CONVERSIONS[p[1]] if len(p) == 2 and p[0] == "%" else re.escape(p) for p in parts)


def says_something(text):
    return len(re.sub("%[a-z]|[^A-Za-z]", "", text)) > 2


def sites(path, text):
    """(path:line, text, regular expression of a whole message)."""
    names = list(named(text))
    for name, arguments in calls(text):
        which, before, after = CALLS[name]
        for number, argument in enumerate(arguments[which:]):
            for said, line in texts(argument, names):
                if not says_something(said):
                    continue
                whole = before + pattern(said) + after if number == 0 else ".*" + pattern(said) + ".*"
                yield "%s:%d" % (path, line), said, whole
    for said, line in returned(text):
        yield "%s:%d" % (path, line), said, ".*" + pattern(said) + ".*"


def main():
    with open(sys.argv[1], encoding="latin-1") as f:
        table = [line[4:-1] for line in f if line.startswith("    ")]
    with open(sys.argv[2], encoding="latin-1") as f:
        unreached = {line.rstrip("\n"): 0 for line in f if line.strip() and not line.startswith("#")}
    wrong = count = 0
    for path in sys.argv[3:]:
        with open(path, encoding="latin-1") as f:
            source = f.read()
        for name in re.findall(r"^HFM__PRIVATE.*?(hfm__\w+)\([^()]*const char \*format, \.\.\.\)", source, re.M):
            if name not in CALLS and name not in OTHERS:
                print("%s: %s makes messages: CALLS of %s must have it" % (path, name, sys.argv[0]))
                wrong += 1
        for where, said, whole in sites(path, source):
            count += 1
            expression = re.compile(whole)
            in_table = any(expression.fullmatch(line) for line in table)
            if said in unreached:
                unreached[said] += 1
                if in_table:
                    print("%s: the table has it, so it is not unreached: %s" % (where, said))
                    wrong += 1
            elif not in_table:
                print("%s: no row of the table: %s" % (where, said))
                wrong += 1
    for said in sorted(said for said in unreached if not unreached[said]):
        print("%s: no source says: %s" % (sys.argv[2], said))
        wrong += 1
    print("%d texts of messages, %d wrong" % (count, wrong))
    return 1 if wrong else 0


sys.exit(main())
