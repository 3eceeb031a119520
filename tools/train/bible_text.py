"""The World English Bible out of a Debian package, for train_bible.py.

sword-text-web 426.0-1 holds it in the form of the SWORD library, with footnotes and the numbers of a lexicon; its
text is in the public domain. `fetch` gets it with apt-get download (Debian 12, or a mirror or snapshot of it) and
unpacks it with dpkg-deb; nothing is installed.
"""

import glob
import os
import re
import struct
import subprocess
import zlib

PACKAGE, VERSION = "sword-text-web", "426.0-1"
CACHE = os.path.join("build", "bible-text")
MODULE = os.path.join(CACHE, "usr/share/sword/modules/texts/ztext/engWEB2015eb")
MIXED = {"EsthGr", "DanGr"}  # Esther again, of which most lies in verses of other numbers; Daniel again
ASCII = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2014": "--", "\u2013": "-",
                       "\u00d7": "x", "\u00bd": " 1/2"})


def fetch():
    os.makedirs(CACHE, exist_ok=True)
    if not os.path.isdir(MODULE):
        subprocess.run(["apt-get", "download", f"{PACKAGE}={VERSION}"], cwd=CACHE, check=True)
        deb, = glob.glob(os.path.join(CACHE, f"{PACKAGE}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", deb, CACHE], check=True)


def markup(testament):
    """All of a testament as OSIS. A table of (offset, size, unpacked size) says where its compressed blocks lie."""
    with open(os.path.join(MODULE, testament + ".bzs"), "rb") as table, \
            open(os.path.join(MODULE, testament + ".bzz"), "rb") as data:
        packed = data.read()
        blocks = [zlib.decompress(packed[offset:offset + size])
                  for offset, size, _ in struct.iter_unpack("<III", table.read()) if size]
    return b"".join(blocks).decode()


def paragraphs(osis):
    """The paragraphs of a chapter's markup, and a poem's stanzas, as plain ASCII."""
    osis = re.sub(r"<(note|title|speaker)\b.*?</\1>", " ", osis, flags=re.S)
    osis = re.sub(r"<(?:lg|div [^>]*type=\"x-p\")[^>]*>", "\n", osis)
    osis = re.sub(r"<l [^>]*>|<lb[^>]*>", " ", osis)
    text = re.sub(r"<[^>]+>", "", osis).translate(ASCII)
    for paragraph in text.split("\n"):
        paragraph = re.sub(r" +([,.;:?!])", r"\1", " ".join(paragraph.split()))
        if paragraph:
            yield paragraph.encode("ascii", "ignore")


def chapters():
    """-> [(such as Gen.1, its paragraphs, each ended by a line feed)] in the order of the book."""
    fetch()
    found = []
    for testament in ("ot", "nt"):
        for name, osis in re.findall(r'<chapter [^>]*osisID="([^"]+)"[^>]*sID="[^"]+"/>(.*?)<chapter eID="\1"/>',
                                     markup(testament), re.S):
            if name.split(".")[0] not in MIXED:
                found.append((name, b"".join(paragraph + b"\n" for paragraph in paragraphs(osis))))
    return found
