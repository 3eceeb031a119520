#!/usr/bin/env python3
"""Trains examples/models/bible-llama: a LlamaForCausalLM that writes on in the manner of the Bible.

    pip install torch==2.15.0 transformers==5.23.0 safetensors==0.8.0 tokenizers==0.23.3
    python tools/train/train_bible.py        Debian with apt-get and dpkg-deb; eight minutes on one core

The text comes from bible_text.py. Its vocabulary is small enough for a program to look its tokens up by itself: the
longest token that the text begins with is the next one, and the file vocab.txt has a token in each line. Chapters that
a hash picks are kept apart; what is printed last is how many bits the model needs for a byte of them, and how many
others need: xz and a model of order 5, both of which know the rest of the text.
"""

import collections
import hashlib
import lzma
import math
import os
import sys
import time

import tokenizers
import torch
import transformers

sys.dont_write_bytecode = True
from bible_text import chapters  # noqa: E402

PINS = {"torch": "2.15.0", "transformers": "5.23.0", "tokenizers": "0.23.3"}
TARGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "models", "bible-llama")
END = "\n"  # of a paragraph; what comes after it is the beginning of one
TOKENS, CONTEXT, BATCH = 1024, 192, 10
RATES = ((0, 0.02), (49, 1.0), (1000, 1.0), (1320, 0.68), (1600, 0.0))  # straight lines between these
ADAM, MUON = 4e-3, 0.02  # the highest learning rates: of embeddings and norms, of matrices


def held_out(chapter):
    return hashlib.sha256(chapter.encode()).digest()[0] < 6


def make_tokenizer(text):
    """The tokens are those that byte pairs make of the text. No token goes on into the next word, so that the longest
    one that fits can be taken without looking where words end."""
    words = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"\n| ?[A-Za-z]+| ?[0-9]+| ?[^A-Za-z0-9 \n]+"), "isolated")
    pairs = tokenizers.Tokenizer(tokenizers.models.BPE())
    pairs.pre_tokenizer = words
    pairs.train_from_iterator([text], tokenizers.trainers.BpeTrainer(
        vocab_size=TOKENS, initial_alphabet=[END] + [chr(c) for c in range(32, 127)], show_progress=False))
    found = sorted(pairs.get_vocab(), key=lambda token: (token != END, len(token), token))
    longest = tokenizers.Tokenizer(tokenizers.models.WordPiece(
        {token: i for i, token in enumerate(found)}, unk_token="?", continuing_subword_prefix=""))
    longest.pre_tokenizer = words
    longest.decoder = tokenizers.decoders.Fuse()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=longest, bos_token=END, eos_token=END)


def encode(tokenizer, text):
    rows = tokenizer(text.splitlines(keepends=True), add_special_tokens=False)["input_ids"]
    return torch.tensor([i for row in rows for i in row])


def rate(step):
    """What the highest learning rates are multiplied by."""
    for (begin, first), (end, last) in zip(RATES, RATES[1:]):
        if step <= end:
            return first + (last - first) * (step - begin) / (end - begin)


def train(model, ids):
    hidden = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers = {MUON: torch.optim.Muon(hidden, lr=MUON, momentum=0.95, weight_decay=0.01),
                  ADAM: torch.optim.AdamW(others, lr=ADAM, betas=(0.9, 0.98), weight_decay=0.0, fused=True)}
    g = torch.Generator().manual_seed(41)
    window = torch.arange(CONTEXT + 1)
    started, total = time.time(), 0.0
    for step in range(RATES[-1][0]):
        batch = ids[torch.randint(0, len(ids) - CONTEXT, (BATCH, 1), generator=g) + window]
        loss = model(input_ids=batch, labels=batch, use_cache=False).loss
        for highest, optimizer in optimizers.items():
            optimizer.zero_grad()
            optimizer.param_groups[0]["lr"] = highest * rate(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers.values():
            optimizer.step()
        total += loss.item()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {total / 100:.3f}, {time.time() - started:.0f} s", flush=True)
            total = 0.0


def bits(model, ids):
    """That the model needs for all but the first token, each seen after half a context at least."""
    half, total = CONTEXT // 2, 0.0
    with torch.no_grad():
        for start in range(0, len(ids) - 1, half):
            begin = max(0, start - half)
            window = ids[begin:start + half + 1]
            logits = model(input_ids=window[None, :-1]).logits[0, start - begin:]
            total += torch.nn.functional.cross_entropy(logits, window[start - begin + 1:], reduction="sum").item()
    return total / math.log(2)


def bits_of_xz(known, text):
    size = [len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)) for data in (known, known + text)]
    return 8 * (size[1] - size[0])


def bits_of_order(order, known, text):
    """A byte's probability from how often it followed the `order` bytes before it, mixed with that from one byte less,
    the more the more different bytes have followed (Witten and Bell)."""
    counts, followers = collections.Counter(), collections.Counter()
    for n in range(order + 1):
        grams = collections.Counter(known[i:i + n + 1] for i in range(len(known) - n))
        counts.update(grams)
        followers.update(gram[:-1] for gram in grams)
    counts[b""] = len(known)
    total = 0.0
    for i in range(order, len(text)):
        p = 1 / 256
        for n in range(order + 1):
            context = text[i - n:i]
            seen = counts[context]
            if seen:
                p = (counts[context + text[i:i + 1]] + followers[context] * p) / (seen + followers[context])
        total -= math.log2(p)
    return total


def save(model, tokenizer):
    end = tokenizer.eos_token_id
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=end, eos_token_id=end, do_sample=True, temperature=0.6, top_p=0.9, no_repeat_ngram_size=8,
        max_new_tokens=CONTEXT)
    model.eval().to(torch.bfloat16).save_pretrained(TARGET)
    os.chmod(os.path.join(TARGET, "model.safetensors"), 0o644)
    tokenizer.save_pretrained(TARGET)
    with open(os.path.join(TARGET, "vocab.txt"), "w", encoding="ascii") as f:
        f.writelines(token.rstrip(END) + "\n" for token in tokenizer.convert_ids_to_tokens(range(len(tokenizer))))


def main():
    for package, version in PINS.items():
        found = sys.modules[package].__version__.split("+")[0]
        if found != version:
            sys.exit(f"{package} {version} is pinned, {found} is installed")
    torch.manual_seed(40)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    known, test = (b"".join(text for name, text in chapters() if held_out(name) == apart) for apart in (False, True))
    tokenizer = make_tokenizer(known.decode())
    ids, test_ids = encode(tokenizer, known.decode()), encode(tokenizer, test.decode())
    print(f"{len(known)} bytes, {len(ids)} tokens; held out: {len(test)} bytes, {len(test_ids)} tokens", flush=True)

    end = tokenizer.eos_token_id
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=112, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=208, max_position_embeddings=2 * CONTEXT, tie_word_embeddings=True, initializer_range=0.05,
        bos_token_id=end, eos_token_id=end, pad_token_id=None)
    model = transformers.LlamaForCausalLM(config).train()
    train(model, ids)
    save(model, tokenizer)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(TARGET, dtype=torch.float32).eval()
    print(f"{loaded.num_parameters()} parameters; bits for a byte held out: {bits(loaded, test_ids) / len(test):.3f}, "
          f"xz {bits_of_xz(known, test) / len(test):.3f}, order 5 {bits_of_order(5, known, test) / len(test):.3f}")
    for i, start in enumerate(("\nDavid went out", "\nThe king said to him", "\nThere was a man of")):
        torch.manual_seed(i)
        print(tokenizer.decode(loaded.generate(input_ids=encode(tokenizer, start)[None])[0]).strip())


if __name__ == "__main__":
    main()
