#!/usr/bin/env python3
"""Writes the parity fixtures of this directory with the real Transformers.

    python make_fixtures.py            all models and cases
    python make_fixtures.py bert gpt2  only models whose directory starts with one of these; cases.txt is still complete

Needs exactly the versions in PINS (a virtual environment outside the repository). Every number comes from a seed that
is derived from a name, so adding a model or a case leaves the others alone, byte for byte.

The models and cases stand in fixture_table.py; README.md says what the files are and how a test reads them.
"""

import glob
import json
import logging
import os
import shutil
import sys
import zlib

sys.dont_write_bytecode = True

PINS = {"torch": "2.15.0", "transformers": "5.23.0", "safetensors": "0.8.0"}

os.environ["COLUMNS"] = "80"  # the load report's header depends on the width of the terminal
os.environ["HF_HUB_OFFLINE"] = "1"

import safetensors  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from transformers.utils import loading_report  # noqa: E402

from fixture_table import CASES, DROP, MODELS  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

# ---- Inputs: all ids avoid the padding id, except where a row is padded -----------------------------------------

def seeded(*names):
    return torch.Generator().manual_seed(zlib.crc32("/".join(names).encode()))


def ids(config, g, batch, length, lengths=None, left=False, mask=True, vocab_size=None):
    pad = max(config.pad_token_id or 0, 0)
    tokens = torch.randint(0, (vocab_size or config.vocab_size) - 1, (batch, length), generator=g)
    tokens += (tokens >= pad).long()
    out = {"input_ids": tokens}
    if lengths:
        keep = torch.arange(length)[None, :] < torch.tensor(lengths)[:, None]
        keep = keep.flip(1) if left else keep
        out["input_ids"] = torch.where(keep, tokens, pad)
        if mask:
            out["attention_mask"] = keep.long()
    return out


def inputs_right7(c, g):
    return ids(c, g, 3, 7, [7, 4, 1])


def inputs_right33(c, g):
    return ids(c, g, 3, 33, [33, 20, 31])


def inputs_left33(c, g):
    return ids(c, g, 3, 33, [20, 33, 9], left=True)


def inputs_left13(c, g):
    return ids(c, g, 3, 13, [8, 13, 3], left=True)


def inputs_left7(c, g):
    return ids(c, g, 3, 7, [5, 7, 2], left=True)


def inputs_pads7(c, g):  # padding in the ids, but nobody gives a mask
    return ids(c, g, 3, 7, [7, 4, 1], mask=False)


def inputs_other_pads7(c, g):  # the same, for a case whose configuration has another padding id
    return inputs_pads7(c, g)


def inputs_types7(c, g):
    out = ids(c, g, 3, 7, [6, 7, 3])
    bound = getattr(c, "type_vocab_size", c.vocab_size)
    return dict(out, token_type_ids=torch.randint(0, bound, (3, 7), generator=g))


def inputs_one(c, g):
    return ids(c, g, 1, 1)


def inputs_plain7(c, g):
    return ids(c, g, 3, 7)


def inputs_plain1x7(c, g):
    return ids(c, g, 1, 7)


def inputs_long33(c, g):
    return ids(c, g, 1, 33)


def inputs_long13(c, g):
    return ids(c, g, 1, 13)


def inputs_positions7(c, g):  # a row for each sequence, not ascending; the mask keeps them from looking packed
    out = ids(c, g, 3, 7, [7, 4, 6])
    return dict(out, position_ids=torch.randint(0, 24, (3, 7), generator=g))


def inputs_other_positions7(c, g):  # the same, for a case whose configuration has another padding id
    return inputs_positions7(c, g)


def inputs_positions_row7(c, g):  # one row for the whole batch
    out = ids(c, g, 3, 7, [7, 5, 6])
    return dict(out, position_ids=torch.randint(0, 24, (1, 7), generator=g))


def inputs_negative7(c, g):  # padding's are negative, as cumsum(mask) - 1 makes them
    out = ids(c, g, 3, 7, [7, 4, 2], left=True)
    return dict(out, position_ids=out["attention_mask"].cumsum(-1) - 1 - (out["attention_mask"] == 0).cumsum(-1))


def inputs_packed7(c, g):  # positions that start again mean several texts in one row: they don't see each other
    return dict(ids(c, g, 1, 7), position_ids=torch.tensor([[0, 1, 2, 0, 1, 2, 3]]))


def inputs_far5(c, g):  # short, but at positions beyond the original maximum
    return dict(ids(c, g, 1, 5, [5]), position_ids=torch.arange(26, 31)[None, :])


def inputs_embeds7(c, g):
    out = ids(c, g, 3, 7, [7, 4, 2])
    return {"inputs_embeds": torch.randn(3, 7, c.hidden_size, generator=g), "attention_mask": out["attention_mask"]}


def seq2seq(c, g, batch, length, decoder_length, lengths=None, decoder_lengths=None, left=False):
    out = ids(c, g, batch, length, lengths, left=left)
    decoder = ids(c, g, batch, decoder_length, decoder_lengths, vocab_size=getattr(c, "decoder_vocab_size", None))
    return dict(out, **{f"decoder_{k}": v for k, v in decoder.items()})


def inputs_seq7x5(c, g):  # both sides padded
    return seq2seq(c, g, 3, 7, 5, [7, 4, 2], [5, 5, 3])


def inputs_seq_other_pads(c, g):  # the same, for a case whose configuration has another padding id
    return inputs_seq7x5(c, g)


def inputs_seq_left9x4(c, g):
    return seq2seq(c, g, 2, 9, 4, [9, 6], left=True)


def inputs_seq_plain(c, g):
    return seq2seq(c, g, 2, 33, 40)


def inputs_seq2x1(c, g):
    return seq2seq(c, g, 1, 2, 1)


def inputs_seq_embeds(c, g):
    out = seq2seq(c, g, 2, 5, 4)
    return {"inputs_embeds": torch.randn(2, 5, c.hidden_size, generator=g), "decoder_inputs_embeds":
            torch.randn(2, 4, c.hidden_size, generator=g), "attention_mask": torch.ones_like(out["input_ids"])}


def inputs_eos7(c, g):  # as many ends in each row
    out = ids(c, g, 3, 7, [7, 5, 4])
    tokens = out["input_ids"]
    tokens[tokens == c.eos_token_id] += 1
    for row, places in enumerate([(2, 6), (1, 4), (0, 3)]):
        tokens[row, places] = c.eos_token_id
    return out


def inputs_seq_eos(c, g):  # the decoder's text is another one; the source's ends count
    return dict(inputs_eos7(c, g), decoder_input_ids=ids(c, g, 3, 7)["input_ids"])


def image(c, g, batch):
    size = c.image_size if isinstance(c.image_size, (list, tuple)) else [c.image_size, c.image_size]
    return {"pixel_values": torch.randn(batch, c.num_channels, *size, generator=g)}


def inputs_image1(c, g):
    return image(c, g, 1)


def inputs_image3(c, g):
    return image(c, g, 3)


# ---- Weights: everything random, norms and biases too; outputs of the order of 1 --------------------------------

def randomize(model, name):
    g = seeded("weights", name)
    with torch.no_grad():
        for key, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            owner = model.get_submodule(key.rpartition(".")[0])
            kind = type(owner).__name__
            if "Norm" in kind:
                from_one = kind.startswith("Gemma")  # such a weight is stored as its difference from 1
                p.copy_(noise * 0.3 + (1.0 if key.endswith("weight") and not from_one else 0.0))
            elif p.dim() == 1:
                p.copy_(noise * 0.3)
            elif kind.endswith(("Embedding", "Embeddings")):  # a lookup table, or ViT's tokens and positions
                p.copy_(noise * 0.7)
            else:
                fan_in = p.shape[0] if kind == "Conv1D" else p.shape[-1] if kind.endswith("Experts") else p[0].numel()
                sharp = any(part in key for part in ("query", "key", "q_proj", "k_proj", "q_lin", "k_lin"))
                p.copy_(noise * ((1.5 if sharp else 1.2) / fan_in ** 0.5))
    for key, buffer in model.named_buffers():
        if key == "final_logits_bias":
            buffer.copy_(torch.randn(buffer.shape, generator=g) * 0.3)


# ---- Edits: finished files made to look like old or foreign ones ------------------------------------------------

def edit_mixed_dtypes(tensors):
    for i, key in enumerate(sorted(tensors)):
        tensors[key] = tensors[key].to([torch.float32, torch.float16, torch.bfloat16, torch.float64][i % 4])


def edit_bert_old_names(tensors):  # as bert-base-uncased has it
    for key in list(tensors):
        new = key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        tensors[new] = tensors.pop(key)
    tensors["bert.embeddings.position_ids"] = torch.arange(40)[None, :]
    tensors["cls.seq_relationship.weight"] = torch.randn(2, 18, generator=seeded("nsp"))
    tensors["cls.seq_relationship.bias"] = torch.randn(2, generator=seeded("nsp bias"))


def edit_tied_present(tensors):
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()


def edit_tied_target_only(tensors):
    tensors["cls.predictions.decoder.weight"] = tensors.pop("bert.embeddings.word_embeddings.weight")
    tensors["cls.predictions.decoder.bias"] = tensors.pop("cls.predictions.bias")


def edit_tied_differs(tensors):  # both present, not equal: Transformers warns and leaves them apart
    edit_tied_present(tensors)
    g = seeded("tied differs")
    for key in ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"):
        tensors[key] = torch.randn(tensors[key].shape, generator=g)


def edit_roberta_position_ids(tensors):
    tensors["roberta.embeddings.position_ids"] = torch.arange(42)[None, :]


def edit_no_positions(tensors):  # the table of sines is made anew
    del tensors["distilbert.embeddings.position_embeddings.weight"]


def edit_gpt2_old_names(tensors):  # as the hub's gpt2 has it: no prefix, and the causal mask among the weights
    for key in list(tensors):
        tensors[key.removeprefix("transformer.")] = tensors.pop(key)
    for layer in range(2):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(40, 40, dtype=torch.uint8).tril()[None, None]
        tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)


def edit_t5_untied_head(tensors):  # as T5 1.1 and FLAN have it
    tensors["lm_head.weight"] = torch.randn(61, 21, generator=seeded("t5 head")) * 0.3


def edit_bart_old_names(tensors):  # as the hub's first files have it
    del tensors["final_logits_bias"]
    for side in ("encoder", "decoder"):
        tensors[f"model.{side}.version"] = torch.tensor([2.0])
        tensors[f"model.{side}.embed_tokens.weight"] = tensors["model.shared.weight"].clone()


def edit_bart_tied_differs(tensors):  # two names of three, not equal: the decoder has the head's
    tensors["lm_head.weight"] = tensors.pop("model.shared.weight")
    tensors["model.encoder.embed_tokens.weight"] = torch.randn(61, 21, generator=seeded("bart tied differs"))


def edit_marian_old_names(tensors):  # as the hub's have it: every name of what is tied, and the tables of positions
    edit_bart_old_names(tensors)
    tensors["lm_head.weight"] = tensors["model.shared.weight"].clone()
    for side in ("encoder", "decoder"):
        del tensors[f"model.{side}.version"]
        tensors[f"model.{side}.embed_positions.weight"] = torch.randn(96, 21, generator=seeded(side, "positions"))


def edit_no_static_positions(tensors):
    for side in ("encoder", "decoder"):
        del tensors[f"model.{side}.embed_positions.weight"]


def edit_m2m_100_old_names(tensors):
    for side in ("encoder", "decoder"):
        tensors[f"model.{side}.version"] = torch.tensor([3.0])
        tensors[f"model.{side}.embed_tokens.weight"] = tensors["model.shared.weight"].clone()
        tensors[f"model.{side}.embed_positions.weights"] = torch.randn(26, 21, generator=seeded(side, "positions"))
    tensors["lm_head.weight"] = tensors["model.shared.weight"].clone()


def edit_llama_inv_freq(tensors):
    if "model.norm.weight" in tensors:  # one shard of several
        for layer in range(2):
            tensors[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.tensor([1.0, 0.0464, 0.00215])


def edit_fused_experts(tensors):  # the module's own names, which save_pretrained doesn't write but does read
    for key in list(tensors):
        new = key.replace("block_sparse_moe", "mlp")
        tensors[new] = tensors.pop(key)
    for layer in range(1):
        experts = f"model.layers.{layer}.mlp.experts"
        pop = lambda e, w: tensors.pop(f"{experts}.{e}.{w}.weight")  # noqa: E731
        both = [torch.cat([pop(e, "w1"), pop(e, "w3")]) for e in range(3)]
        tensors[f"{experts}.gate_up_proj"] = torch.stack(both)
        tensors[f"{experts}.down_proj"] = torch.stack([pop(e, "w2") for e in range(3)])


def edit_gpt_neox_old_names(tensors):  # as Pythia has it: buffers among the weights
    tensors["gpt_neox.layers.0.attention.bias"] = torch.ones(24, 24, dtype=torch.uint8).tril()[None, None]
    tensors["gpt_neox.layers.0.attention.masked_bias"] = torch.tensor(-1e9)
    tensors["gpt_neox.layers.0.attention.rotary_emb.inv_freq"] = torch.tensor([1.0, 0.0464, 0.00215])


def edit_gpt_neo_old_names(tensors):  # the causal mask among the weights
    tensors["transformer.h.0.attn.attention.bias"] = torch.ones(40, 40, dtype=torch.uint8).tril()[None, None]
    tensors["transformer.h.0.attn.attention.masked_bias"] = torch.tensor(-1e9)


def edit_vit_new_names(tensors):  # the module's own names, which save_pretrained doesn't write but does read
    fixed = {"encoder.layer.": "layers.", "attention.attention.query": "attention.q_proj",
             "attention.attention.key": "attention.k_proj", "attention.attention.value": "attention.v_proj",
             "attention.output.dense": "attention.o_proj", "intermediate.dense": "mlp.fc1",
             "output.dense": "mlp.fc2"}
    for key in list(tensors):
        new = key
        for old, name in fixed.items():
            new = new.replace(old, name)
        tensors[new] = tensors.pop(key)


# ---- Machinery --------------------------------------------------------------------------------------------------

AUTO = {"base": "AutoModel", "sequence-classification": "AutoModelForSequenceClassification",
        "token-classification": "AutoModelForTokenClassification",
        "question-answering": "AutoModelForQuestionAnswering", "causal-lm": "AutoModelForCausalLM",
        "masked-lm": "AutoModelForMaskedLM", "seq2seq-lm": "AutoModelForSeq2SeqLM",
        "image-classification": "AutoModelForImageClassification"}
MODEL_TYPES = ["bert", "roberta", "xlm-roberta", "camembert", "distilbert", "gpt2", "opt", "gpt_neox", "gpt_neo", "phi",
               "falcon", "bloom", "llama", "mistral", "ministral", "qwen2", "qwen3", "smollm3", "olmo2", "gemma",
               "gemma2", "gemma3_text", "granite", "phi3", "mixtral", "qwen3_moe", "t5", "mt5", "bart", "mbart",
               "marian", "pegasus", "m2m_100", "vit", "deit"]
DECODERS = ("gpt2", "opt", "gpt_neox", "gpt_neo", "phi", "falcon", "bloom", "llama", "mistral", "ministral", "qwen2",
            "qwen3", "smollm3", "olmo2", "gemma", "gemma2", "gemma3_text", "granite", "phi3", "mixtral", "qwen3_moe")


def config_of(cls, settings):
    settings = dict(settings)
    labels = settings.pop("id2label", None)
    config = getattr(transformers, cls).config_class(**settings)
    if labels:
        config.id2label, config.label2id = labels, {v: k for k, v in labels.items()}
    return config


def write_model(directory):
    cls, settings, how = MODELS[directory]
    shutil.rmtree(directory, ignore_errors=True)
    made = getattr(transformers, cls)(config_of(cls, settings))
    randomize(made, directory)
    made.to(getattr(torch, how.get("dtype", "float32")))
    target = os.path.join(directory, how.get("subfolder", ""))
    made.save_pretrained(target, max_shard_size=how.get("shard", "50GB"), variant=how.get("variant"))
    if "edit" in how:
        index = os.path.join(target, "model.safetensors.index.json")
        for path in sorted(glob.glob(os.path.join(target, "*.safetensors"))):
            tensors = load_file(path)
            globals()[f"edit_{how['edit']}"](tensors)
            save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata={"format": "pt"})
            if os.path.exists(index):
                with open(index) as f:
                    document = json.load(f)
                document["weight_map"].update({k: os.path.basename(path) for k in tensors})
                with open(index, "w") as f:
                    f.write(json.dumps(document, indent=2, sort_keys=True) + "\n")
    for path in glob.glob(os.path.join(target, "*.safetensors")):
        os.chmod(path, 0o644)


class Log(logging.Handler):
    """Collects what Transformers says."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def sort_report():
    """The rows of a load report come out of a set, in random order; sorted here, so that they can be compared."""
    original = loading_report.update_key_name
    loading_report.update_key_name = lambda keys: original(dict(sorted(keys.items())) if isinstance(keys, dict)
                                                           else sorted(keys))


def load(directory, task, how, dtype, seed=0, attention="eager"):
    """-> model, loading info, messages."""
    kwargs = {k: how[k] for k in ("num_labels", "ignore_mismatched_sizes", "variant", "subfolder") if k in how}
    if "config_file" in how:
        kwargs["config"] = transformers.AutoConfig.from_pretrained(os.path.join(directory, how["config_file"]))
    log, root = Log(), logging.getLogger("transformers")
    handlers, root.handlers = root.handlers, [log]
    plain = loading_report._style
    if how.get("color"):
        loading_report._style = lambda s, color: loading_report.PALETTE[color] + s + loading_report.PALETTE["reset"]
    torch.manual_seed(seed)
    try:
        loaded, info = getattr(transformers, how.get("auto", AUTO[task])).from_pretrained(
            directory, dtype=dtype, attn_implementation=attention, experts_implementation="eager",
            output_loading_info=True, **kwargs)
    finally:
        root.handlers, loading_report._style = handlers, plain
    return loaded, info, log.lines


def run(loaded, inputs, extra):
    if "pixel_values" not in inputs and loaded.config.model_type in DECODERS:
        extra = dict(extra, use_cache=loaded.config.use_cache)
    with torch.no_grad():
        out = loaded(**inputs, **extra)
    tensors = {}
    for name, value in out.items():
        if torch.is_tensor(value):
            tensors[name] = value
        elif isinstance(value, (tuple, list)) and value and torch.is_tensor(value[0]):
            tensors.update({f"{name}.{i}": v for i, v in enumerate(value)})
    return tensors


def describe(loaded, info, task, notes):
    names = [[k, list(v.shape)] for k, v in loaded.state_dict().items()]
    mismatched = sorted([k, list(a), list(b)] for k, a, b in info["mismatched_keys"])
    return {"architecture": type(loaded).__name__, "model_type": loaded.config.model_type, "task": task,
            "dtype": str(loaded.dtype).removeprefix("torch."),
            "num_labels": loaded.config.num_labels,
            "id2label": [loaded.config.id2label[i] for i in range(loaded.config.num_labels)],
            "num_parameters": loaded.num_parameters(),
            "num_parameters_no_embeddings": loaded.num_parameters(exclude_embeddings=True),
            "memory_footprint": loaded.get_memory_footprint(),
            "memory_footprint_no_buffers": loaded.get_memory_footprint(return_buffers=False),
            "missing_keys": sorted(info["missing_keys"]), "unexpected_keys": sorted(info["unexpected_keys"]),
            "mismatched_keys": mismatched, "notes": notes, "state_dict": names}


def info_text(info):
    """JSON, one state_dict entry a line."""
    head = {k: v for k, v in info.items() if k != "state_dict"}
    lines = [f'  {json.dumps(k)}: {json.dumps(v)},' for k, v in head.items()]
    entries = ",\n".join(f"    {json.dumps(e)}" for e in info["state_dict"])
    return "{\n" + "\n".join(lines) + '\n  "state_dict": [\n' + entries + "\n  ]\n}\n"


def put(directory, stem, extension, data):
    """Writes a file unless an equal one of that stem and extension is there; returns its name."""
    data = data.encode() if isinstance(data, str) else data
    prefix = stem.split("_")[0]
    for path in sorted(glob.glob(os.path.join(directory, f"{prefix}*.{extension}"))):
        with open(path, "rb") as f:
            if f.read() == data:
                return os.path.basename(path)
    plain = os.path.join(directory, f"{prefix}.{extension}")
    name = f"{prefix}.{extension}" if prefix in ("print", "info", "report") and not os.path.exists(plain) \
        else f"{stem}.{extension}"
    with open(os.path.join(directory, name), "wb") as f:
        f.write(data)
    return name


def tensor_bytes(tensors):
    return safetensors.torch.save({k: v.clone().contiguous() for k, v in tensors.items()})


def relative_error(a, b):
    return ((a.double() - b.double()).abs().max() / b.double().abs().max()).item()


def compare_with_sdpa(name, load_again, inputs, expected, attention="sdpa"):
    """-> rounding noise of the expected values, as seen from float64, and whether sdpa disagrees about padding (as it
    would, where Transformers does not have it for a model). attention: another implementation to see it with."""
    wide = {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}
    eager, softmax = load_again("eager"), torch.nn.functional.softmax
    noise, eager_pads = 0.0, False
    if eager._supports_sdpa:
        exact = run(load_again(attention).double(), wide, {"output_hidden_states": True})
    else:  # its softmax is in float32, which float64's smallest number is infinite in
        eager_pads = not inputs.get("attention_mask", torch.ones(1)).all()
        torch.nn.functional.softmax = lambda x, dim, dtype=None: softmax(x, dim=dim)
        exact = run(eager.double(), wide, {"output_hidden_states": True})
        torch.nn.functional.softmax = softmax
    for key, value in expected.items():
        assert torch.isfinite(value).all(), (name, key)
        if key in exact:
            error = relative_error(value, exact[key])
            assert error == error, (name, key)
            if error > 1e-4:
                real = inputs["attention_mask"].bool()
                error, eager_pads = relative_error(value[real], exact[key][real]), True
            noise = max(noise, error)
    assert noise < 1e-5, (name, noise)
    return noise, eager_pads


def write_case(name):
    directory, task, kind, how = CASES[name]
    short = name.removeprefix(directory + "_") if name != directory else "only"
    how = dict(how)
    line = [("dir", directory), ("task", task)]
    if "config" in how:
        with open(os.path.join(directory, "config.json")) as f:
            document = json.load(f)
        for key, value in how.pop("config").items():
            document[key] = value
            if value == DROP:
                del document[key]
        how["config_file"] = put(directory, f"config_{short}", "json",
                                 json.dumps(document, indent=2, sort_keys=True) + "\n")
        line.append(("config", how["config_file"]))
    for key in ("dtype", "num_labels", "variant", "subfolder"):
        if key in how:
            line.append((key, how[key]))
    for key in ("ignore_mismatched_sizes", "color"):
        if how.get(key):
            line.append((key, 1))
    if "fails" in how:
        try:
            load(directory, task, how, "auto")
        except (OSError, RuntimeError, ValueError):
            return line + [("fails", how["fails"])]
        raise AssertionError(f"{name} loads")

    loaded, info, messages = load(directory, task, how, how.get("dtype", "auto"))
    inputs = globals()[f"inputs_{kind}"](loaded.config, seeded("inputs", directory, kind))
    described = describe(loaded, info, task, [m for m in messages if "LOAD REPORT" not in m])
    printed = str(loaded) + "\n"

    def load_again(attention, seed=0):  # what the file says, computed in float32
        return load(directory, task, how, how.get("dtype", torch.float32), seed, attention)[0].float()

    extra = {"output_hidden_states": True, "output_attentions": True} if how.get("full") else {}
    attention = how.get("attention")
    expected = run(load_again(attention or "eager"), inputs, extra)
    if info["missing_keys"] or info["mismatched_keys"]:  # keep only what the newly initialised weights don't touch
        other = run(load_again("eager", seed=1), inputs, extra)
        expected = {k: v for k, v in expected.items() if torch.equal(v, other[k])}
    noise, eager_pads = compare_with_sdpa(name, load_again, inputs, expected, attention or "sdpa")
    padded = not inputs.get("attention_mask", torch.ones(1)).all()
    tolerance = next(t for t in ("2e-6", "5e-6", "1e-5", "2e-5", "4e-5", "1e-4") if 10 * noise <= float(t))

    line.append(("inputs", put(directory, f"inputs_{kind}", "safetensors", tensor_bytes(inputs))))
    line.append(("expected", put(directory, f"expected_{short}", "safetensors",
                                 tensor_bytes({k: v.float() for k, v in expected.items()}))))
    line.append(("print", put(directory, f"print_{short}", "txt", printed)))
    line.append(("info", put(directory, f"info_{short}", "json", info_text(described))))
    report = [m for m in messages if "LOAD REPORT" in m]
    if report:
        line.append(("report", put(directory, f"report_{short}", "txt", report[0] + "\n")))
    if attention:
        line.append(("attention", attention))
    if padded and (attention == "sdpa" or loaded.config.model_type == "gpt_neo"):
        line.append(("no_pads", 1))
    elif eager_pads:
        line.append(("eager_pads", 1))
    if info["missing_keys"] or info["mismatched_keys"]:
        line.append(("partial", 1))
    line.append(("tol", tolerance))
    print(f"{name}: noise {noise:.1e}", {k: round(v.abs().max().item(), 2) for k, v in list(expected.items())[:2]})
    return line


HEADER = """\
# What the parity tests load, run and compare; written by make_fixtures.py.
# A line is a case: its name, then key=value pairs, all separated by one space; no value contains a space.
#   dir=D       model directory, beside this file; all other files lie in D (also for subfolder=)
#   task=T      as hfm --task
#   config=F    give this file as the configuration instead of D's config.json
#   dtype=D num_labels=N ignore_mismatched_sizes=1 variant=V subfolder=S    options of the load; absent: default
#   color=1     report is the text with colours, as a terminal gets it
#   inputs=F    arguments of the forward, by name
#   expected=F  float32 outputs, by name. hidden_states.N or attentions.N among them: ask for these
#   print=F     print(model); info=F: counts, state_dict and load findings; report=F: the load report.
#               A text file's last newline is not part of the text. No report=: there must be no findings.
#   tol=E       |a - b| <= E * max|b| + 1e-5 * |b| for every element, max over that tensor
#   eager_pads=1  some padding sees no token at all (causal, or a window): such a row attends to everything alike with
#               eager attention, to nothing with sdpa: rows whose mask is 0 can be compared with eager only
#   no_pads=1   the same, but even Transformers' eager attention has its own way: such rows are not compared
#   attention=A expected is what this implementation gives, and another one differs: eager, or sdpa (and flash)
#   partial=1   some weights are newly initialised: only outputs that they don't touch are in expected
#   fails=E     the load must fail with that hfm_error.item; no other file is named
"""


def write_defaults():
    """Every class default and alias, for the tables of the library's configuration."""
    out = {}
    for model_type in MODEL_TYPES:
        config = transformers.AutoConfig.for_model(model_type)
        out[model_type] = {"attribute_map": config.attribute_map, "defaults": config.to_dict()}
    with open("config_defaults.json", "w") as f:
        f.write(json.dumps(out, indent=1, sort_keys=True) + "\n")


def main():
    for package, version in PINS.items():
        found = sys.modules[package].__version__.split("+")[0]
        if found != version:
            sys.exit(f"{package} {version} is pinned, {found} is installed")
    os.chdir(HERE)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    logging.getLogger("transformers").setLevel(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    sort_report()
    chosen = tuple(sys.argv[1:])
    kept = {}
    if chosen and os.path.exists("cases.txt"):
        with open("cases.txt") as f:
            kept = {line.split()[0]: line for line in f if not line.startswith("#")}
    for directory in MODELS:
        if not chosen or directory.startswith(chosen):
            write_model(directory)
    lines = []
    for name, (directory, *_) in CASES.items():
        if not chosen or directory.startswith(chosen):
            lines.append(name + "".join(f" {k}={v}" for k, v in write_case(name)) + "\n")
        elif name in kept:
            lines.append(kept[name])
    with open("cases.txt", "w") as f:
        f.write(HEADER + "".join(lines))
    write_defaults()


if __name__ == "__main__":
    main()
