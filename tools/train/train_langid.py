#!/usr/bin/env python3
"""Trains examples/models/langid-bert: which language is this sentence in? A BertForSequenceClassification on bytes.

    pip install torch==2.15.0 transformers==5.23.0 safetensors==0.8.0
    python tools/train/train_langid.py        Debian with apt-get and dpkg-deb; twelve minutes on one core

The vocabulary needs no tokenizer: 0 is padding, 1 starts a text, 2 ends it, 3 + b is byte b of its UTF-8. The text
comes from langid_text.py. Of every language the first HELD_OUT sentences (in an order given by their hashes) are kept
apart; the first SHIPPED of them become heldout.txt. everyday.txt, two sentences of everyday life in each language, is
written by hand: what a model that has read only about computers makes of it.
"""

import os
import sys
import time

import torch
import transformers

sys.dont_write_bytecode = True
from langid_text import LANGUAGES, MOST, corpus  # noqa: E402

PINS = {"torch": "2.15.0", "transformers": "5.23.0"}
TARGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "models", "langid-bert")
PAD, CLS, SEP, FIRST = 0, 1, 2, 3
HELD_OUT, SHIPPED = 100, 10
STEPS, BATCH, POOL, PEAK = 10000, 32, 16, 1.5e-3
CODES = list(LANGUAGES)


def encode(text):
    return [CLS] + [FIRST + b for b in text.encode()[:MOST]] + [SEP]


def batch_of(texts):
    rows = [encode(text) for text in texts]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}


def start_with_waves(model):
    """A start that makes minutes of what would be hours: positions are waves, and head d of the first layer looks at
    the byte d places before, so that n-grams are there from the beginning. The last two heads stay random. All of it
    is trained like the rest."""
    config, layer = model.config, model.bert.encoder.layer[0].attention.self
    position = model.bert.embeddings.position_embeddings.weight
    words = model.bert.embeddings.word_embeddings.weight
    size = config.hidden_size // config.num_attention_heads
    half = size // 2
    speed = 3.0 * 0.6 ** torch.arange(half)
    angle = torch.arange(len(position))[:, None] * speed
    with torch.no_grad():
        words *= 2
        words[:, :size] *= 0.25  # the waves' place
        position *= 0.5
        position[:, :size] = 0.15 * torch.cat([angle.sin(), angle.cos()], 1)
        for back in range(config.num_attention_heads - 2):
            rows = slice(back * size, (back + 1) * size)
            cos, sin = (back * speed).cos().diag(), (back * speed).sin().diag()
            layer.query.weight[rows] *= 0.2
            layer.key.weight[rows] *= 0.2
            layer.query.weight[rows, :size] = 1.6 * torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)])
            layer.key.weight[rows, :size] = 1.6 * torch.eye(size)


def excerpt(text, limit, g):
    """Some words in a row, at most `limit` bytes, sometimes in lower or upper case or without punctuation."""
    chance = torch.rand(4, generator=g).tolist()
    if chance[0] < 0.15:
        text = text.lower()
    elif chance[0] < 0.18:
        text = text.upper()
    if chance[1] < 0.1:
        text = "".join(c for c in text if c.isalpha() or c.isspace())
    spaced = " " in text[:20]
    parts = text.split(" ") if spaced else list(text)
    start = int(chance[2] * chance[2] * len(parts))  # most often near the beginning
    out = ""
    for part in parts[start:]:
        longer = out + (" " if out and spaced else "") + part
        if out and len(longer.encode()) > limit:
            break
        out = longer
    return out


def batches(train, g):
    """POOL batches of (text, label), each of texts of about one length, in any order."""
    pool = []
    for label in torch.randint(0, len(CODES), (BATCH * POOL,), generator=g).tolist():
        pick = int(torch.randint(0, len(train[label]), (), generator=g))
        limit = MOST if torch.rand((), generator=g) < 0.3 else int(torch.randint(16, 110, (), generator=g))
        pool.append((excerpt(train[label][pick], limit, g), label))
    pool.sort(key=lambda pair: len(pair[0].encode()))
    return [pool[i * BATCH:(i + 1) * BATCH] for i in torch.randperm(POOL, generator=g).tolist()]


def accuracy(model, sentences):
    """-> share of right answers, and the wrong ones."""
    wrong = []
    with torch.no_grad():
        for i in range(0, len(sentences), 50):
            part = sentences[i:i + 50]
            guess = model(**batch_of([text for _, text in part])).logits.argmax(-1).tolist()
            wrong += [(code, CODES[k], text) for (code, text), k in zip(part, guess) if CODES[k] != code]
    return 1 - len(wrong) / len(sentences), wrong


def main():
    for package, version in PINS.items():
        found = sys.modules[package].__version__.split("+")[0]
        if found != version:
            sys.exit(f"{package} {version} is pinned, {found} is installed")
    torch.manual_seed(30)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    text = corpus()
    test = {code: sentences[:HELD_OUT] for code, sentences in text.items()}
    train = [sentences[HELD_OUT:] for sentences in text.values()]

    config = transformers.BertConfig(
        vocab_size=FIRST + 256, hidden_size=96, num_hidden_layers=2, num_attention_heads=6, intermediate_size=288,
        max_position_embeddings=MOST + 2, type_vocab_size=1, pad_token_id=PAD, bos_token_id=CLS, eos_token_id=SEP,
        initializer_range=0.06, hidden_dropout_prob=0.05, attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(CODES)), label2id={code: i for i, code in enumerate(CODES)},
        attn_implementation="eager")
    model = transformers.BertForSequenceClassification(config).train()
    start_with_waves(model)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True, lr=PEAK, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=STEPS, pct_start=0.1)
    g = torch.Generator().manual_seed(31)
    started, total = time.time(), 0.0
    for step in range(STEPS):
        if step % POOL == 0:
            pool = batches(train, g)
        texts, labels = zip(*pool[step % POOL])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(**batch_of(texts)).logits
        loss = torch.nn.functional.cross_entropy(logits.float(), torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 500 == 499:
            print(f"step {step + 1}: loss {total / 500:.3f}, {time.time() - started:.0f} s", flush=True)
            total = 0.0

    model.eval().to(torch.float16).save_pretrained(TARGET)
    os.chmod(os.path.join(TARGET, "model.safetensors"), 0o644)
    with open(os.path.join(TARGET, "heldout.txt"), "w", encoding="utf-8") as f:
        for i in range(SHIPPED):
            f.write("".join(f"{code}\t{sentences[i]}\n" for code, sentences in test.items()))

    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(TARGET, dtype=torch.float32).eval()
    every = [(code, s) for code, sentences in test.items() for s in sentences]
    shipped = [(code, s) for code, sentences in test.items() for s in sentences[:SHIPPED]]
    share, wrong = accuracy(loaded, every)
    print(f"{loaded.num_parameters()} parameters; held out: {100 * share:.1f} % of {len(every)} sentences, "
          f"{100 * accuracy(loaded, shipped)[0]:.1f} % of the {len(shipped)} in heldout.txt")
    for code, guess, sentence in wrong:
        print(f"  {code} taken for {guess}: {sentence}")
    everyday = os.path.join(TARGET, "everyday.txt")
    if os.path.exists(everyday):
        with open(everyday, encoding="utf-8") as f:
            lines = [tuple(line.rstrip("\n").split("\t")) for line in f]
        share, wrong = accuracy(loaded, lines)
        print(f"everyday.txt: {100 * share:.1f} % of {len(lines)}", wrong)


if __name__ == "__main__":
    main()
