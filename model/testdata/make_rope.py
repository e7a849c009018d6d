"""Writes rope.json: the inverse frequencies and attention factors that transformers computes for the kinds of rope
scaling, for configurations in the spelling of config.json files. Run with transformers 5 and torch:

    python make_rope.py > rope.json
"""
import json

import torch
import transformers
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

# name: (head_dim, max_position_embeddings, rope_theta, rope_scaling)
CASES = {
    "default": (64, 2048, 10000.0, None),
    "default, large base": (128, 32768, 1e6, {"rope_type": "default"}),
    "default, small odd half": (6, 64, 500.0, None),
    "linear": (64, 4096, 10000.0, {"rope_type": "linear", "factor": 2.5}),
    "linear, old spelling": (32, 4096, 10000.0, {"type": "linear", "factor": 8.0}),
    "dynamic": (64, 2048, 10000.0, {"rope_type": "dynamic", "factor": 4.0}),
    "llama3 of Llama 3.1": (128, 131072, 500000.0, {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}),
    "llama3 of Llama 3.2": (64, 131072, 500000.0, {
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}),
    "llama3, small": (16, 256, 500.0, {
        "rope_type": "llama3", "factor": 3.0, "low_freq_factor": 1.5, "high_freq_factor": 6.0,
        "original_max_position_embeddings": 40}),
    "yarn": (128, 131072, 10000.0, {
        "rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096}),
    "yarn, betas": (64, 32768, 1e6, {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192, "beta_fast": 16.0, "beta_slow": 2.0}),
    "yarn, attention factor": (64, 32768, 10000.0, {
        "rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 2048, "attention_factor": 0.9}),
    "yarn, mscale": (64, 163840, 10000.0, {
        "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 0.8, "mscale_all_dim": 1.3}),
    "yarn, mscale alone": (64, 163840, 10000.0, {
        "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 0.8}),
    "yarn, not truncated": (96, 65536, 150000.0, {
        "rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096, "truncate": False}),
    "yarn, short ramp": (8, 64, 100.0, {
        "rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32}),
}


def main():
    out = []
    for name, (head_dim, context, theta, scaling) in CASES.items():
        legacy = {
            "model_type": "llama", "vocab_size": 8, "hidden_size": 2 * head_dim, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": context,
            "rope_theta": theta, "rope_scaling": scaling,
        }
        config = LlamaConfig(**json.loads(json.dumps(legacy)))
        rotary = LlamaRotaryEmbedding(config)
        modern = {k: v for k, v in legacy.items() if not k.startswith("rope_")}
        modern["rope_parameters"] = {k: v for k, v in config.rope_parameters.items() if v is not None}
        out.append({
            "name": name, "config": legacy, "config5": modern, "attention_factor": rotary.attention_scaling,
            "inv_freq": [float(f"{v:.9g}") for v in rotary.inv_freq.to(torch.float64).tolist()],
        })
    print(json.dumps({"transformers": transformers.__version__, "cases": out}, indent=1))


main()
