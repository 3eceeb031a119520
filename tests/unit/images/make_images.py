"""Writes the pictures and the numbers that test_hfm_image.c compares with, by Pillow and Transformers' processors.

    python make_images.py        (transformers 5.23.0, pillow 13.0.0, numpy, safetensors)
"""

import json
import os

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(7)

colour = Image.fromarray(np.where(rng.random((17, 23, 3)) < 0.3, 0, rng.integers(0, 256, (17, 23, 3))).astype(np.uint8))
colour.save("colour.ppm")

with open("grey.pgm", "w") as file:  # plain text, an odd maximum, comments
    file.write("P2 # a picture\n# of six by four\n6 4\n100\n")
    for row in rng.integers(0, 101, (4, 6)):
        file.write(" ".join(map(str, row)) + "\n")
with open("deep.ppm", "wb") as file:  # 16 bits
    file.write(b"P6\n3 2\n65535\n" + rng.integers(0, 65536, (2, 3, 3)).astype(">u2").tobytes())

expected = {
    "read.colour": np.asarray(colour),
    "read.grey": np.asarray(Image.open("grey.pgm"))[:, :, None],
    "read.deep": np.asarray(Image.open("deep.ppm")),
    "luma.colour": np.asarray(colour.convert("L"))[:, :, None],
}
sizes = [(5, 4), (31, 40), (40, 3), (23, 6), (9, 17), (1, 1)]  # (width, height)
for resample in range(6):
    for size in sizes:
        expected[f"resize.{resample}.{size[0]}.{size[1]}"] = np.asarray(colour.resize(size, resample))

# Folders with a preprocessor_config.json; what it leaves out is the processor class's own default.
processors = {
    "vit": (ViTImageProcessorPil, {"size": {"height": 8, "width": 12}, "resample": 2, "do_resize": True,
            "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3], "do_normalize": True, "do_rescale": True,
            "rescale_factor": 1 / 255, "image_processor_type": "ViTImageProcessor"}),
    "old": (ViTImageProcessorPil, {"do_normalize": True, "do_resize": True, "size": 10,
            "feature_extractor_type": "ViTFeatureExtractor", "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5]}),
    "deit": (DeiTImageProcessorPil, {"image_processor_type": "DeiTImageProcessor", "size": 11, "crop_size": 7}),
    "edge": (ViTImageProcessorPil, {"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 9},
             "resample": 1, "do_normalize": False}),
    "border": (ViTImageProcessorPil, {"image_processor_type": "ViTImageProcessor", "do_resize": False,
               "do_center_crop": True, "crop_size": {"height": 21, "width": 8}, "do_rescale": False}),
}
for name, (processor, config) in processors.items():
    os.makedirs(name, exist_ok=True)
    with open(f"{name}/preprocessor_config.json", "w") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")
    pixels = processor.from_pretrained(name)(colour, return_tensors="np")["pixel_values"]
    expected[f"pixels.{name}"] = np.ascontiguousarray(pixels, dtype=np.float32)

save_file({name: np.ascontiguousarray(array) for name, array in expected.items()}, "expected.safetensors")
