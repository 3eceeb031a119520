#!/usr/bin/env python3
"""Writes the fixtures of generation/ with the real Transformers' generate, on the models of this directory.

    python make_generation.py              all cases
    python make_generation.py gpt2 beams   only those whose name has one of these; cases.txt is still complete

Needs the versions that make_fixtures.py pins. A case that float64, or weights that differ by 2e-6, would decide
otherwise stops it: what is expected must not hang on the last bits of a logit.
"""

import json
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True

import torch
import transformers
from safetensors.torch import save_file

from make_fixtures import HERE, PINS, ids, seeded

CASES = []


def case(name, model, prompts, files=None, callbacks=None, **options):
    """`prompts`: lengths of a left-padded batch, or its texts; where the model has an encoder, lengths of a
    right-padded one that it reads. `files`: generation_config.json, or keys of config.json, for this case. An option
    of ("at", row, step) is the token that greedy search gives there."""
    CASES.append((name, model, prompts, files or {}, callbacks or [], options))


# ---- The cases --------------------------------------------------------------------------------------------------

MODELS = ("gpt2_causal", "llama_causal", "mistral_causal", "qwen2_causal", "qwen3_causal")
BATCH = (5, 7, 2)

for m in MODELS:
    short = m.removesuffix("_causal")
    case(f"{short}_greedy", m, BATCH, max_new_tokens=26)
    case(f"{short}_greedy_one", m, (1,), max_new_tokens=24)
    case(f"{short}_beams", m, BATCH, num_beams=3, max_new_tokens=24, output_scores=True)
    case(f"{short}_beams_eos", m, BATCH, num_beams=4, num_return_sequences=3, max_new_tokens=24,
         eos_token_id=[("at", 0, 6), ("at", 1, 9)])
case("llama_sharded_greedy", "llama_bf16_sharded", (6, 4), max_new_tokens=24)
case("mistral_long", "mistral_causal", (13, 9), max_new_tokens=27)

for name, options in {
    "default": {},
    "max_length": {"max_length": 19},
    "max_both": {"max_length": 12, "max_new_tokens": 9},
    "eos": {"eos_token_id": ("at", 0, 4)},
    "eos_list": {"eos_token_id": [("at", 0, 4), ("at", 1, 7), ("at", 2, 2)]},
    "eos_pad": {"eos_token_id": [("at", 1, 3), ("at", 0, 8)], "pad_token_id": 33},
    "eos_none": {"eos_token_id": None, "max_new_tokens": 9},
    "min_new": {"eos_token_id": [("at", 0, 1), ("at", 1, 2)], "min_new_tokens": 11},
    "min_length": {"eos_token_id": [("at", 0, 1), ("at", 1, 2)], "min_length": 13},
    "min_both": {"eos_token_id": [("at", 0, 1), ("at", 1, 2)], "min_length": 17, "min_new_tokens": 4},
    "repetition": {"repetition_penalty": 1.7, "max_new_tokens": 24},
    "repetition_reward": {"repetition_penalty": 0.6, "max_new_tokens": 24},
    "ngram1": {"no_repeat_ngram_size": 1, "max_new_tokens": 24},
    "ngram2": {"no_repeat_ngram_size": 2, "max_new_tokens": 24},
    "ngram3": {"no_repeat_ngram_size": 3, "max_new_tokens": 24},
    "ngram12": {"no_repeat_ngram_size": 12, "max_new_tokens": 24},
    "bad_words": {"bad_words_ids": [[("at", 0, 2)], [("at", 1, 0), ("at", 1, 1)], [3, 4, 5], [("at", 2, 5)]]},
    "bad_words_eos": {"bad_words_ids": [[("at", 0, 2)], [("at", 1, 1)]], "eos_token_id": ("at", 0, 2)},
    "suppress": {"suppress_tokens": [("at", 0, 0), ("at", 1, 3), 900], "max_new_tokens": 12},
    "begin_suppress": {"begin_suppress_tokens": [("at", 0, 0), ("at", 1, 0)], "max_new_tokens": 12},
    "forced_eos": {"forced_eos_token_id": 9, "max_new_tokens": 12},
    "forced_eos_list": {"forced_eos_token_id": [11, 9], "max_new_tokens": 12},
    "renormalize": {"renormalize_logits": True, "max_new_tokens": 12, "output_scores": True},
    "together": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "bad_words_ids": [[7], [3, 9]],
                 "suppress_tokens": [12], "eos_token_id": [("at", 0, 4)], "min_new_tokens": 8, "max_new_tokens": 25,
                 "output_scores": True},
}.items():
    case(f"option_{name}", "llama_causal", BATCH, **options)

case("forced_bos", "gpt2_causal", (1, 1), forced_bos_token_id=17, begin_suppress_tokens=[("at", 0, 0)],
     max_new_tokens=12)
case("forced_bos_long", "gpt2_causal", (3, 2), forced_bos_token_id=17, max_new_tokens=6)
case("inferred_mask", "qwen2_causal", BATCH, callbacks=["no_mask"], max_new_tokens=10)
case("not_inferred_mask", "qwen2_causal", BATCH, callbacks=["no_mask"], eos_token_id=0, max_new_tokens=10)
case("mask_with_hole", "llama_causal", BATCH, callbacks=["hole"], max_new_tokens=14)
case("positions", "gpt2_causal", (6, 6), callbacks=["positions"], max_new_tokens=14)
case("to_the_last_position", "gpt2_causal", (7, 3), max_new_tokens=34)
case("beyond_max_position_embeddings", "qwen3_causal", (7, 3), max_new_tokens=60)
case("default_near_the_end", "llama_causal", (19, 12))  # 20 new tokens, but not beyond max_position_embeddings

BEAM_OPTIONS = {
    "penalty_0": {"length_penalty": 0.0},
    "penalty_2": {"length_penalty": 2.0},
    "penalty_less": {"length_penalty": -1.0},
    "early": {"early_stopping": True},
    "never": {"early_stopping": "never", "length_penalty": 1.5},
    "never_short": {"early_stopping": "never", "length_penalty": -0.5},
    "all": {"num_return_sequences": 4},
    "ngram": {"no_repeat_ngram_size": 2},
    "repetition": {"repetition_penalty": 1.4},
    "reward": {"repetition_penalty": 0.8},
    "bad_words": {"bad_words_ids": [[("at", 0, 0)], [("at", 1, 1), ("at", 1, 2)]]},
    "min_new": {"min_new_tokens": 12},
    "suppress": {"suppress_tokens": [("at", 0, 0), 5, 6]},
    "begin_suppress": {"begin_suppress_tokens": [("at", 0, 0), ("at", 2, 0)]},
    "forced_eos": {"forced_eos_token_id": 9},
    "renormalize": {"renormalize_logits": True, "repetition_penalty": 1.2},
    "pad": {"pad_token_id": 33, "num_return_sequences": 2},
    "remove_invalid": {"remove_invalid_values": True, "suppress_tokens": [5]},
}
for i, (name, options) in enumerate(BEAM_OPTIONS.items()):
    model = MODELS[i % len(MODELS)]
    options = dict({"num_beams": 4 if "num_return_sequences" in options else 3 + i % 4, "max_new_tokens": 16,
                    "eos_token_id": [("at", 0, 6), ("at", 1, 3)]}, **options)
    case(f"beams_{name}", model, BATCH, **options)
case("beams_one_prompt", "mistral_causal", (9,), num_beams=6, num_return_sequences=6, max_new_tokens=24,
     output_scores=True)
case("beams_eos_three", "gpt2_causal", BATCH, num_beams=5, max_new_tokens=20, early_stopping=True,
     eos_token_id=[("at", 0, 6), ("at", 1, 3), ("at", 2, 1)])
case("beams_forced_bos", "gpt2_causal", (1, 1), num_beams=3, forced_bos_token_id=17, max_new_tokens=8)
case("beams_eos_none", "qwen2_causal", BATCH, num_beams=3, eos_token_id=None, max_new_tokens=12)
case("beams_many", "llama_causal", (4, 4), num_beams=13, num_return_sequences=13, max_new_tokens=7,
     eos_token_id=("at", 0, 2))

case("lookup", "llama_causal", (9,), prompt_lookup_num_tokens=3, max_new_tokens=40)
case("lookup_eos", "qwen2_causal", (9,), prompt_lookup_num_tokens=5, max_new_tokens=40, eos_token_id=("at", 0, 12))
case("lookup_ngram", "gpt2_causal", (9,), prompt_lookup_num_tokens=4, max_matching_ngram_size=1, max_new_tokens=30)
case("lookup_penalty", "qwen3_causal", (9,), prompt_lookup_num_tokens=4, repetition_penalty=1.3, max_new_tokens=40)

BIBLE = "../../examples/models/bible-llama"
TEXTS = ("\nDavid went out", "\nThere was a man of the hill country of Ephraim", "\nBlessed is")
case("bible_greedy", BIBLE, TEXTS, do_sample=False, max_new_tokens=80)
case("bible_ngram", BIBLE, TEXTS, do_sample=False, no_repeat_ngram_size=5, max_new_tokens=80)
case("bible_beams", BIBLE, TEXTS, do_sample=False, num_beams=4, no_repeat_ngram_size=4, max_new_tokens=40)

case("prefix", "llama_causal", BATCH, callbacks=["prefix"], max_new_tokens=12)
case("prefix_beams", "llama_causal", BATCH, callbacks=["prefix"], num_beams=3, max_new_tokens=12)
case("prefix_unsatisfiable", "llama_causal", BATCH, callbacks=["prefix"], max_new_tokens=12,
     suppress_tokens=None, bad_words_ids=[[i] for i in range(3, 61, 3)])
case("processor", "llama_causal", BATCH, callbacks=["processor"], max_new_tokens=12, repetition_penalty=1.2)
case("processor_beams", "qwen2_causal", BATCH, callbacks=["processor"], num_beams=3, max_new_tokens=12)
case("stopping", "llama_causal", BATCH, callbacks=["stopping"], max_new_tokens=24)
case("stopping_eos_none", "llama_causal", BATCH, callbacks=["stopping"], eos_token_id=None, max_new_tokens=24)
case("stopping_beams", "llama_causal", BATCH, callbacks=["stopping"], num_beams=3, max_new_tokens=24)

FILE = {"eos_token_id": [("at", 0, 5), ("at", 1, 2)], "pad_token_id": 7, "max_new_tokens": 11,
        "repetition_penalty": 1.2}
case("file_all", "llama_causal", BATCH, files={"generation": FILE})
case("file_overruled", "llama_causal", BATCH, files={"generation": FILE}, eos_token_id=("at", 2, 3), pad_token_id=8,
     repetition_penalty=1.0)
case("file_none", "llama_causal", BATCH, files={"generation": FILE}, max_new_tokens=None, eos_token_id=None)
case("file_max_length", "llama_causal", BATCH, files={"generation": {"max_length": 14}})
case("file_beams", "llama_causal", BATCH,
     files={"generation": {"num_beams": 3, "early_stopping": "never", "length_penalty": 0.5, "eos_token_id": 2,
                           "max_length": 18, "num_return_sequences": 2, "bad_words_ids": [[4], [5, 6]]}})
case("file_hides_config", "llama_causal", BATCH, files={"generation": {}, "config": {"max_length": 9, "num_beams": 3}})
case("config_old_keys", "llama_causal", BATCH,
     files={"config": {"max_length": 15, "num_beams": 3, "no_repeat_ngram_size": 2, "eos_token_id": [2, ("at", 0, 4)],
                       "pad_token_id": None}})
case("config_force_bos", "gpt2_causal", (1, 1),
     files={"config": {"force_bos_token_to_be_generated": True, "bos_token_id": 21, "max_length": 9}})
case("config_force_no_bos", "gpt2_causal", (1, 1),
     files={"config": {"force_bos_token_to_be_generated": True, "bos_token_id": None, "forced_bos_token_id": 8,
                       "max_length": 9}})
case("file_force_bos_unheard", "gpt2_causal", (1, 1),
     files={"generation": {"force_bos_token_to_be_generated": True, "bos_token_id": 21, "max_length": 9}})
case("file_force_bos", "gpt2_causal", (1, 1),
     files={"generation": {"force_bos_token_to_be_generated": True, "_from_model_config": True, "bos_token_id": 21,
                           "max_length": 9}})

# The other families: most of these tiny models say one token again and again where none is forbidden.
OTHERS = {
    "gemma": ({"no_repeat_ngram_size": 1},
              {"length_penalty": 2.0, "no_repeat_ngram_size": 1, "eos_token_id": [4, 41]}),
    "gemma2": ({"no_repeat_ngram_size": 1},
               {"early_stopping": True, "no_repeat_ngram_size": 1, "eos_token_id": [4, 54]}),
    "gemma3": ({"no_repeat_ngram_size": 1}, {"no_repeat_ngram_size": 2, "eos_token_id": [7, 43]}),
    "phi": ({}, {"early_stopping": "never", "length_penalty": 2.0, "no_repeat_ngram_size": 2, "eos_token_id": [1, 44]}),
    "phi3": ({}, {"repetition_penalty": 1.3, "eos_token_id": [24, 41]}),
    "opt": ({}, {"length_penalty": 0.0, "eos_token_id": [20, 44]}),
    "gpt_neox": ({"repetition_penalty": 1.3}, {"num_return_sequences": 3, "eos_token_id": [1, 9]}),
    "gpt_neo": ({"repetition_penalty": 1.3},
                {"bad_words_ids": [[19], [45, 45]], "no_repeat_ngram_size": 2, "eos_token_id": [41, 49]}),
    "bloom": ({"no_repeat_ngram_size": 1},
              {"min_new_tokens": 12, "no_repeat_ngram_size": 1, "eos_token_id": [8, 35]}),
    "granite": ({"no_repeat_ngram_size": 1},
                {"renormalize_logits": True, "repetition_penalty": 2.5, "eos_token_id": [10, 37]}),
    "olmo2": ({}, {"suppress_tokens": [2, 40], "eos_token_id": [3, 50]}),
    "smollm3": ({"no_repeat_ngram_size": 1},
                {"begin_suppress_tokens": [28, 29, 32], "no_repeat_ngram_size": 1, "eos_token_id": [48, 57]}),
    "falcon": ({"no_repeat_ngram_size": 1},
               {"forced_eos_token_id": 9, "no_repeat_ngram_size": 1, "eos_token_id": [6, 56]}),
    "mixtral": ({}, {"pad_token_id": 33, "num_return_sequences": 2, "eos_token_id": [13, 39]}),
    "qwen3_moe": ({"no_repeat_ngram_size": 1}, {"no_repeat_ngram_size": 1, "eos_token_id": [35, 44]}),
}
WINDOWS = {  # these models have none
    "phi3": {"sliding_window": 5},
    "smollm3": {"use_sliding_window": True, "sliding_window": 5, "layer_types": None},
    "mixtral": {"sliding_window": 5},
    "qwen3_moe": {"use_sliding_window": True, "sliding_window": 5},
}
for i, (short, (greedy, beams)) in enumerate(OTHERS.items()):
    case(f"{short}_greedy", f"{short}_causal", (4, 7), files={"config": WINDOWS[short]} if short in WINDOWS else None,
         max_new_tokens=26, eos_token_id=None, **greedy)
    case(f"{short}_beams", f"{short}_causal", (4, 7), callbacks=["processor"] if short == "qwen3_moe" else None,
         num_beams=3 + i % 2, max_new_tokens=16, **beams)

# From 13 ids on the long factors hold, and Phi-3 computes anew what its cache has.
case("phi3_longrope", "phi3_causal_tied", (4, 7), max_new_tokens=26, eos_token_id=None, no_repeat_ngram_size=1,
     files={"config": {"rope_parameters": {"rope_type": "longrope", "rope_theta": 10000.0,
                                           "short_factor": [1.0, 1.1, 1.3], "long_factor": [1.5, 2.75, 4.0]}}})

SEQ2SEQ = ("t5_two_layers", "bart_generation", "mt5_generation")
SOURCES = (9, 4, 7)

for m in SEQ2SEQ:
    short = m.split("_")[0]
    case(f"{short}_greedy", m, SOURCES, max_new_tokens=26, eos_token_id=None, repetition_penalty=1.3)
    case(f"{short}_greedy_eos", m, SOURCES, max_new_tokens=26, eos_token_id=[("at", 0, 6), ("at", 1, 9)])
    case(f"{short}_beams", m, SOURCES, num_beams=4, num_return_sequences=3, max_new_tokens=24, output_scores=True,
         eos_token_id=[("at", 0, 6), ("at", 1, 9)])
for name, callbacks, options in (
    ("default", [], {}),
    ("no_mask", ["no_mask"], {"max_new_tokens": 12}),
    ("start", [], {"decoder_start_token_id": 7, "max_new_tokens": 12}),
    ("starts", [], {"decoder_start_token_id": [7, 9, 11], "max_new_tokens": 12}),
    ("prompt", ["decoder"], {"max_new_tokens": 12, "no_repeat_ngram_size": 2}),
    ("prompt_started", ["decoder", "started"], {"max_length": 15, "repetition_penalty": 1.4}),
    ("prompt_mask", ["decoder", "decoder_mask"], {"max_new_tokens": 12, "repetition_penalty": 1.4}),
    ("prompt_beams", ["decoder", "decoder_mask"], {"num_beams": 3, "max_new_tokens": 12}),
    ("lengths", [], {"min_new_tokens": 9, "max_length": 14, "eos_token_id": ("at", 0, 2)}),
    ("forced", [], {"forced_bos_token_id": 17, "forced_eos_token_id": 9, "max_new_tokens": 12}),
    ("forced_beams", [], {"forced_bos_token_id": 17, "forced_eos_token_id": 9, "max_new_tokens": 12, "num_beams": 5}),
    ("penalties", [], {"num_beams": 3, "length_penalty": 0.4, "early_stopping": True, "no_repeat_ngram_size": 3,
                       "bad_words_ids": [[("at", 0, 1)], [("at", 1, 1), ("at", 1, 2)]], "max_new_tokens": 20,
                       "eos_token_id": [("at", 0, 6), ("at", 1, 3)]}),
    ("begin_suppress", [], {"begin_suppress_tokens": [("at", 0, 0), ("at", 1, 0)], "max_new_tokens": 12}),
    ("prefix", ["prefix"], {"num_beams": 3, "max_new_tokens": 12}),
    ("stopping", ["stopping"], {"max_new_tokens": 24}),
):
    for m in SEQ2SEQ[:2]:
        case(m.split("_")[0] + "_" + name, m, SOURCES, callbacks=callbacks, **options)
for m in ("mbart_generation", "m2m_100_generation", "pegasus_generation", "marian_generation", "marian_two"):
    short = m.removesuffix("_generation")
    language = {"forced_bos_token_id": 17} if m.startswith("m2m") or m.startswith("mbart") else {}
    case(f"{short}_greedy", m, SOURCES, max_new_tokens=26, repetition_penalty=1.3, **language)
    case(f"{short}_beams", m, SOURCES, num_beams=4, num_return_sequences=2, max_new_tokens=24, no_repeat_ngram_size=3,
         bad_words_ids=[[0]], eos_token_id=[("at", 0, 6), ("at", 1, 9)], **language)
    case(f"{short}_prompt", m, SOURCES, callbacks=["decoder", "decoder_mask"], num_beams=2, max_new_tokens=12)
case("t5_lookup", "t5_two_layers", (9,), prompt_lookup_num_tokens=3, max_new_tokens=40, eos_token_id=None)
case("t5_file", "t5_two_layers", SOURCES,
     files={"generation": {"decoder_start_token_id": None, "bos_token_id": 5, "num_beams": 2, "max_length": 12}})
case("bart_no_padding", "bart_generation", (9,), num_beams=2, max_new_tokens=8, no_repeat_ngram_size=1,
     files={"config": {"pad_token_id": None, "decoder_start_token_id": None}})
case("llama_pad_minus_1", "llama_causal", BATCH, num_beams=3, num_return_sequences=2, max_new_tokens=24,
     eos_token_id=[("at", 0, 6), ("at", 1, 9)], files={"config": {"pad_token_id": -1}})
case("bart_config", "bart_generation", SOURCES,
     files={"config": {"force_bos_token_to_be_generated": True, "num_beams": 3, "max_length": 13, "min_length": 6}})


# ---- Callbacks: the same stand in test_generate.c ---------------------------------------------------------------

def allowed_tokens(prompt, ids):
    return [t for t in range(61) if t % 3 == (prompt + len(ids)) % 3]


class Processor(transformers.LogitsProcessor):
    def __call__(self, input_ids, scores):
        scores = scores.clone()
        for row in range(scores.shape[0]):
            scores[row, (int(input_ids[row, -1]) * 7 + input_ids.shape[1]) % scores.shape[1]] += 2.5
        return scores


class Stopping(transformers.StoppingCriteria):
    def __call__(self, input_ids, scores, **kwargs):
        return torch.tensor([int(row[-1]) % 11 == 4 for row in input_ids])


# ---- Machinery --------------------------------------------------------------------------------------------------

def resolve(value, greedy, length):
    if isinstance(value, tuple) and value and value[0] == "at":
        return int(greedy[value[1], length + value[2]])
    if isinstance(value, (list, tuple)):
        return [resolve(v, greedy, length) for v in value]
    if isinstance(value, dict):
        return {k: resolve(v, greedy, length) for k, v in value.items()}
    return value


def load(directory, dtype, attention="eager"):
    config = transformers.AutoConfig.from_pretrained(directory)
    auto = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    return auto.from_pretrained(directory, dtype=torch.float32, attn_implementation=attention,
                                experts_implementation="eager").to(dtype)


def padded(tokenizer, texts):
    rows = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    before = [max(map(len, rows)) - len(row) for row in rows]
    return {"input_ids": torch.tensor([[tokenizer.eos_token_id] * n + row for n, row in zip(before, rows)]),
            "attention_mask": torch.tensor([[0] * n + [1] * len(row) for n, row in zip(before, rows)])}


def prompts_of(loaded, name, lengths, callbacks):
    if isinstance(lengths[0], str):
        return padded(transformers.AutoTokenizer.from_pretrained(loaded.name_or_path), lengths)
    g = seeded("generation", name)
    encodes = loaded.config.is_encoder_decoder
    out = ids(loaded.config, g, len(lengths), max(lengths), list(lengths), left=not encodes)
    if "no_mask" in callbacks:
        del out["attention_mask"]
    if "hole" in callbacks:
        out["attention_mask"][1, 3] = 0
    if "positions" in callbacks:
        out["position_ids"] = torch.randint(0, 9, out["input_ids"].shape, generator=g)
    if "decoder" in callbacks:
        most = getattr(loaded.config, "decoder_vocab_size", None) or loaded.config.vocab_size
        out["decoder_input_ids"] = torch.randint(3, most - 1, (len(lengths), 4), generator=g)
    if "started" in callbacks:  # by one of them
        out["decoder_input_ids"][1, 0] = loaded.generation_config.decoder_start_token_id
    if "decoder_mask" in callbacks:
        out["decoder_attention_mask"] = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 0, 1]])
    return out


def generate(loaded, inputs, callbacks, options):
    options = dict(options)
    if "prefix" in callbacks:
        options["prefix_allowed_tokens_fn"] = allowed_tokens
    if "processor" in callbacks:
        options["logits_processor"] = transformers.LogitsProcessorList([Processor()])
    if "stopping" in callbacks:
        options["stopping_criteria"] = transformers.StoppingCriteriaList([Stopping()])
    options["return_dict_in_generate"] = True
    if options.get("num_beams", 1) > 1 or loaded.generation_config.num_beams:
        options["output_scores"] = True
    with torch.no_grad():
        return loaded.generate(**inputs, **options)


def generate_exactly(loaded, name, *rest):
    """-> what float64 gives, and what it gives where the weights differ by more than float32 rounds."""
    softmax, g = torch.nn.functional.softmax, seeded("disturb", name)
    if not loaded._supports_sdpa:  # its softmax is in float32, which float64's smallest number is infinite in
        torch.nn.functional.softmax = lambda x, dim, dtype=None: softmax(x, dim=dim)
    plain = generate(loaded, *rest)
    with torch.no_grad():
        for p in loaded.parameters():
            p *= 1 + 2e-6 * torch.randn(p.shape, generator=g, dtype=p.dtype)
    disturbed = generate(loaded, *rest)
    torch.nn.functional.softmax = softmax
    return plain, disturbed


def written(value):
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return (";" if value and isinstance(value[0], list) else ",").join(written(v) for v in value)
    return str(value)


def write_case(name, model, lengths, files, callbacks, options):
    with tempfile.TemporaryDirectory() as folder:
        directory = os.path.join(folder, "model")
        shutil.copytree(model, directory)
        plain = load(directory, torch.float32)
        inputs = prompts_of(plain, name, lengths, callbacks)
        greedy = plain.generate(**inputs, max_new_tokens=14, eos_token_id=None, do_sample=False)
        length = greedy.shape[1] - 14
        files, options = resolve(files, greedy, length), resolve(options, greedy, length)
        line = [("dir", model), ("seq2seq", 1)] if plain.config.is_encoder_decoder else [("dir", model)]
        if "config" in files:
            with open(os.path.join(directory, "config.json")) as f:
                document = dict(json.load(f), **files["config"])
            text = json.dumps(document, indent=2, sort_keys=True) + "\n"
            for path in (os.path.join(directory, "config.json"), f"generation/{name}_config.json"):
                with open(path, "w") as f:
                    f.write(text)
            line.append(("config", f"{name}_config.json"))
            os.remove(os.path.join(directory, "generation_config.json"))
            if "generation" not in files:
                line.append(("generation_config", "none"))
        if "generation" in files:
            text = json.dumps(files["generation"], indent=2, sort_keys=True) + "\n"
            for path in (os.path.join(directory, "generation_config.json"), f"generation/{name}_generation.json"):
                with open(path, "w") as f:
                    f.write(text)
            line.append(("generation_config", f"{name}_generation.json"))
        out = generate(load(directory, torch.float32), inputs, callbacks, options)
        exact = load(directory, torch.float64, "sdpa" if plain._supports_sdpa else "eager")
        others = generate_exactly(exact, name, inputs, callbacks, options)
    assert all(torch.equal(out.sequences, other.sequences) for other in others), name
    tensors = dict(inputs, sequences=out.sequences)
    if getattr(out, "sequences_scores", None) is not None:
        tensors["sequences_scores"] = out.sequences_scores
        tensors["beam_indices"] = out.beam_indices.long()
    if options.get("output_scores"):
        tensors["scores"] = torch.stack(out.scores)
    save_file({k: v.clone().contiguous() for k, v in tensors.items()}, f"generation/{name}.safetensors",
              metadata={"format": "pt"})
    os.chmod(f"generation/{name}.safetensors", 0o644)
    line += [(c, 1) for c in callbacks if c in ("prefix", "processor", "stopping")]
    line += [(k, written(v)) for k, v in options.items()]
    print(name, tuple(out.sequences.shape), out.sequences[0].tolist())
    return line


HEADER = """\
# What test_generate.c generates and compares; written by make_generation.py.
# A line is a case: its name, then key=value pairs. NAME.safetensors has input_ids (and other inputs by their names) and
# what Transformers' generate gave: sequences; sequences_scores and beam_indices of beams; scores where asked for.
#   dir=D                   model directory, beside this one; seq2seq=1: it has an encoder
#   config=F                this instead of its config.json; generation_config=F: instead of its generation_config.json
#                           (none: there is no such file)
#   prefix=1 processor=1 stopping=1    with that callback of test_generate.c
#   OPTION=V                of GenerationConfig; a list has commas, a list of lists semicolons; none is Python's None
"""


def main():
    for package, version in PINS.items():
        found = sys.modules[package].__version__.split("+")[0]
        if found != version:
            sys.exit(f"{package} {version} is pinned, {found} is installed")
    os.chdir(HERE)
    os.makedirs("generation", exist_ok=True)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    chosen = sys.argv[1:]
    kept = {}
    if chosen:
        with open("generation/cases.txt") as f:
            kept = {line.split()[0]: line for line in f if not line.startswith("#")}
    lines = []
    for name, *rest in CASES:
        if chosen and name in kept and not any(part in name for part in chosen):
            lines.append(kept[name])
        else:
            lines.append(name + "".join(f" {k}={v}" for k, v in write_case(name, *rest)) + "\n")
    with open("generation/cases.txt", "w") as f:
        f.write(HEADER + "".join(lines))


if __name__ == "__main__":
    main()
