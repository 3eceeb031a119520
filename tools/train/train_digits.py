#!/usr/bin/env python3
"""Trains examples/models/digits-vit: a ViTForImageClassification for the handwritten digits of scikit-learn.

    pip install torch==2.15.0 transformers==5.23.0 safetensors==0.8.0 scikit-learn==1.9.1
    python tools/train/train_digits.py           two minutes on one core; prints the held-out accuracy

The settings were chosen by validation on a part of the training images, not on the 360 that are held out.
"""

import os
import sys

import sklearn
import torch
import transformers
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

PINS = {"torch": "2.15.0", "transformers": "5.23.0", "sklearn": "1.9.1"}
TARGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "models", "digits-vit")
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
EPOCHS, BATCH, PEAK = 160, 48, 2e-3


def augmented(images, g):
    """Small shifts, brightness and noise, so that 1437 images go further."""
    out = torch.full_like(images, -1.0)
    dy, dx = (torch.randint(-1, 2, (len(images),), generator=g) for _ in range(2))
    for i, (y, x) in enumerate(zip(dy.tolist(), dx.tolist())):
        if torch.rand((), generator=g) < 0.5:
            y = x = 0
        out[i, :, max(y, 0):8 + min(y, 0), max(x, 0):8 + min(x, 0)] = \
            images[i, :, max(-y, 0):8 + min(-y, 0), max(-x, 0):8 + min(-x, 0)]
    strength = 0.85 + 0.3 * torch.rand(len(images), 1, 1, 1, generator=g)
    out = (out + 1) * strength - 1 + 0.08 * torch.randn(out.shape, generator=g)
    return out.clamp(-1, 1)


def main():
    for package, version in PINS.items():
        found = sys.modules[package].__version__.split("+")[0]
        if found != version:
            sys.exit(f"{package} {version} is pinned, {found} is installed")
    torch.manual_seed(20)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1  # 0..16 becomes -1..1
    labels = torch.tensor(digits.target)
    train, test = train_test_split(range(len(labels)), test_size=360, random_state=0, stratify=digits.target)

    config = transformers.ViTConfig(
        hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96, image_size=8, patch_size=2,
        num_channels=1, id2label=dict(enumerate(NAMES)),
        label2id={name: i for i, name in enumerate(NAMES)})
    model = transformers.ViTForImageClassification(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.05)
    steps = EPOCHS * (len(train) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps, pct_start=0.1)
    g = torch.Generator().manual_seed(21)
    for epoch in range(EPOCHS):
        order = torch.tensor(train)[torch.randperm(len(train), generator=g)]
        total = 0.0
        for batch in order.split(BATCH)[:len(train) // BATCH]:
            logits = model(pixel_values=augmented(images[batch], g)).logits
            loss = torch.nn.functional.cross_entropy(logits, labels[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if epoch % 20 == 19:
            print(f"epoch {epoch + 1}: loss {total / (len(train) // BATCH):.3f}", flush=True)

    model.eval()
    model.save_pretrained(TARGET)
    transformers.ViTImageProcessor(
        do_resize=True, size={"height": 8, "width": 8}, do_rescale=True, rescale_factor=1 / 255, do_normalize=True,
        image_mean=[0.5], image_std=[0.5]).save_pretrained(TARGET)
    save_file({"pixel_values": images[test].contiguous(), "labels": labels[test].contiguous()},
              os.path.join(TARGET, "heldout.safetensors"))
    for name in ("model.safetensors", "heldout.safetensors"):
        os.chmod(os.path.join(TARGET, name), 0o644)
    seven = next(i for i in test if labels[i] == 7)
    with open(os.path.join(TARGET, "seven.pgm"), "w") as f:
        rows = "\n".join(" ".join(str(int(v)) for v in row) for row in (digits.images[seven] * 255 / 16).round())
        f.write(f"P2\n8 8\n255\n{rows}\n")

    loaded = transformers.AutoModelForImageClassification.from_pretrained(TARGET).eval()
    with torch.no_grad():
        right = (loaded(pixel_values=images[test]).logits.argmax(-1) == labels[test]).sum().item()
    print(f"{loaded.num_parameters()} parameters; held out: {right} of {len(test)} = {100 * right / len(test):.1f} %")


if __name__ == "__main__":
    main()
