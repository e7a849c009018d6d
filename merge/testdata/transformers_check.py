"""Asks Hugging Face transformers what merged models answer. In: {"models": [path, ...], "ids": [...], "text": ...} as JSON on stdin; out: a line for each."""
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)
job = json.load(sys.stdin)
for path in job["models"]:
    place, extra = path, {}
    if path.endswith(".gguf"):
        place, extra = os.path.dirname(path), {"gguf_file": os.path.basename(path)}
    model, info = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, output_loading_info=True, **extra)
    tokenizer = AutoTokenizer.from_pretrained(place, **extra)
    with torch.inference_mode():
        logits = model.eval()(input_ids=torch.tensor([job["ids"]])).logits[0]
    dialogue = [{"role": "user", "content": job["text"]}]
    print(json.dumps({
        "logits": logits.flatten().tolist(),
        "missing": sorted(map(str, info["missing_keys"])) + sorted(map(str, info["unexpected_keys"])),
        "tokens": tokenizer(job["text"])["input_ids"],
        "chat": tokenizer.apply_chat_template(dialogue, tokenize=False, add_generation_prompt=True),
        "stops": model.generation_config.eos_token_id,
    }))
