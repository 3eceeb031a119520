"""Sentences in many languages out of two Debian packages, for train_langid.py.

Both are CC-BY-SA-3.0 (the handbook also GPL-2+): gnome-user-docs 43.0-2, (C) 2010-2014 Shaun McCance and the
contributors of the GNOME documentation project; debian-handbook 11.20220922, (C) 2003-2015 Raphael Hertzog, 2006-2015
Roland Mas, 2013-2015 Freexian SARL, and their translators. `fetch` gets them with apt-get download (Debian 12, or a
mirror or snapshot of it) and unpacks them with dpkg-deb; nothing is installed.
"""

import glob
import hashlib
import html
import os
import re
import subprocess

PACKAGES = {"gnome-user-docs": "43.0-2", "debian-handbook": "11.20220922"}
LANGUAGES = {  # code: name, folders of gnome-user-docs, folders of debian-handbook
    "ca": ("Catalan", ["ca"], ["ca-ES"]), "cs": ("Czech", ["cs"], ["cs-CZ"]), "da": ("Danish", ["da"], ["da-DK"]),
    "de": ("German", ["de"], ["de-DE"]), "el": ("Greek", ["el"], ["el-GR"]), "en": ("English", ["C"], ["en-US"]),
    "es": ("Spanish", ["es"], ["es-ES"]), "fi": ("Finnish", ["fi"], []), "fr": ("French", ["fr"], ["fr-FR"]),
    "hu": ("Hungarian", ["hu"], []), "id": ("Indonesian", ["id"], ["id-ID"]), "it": ("Italian", ["it"], ["it-IT"]),
    "ja": ("Japanese", ["ja"], ["ja-JP"]), "ko": ("Korean", ["ko"], ["ko-KR"]), "nl": ("Dutch", ["nl"], ["nl-NL"]),
    "pl": ("Polish", ["pl"], ["pl-PL"]), "pt": ("Portuguese", ["pt", "pt_BR"], ["pt-BR"]),
    "ru": ("Russian", ["ru"], ["ru-RU"]), "sl": ("Slovenian", ["sl"], []), "sv": ("Swedish", ["sv"], ["sv-SE"]),
    "uk": ("Ukrainian", ["uk"], []), "vi": ("Vietnamese", ["vi"], ["vi-VN"]),
    "zh": ("Chinese", ["zh_CN"], ["zh-CN", "zh-TW"]),
}
CACHE = os.path.join("build", "langid-text")
LEAST, MOST = 24, 126  # bytes of a sentence
OTHER_SCRIPTS = {"el", "ja", "ko", "ru", "uk", "zh"}
ENGLISH = set("the of and is are to for with from be this that can by on as your you it not".split())


def fetch():
    os.makedirs(CACHE, exist_ok=True)
    for package, version in PACKAGES.items():
        target = os.path.join(CACHE, package)
        if not os.path.isdir(target):
            subprocess.run(["apt-get", "download", f"{package}={version}"], cwd=CACHE, check=True)
            deb, = glob.glob(os.path.join(CACHE, f"{package}_*.deb"))
            subprocess.run(["dpkg-deb", "-x", deb, target], check=True)


def paragraphs(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if path.endswith(".html"):
        found = re.findall(r'<div class="para">\s*(.*?)</div>', text, re.S)
    else:
        found = re.findall(r"<(?:p|title|desc)(?:\s[^>]*)?>(.*?)</(?:p|title|desc)>", text, re.S)
    for paragraph in found:
        if not re.search(r"<(?:pre|code|screen|command|table|cmd|input|output)\b", paragraph):
            yield " ".join(html.unescape(re.sub(r"<[^>]+>", "", paragraph)).split())


def untranslated(code, sentence):
    """Left in English, wholly or mostly, as happens in both documents."""
    letters = [c for c in sentence if c.isalpha()]
    if code in OTHER_SCRIPTS:
        return sum(c.isascii() for c in letters) > len(letters) / 3
    return code != "en" and len(ENGLISH.intersection(sentence.lower().split())) >= 2


def sentences_of(code, gnome, handbook):
    paths = []
    for folder in gnome:
        paths += glob.glob(os.path.join(CACHE, "gnome-user-docs/usr/share/help", folder, "gnome-help", "*.page"))
    for folder in handbook:
        paths += glob.glob(os.path.join(CACHE, "debian-handbook/usr/share/doc/debian-handbook/html", folder, "*.html"))
    out = set()
    for path in sorted(paths):
        for paragraph in paragraphs(path):
            for sentence in re.split(r"(?<=[.!?;:])\s+|(?<=[。！？；：।])\s*", paragraph):
                if LEAST <= len(sentence.encode()) <= MOST and sum(c.isalpha() for c in sentence) > len(sentence) / 2 \
                        and not re.search(r"https?:|/\w+/|[{}<>=_|@]| symbol", sentence) \
                        and not untranslated(code, sentence):
                    out.add(sentence)
    return out


def corpus():
    """-> {code: sentences}, in an order that depends on the text only; what occurs in two languages is left out."""
    fetch()
    found = {code: sentences_of(code, gnome, handbook) for code, (_, gnome, handbook) in LANGUAGES.items()}
    seen = {}
    for sentences in found.values():
        for sentence in sentences:
            seen[sentence] = seen.get(sentence, 0) + 1
    return {code: sorted((s for s in sentences if seen[s] == 1 or code == "en"),
                         key=lambda s: hashlib.sha256(s.encode()).digest())
            for code, sentences in found.items()}
