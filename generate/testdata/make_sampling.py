"""Writes sampling.json: the distribution of the next token that transformers draws from, for logits, earlier tokens and settings. The
order of the processors is the one in which transformers' own generate puts them. Run with transformers 5 and torch:

    python make_sampling.py > sampling.json
"""
import json

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

VOCAB = 60
SETTINGS = [
    {"temperature": 1.0},
    {"temperature": 0.7},
    {"temperature": 2.5},
    {"temperature": 1.0, "top_k": 1},
    {"temperature": 1.0, "top_k": 7},
    {"temperature": 0.8, "top_k": 500},
    {"temperature": 1.0, "top_p": 0.9},
    {"temperature": 1.3, "top_p": 0.5},
    {"temperature": 1.0, "top_p": 0.01},
    {"temperature": 1.0, "min_p": 0.05},
    {"temperature": 1.5, "min_p": 0.3},
    {"temperature": 1.0, "min_p": 1.0},
    {"temperature": 1.0, "repetition_penalty": 1.3},
    {"temperature": 0.9, "repetition_penalty": 0.8},
    {"temperature": 0.6, "top_k": 20, "top_p": 0.85},
    {"temperature": 1.2, "top_k": 30, "top_p": 0.95, "min_p": 0.1},
    {"temperature": 1.7, "top_k": 12, "top_p": 0.8, "min_p": 0.02, "repetition_penalty": 1.15},
]
NEUTRAL = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0}


def rows(gen):
    """Logits of several shapes, and earlier tokens, some of them twice."""
    flat = torch.randn(VOCAB, generator=gen)
    yield flat * 0.3
    yield flat * 3
    yield (torch.randn(VOCAB, generator=gen) * 4).round() / 2  # many ties
    peaked = torch.randn(VOCAB, generator=gen)
    peaked[17] += 9
    yield peaked


def main():
    model = LlamaForCausalLM(LlamaConfig(vocab_size=VOCAB, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1))
    gen = torch.Generator().manual_seed(6)
    out = []
    for logits in rows(gen):
        logits = logits.float()
        seen = torch.randint(0, VOCAB, (9,), generator=gen).tolist()
        seen += seen[:3] + [int(logits.argmax())]
        row = {"logits": logits.tolist(), "seen": seen, "cases": []}
        for s in SETTINGS:
            s = {**NEUTRAL, **s}
            processors = model._get_logits_processor(GenerationConfig(do_sample=True, **s), input_ids_seq_length=len(seen))
            probs = processors(torch.tensor([seen]), logits.clone()[None])[0].double().softmax(-1)
            row["cases"].append({**s, "probs": [float(f"{p:.9g}") for p in probs.tolist()]})
        out.append(row)
    print(json.dumps(out))


main()
