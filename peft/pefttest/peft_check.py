"""Loads adapters with Hugging Face PEFT and says what it made of them.

Reads from stdin {"adapters": [dir, ...], "bases": [dir, ...], "ids": [...], "out": dir} and prints one JSON object per
adapter: the modules that carry it, all logits of the ids, and those after merging (null where the method cannot
merge). PEFT's own save of each adapter goes to out/0, out/1, ...
"""
import json
import os
import sys
import warnings

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import AutoModelForCausalLM

job = json.load(sys.stdin)
ids = torch.tensor([job["ids"]])
for i, adapter in enumerate(job["adapters"]):
    base = AutoModelForCausalLM.from_pretrained(job["bases"][i], dtype=torch.float32)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(base, adapter).eval()
    keys = [str(w.message) for w in told if "missing" in str(w.message).lower() or "unexpected" in str(w.message).lower()]
    if keys:
        sys.exit(f"{adapter}: {keys}")
    modules = [n.removeprefix("base_model.model.") for n, m in model.named_modules() if isinstance(m, BaseTunerLayer) and not n.endswith(".token_adapter")]
    with torch.no_grad():
        logits = model(ids).logits[0, -ids.shape[1]:].flatten().tolist()  # without virtual positions
        model.save_pretrained(os.path.join(job["out"], str(i)))
        merged = None
        if modules:
            merged = model.merge_and_unload()(ids).logits[0].flatten().tolist()
    print(json.dumps({"modules": modules, "logits": logits, "merged": merged}))
