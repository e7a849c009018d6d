"""Loads adapters with Hugging Face PEFT and says what it made of them.

Reads from stdin {"base": dir, "ids": [...], "adapters": [dir, ...], "out": dir} and prints one JSON object per
adapter: the modules that carry it, all logits with the adapter and after merging. PEFT's own save of each adapter
goes to out/0, out/1, ...
"""
import json
import os
import sys
import warnings

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM

job = json.load(sys.stdin)
ids = torch.tensor([job["ids"]])
for i, adapter in enumerate(job["adapters"]):
    base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # how PEFT tells of missing and unexpected keys
        warnings.filterwarnings("ignore", message=".*ensure_weight_tying.*")  # and of tied heads that do not follow
        model = PeftModel.from_pretrained(base, adapter).eval()
    modules = [n.removeprefix("base_model.model.") for n, m in model.named_modules() if isinstance(m, LoraLayer)]
    with torch.no_grad():
        logits = model(ids).logits[0].flatten().tolist()
        model.save_pretrained(os.path.join(job["out"], str(i)))
        merged = model.merge_and_unload()(ids).logits[0].flatten().tolist()
    print(json.dumps({"modules": modules, "logits": logits, "merged": merged}))
