"""LoRA training with PyTorch, transformers and PEFT on the CPU: how many tokens a second?

    python train.py --model DIR --data rows.jsonl --blocks 4 --steps 10

Samples are laid end to end and cut into blocks of --block tokens, so there is no padding; answers count in the loss. One optimizer step is
one pass over --blocks blocks. One JSON line on stdout; the rate is the median over the steps behind the third.
"""
import argparse
import random
import statistics
import time

import torch
from peft import LoraConfig, get_peft_model

import common

parser = argparse.ArgumentParser()
parser.add_argument("--blocks", type=int, default=1)
parser.add_argument("--block", type=int, default=512)
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--rank", type=int, default=16)
parser.add_argument("--alpha", type=int, default=32)
parser.add_argument("--lr", type=float, default=2e-4)
parser.add_argument("--compile", action="store_true")
o = common.arguments(parser)


def stream(tokenizer, need):
    """Token ids and labels of so many tokens, sample behind sample."""
    ids, labels = [], []
    everything = list(common.rows(o.data))
    random.Random(1).shuffle(everything)
    while len(ids) < need:
        for row in everything:
            prompt = common.conversation(tokenizer, row)
            asked = tokenizer(prompt, add_special_tokens=False)["input_ids"]
            whole = tokenizer(prompt + row["answer"] + tokenizer.eos_token, add_special_tokens=False)["input_ids"][: o.block]
            ids += whole
            labels += [-100] * min(len(asked), len(whole)) + whole[len(asked):]
            if len(ids) >= need:
                break
    return torch.tensor(ids[:need]), torch.tensor(labels[:need])


tokenizer, model = common.load(o)
model = get_peft_model(model, LoraConfig(
    task_type="CAUSAL_LM", r=o.rank, lora_alpha=o.alpha, lora_dropout=0.0, target_modules=common.TARGETS))
model.train()
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=o.lr, weight_decay=0.0)
forward = torch.compile(model) if o.compile else model
size = o.blocks * o.block
ids, labels = stream(tokenizer, size * o.steps)

common.begin()
rates, losses = [], []
for step in range(o.steps):
    at = time.perf_counter()
    part = slice(step * size, (step + 1) * size)
    out = forward(input_ids=ids[part].view(o.blocks, o.block), labels=labels[part].view(o.blocks, o.block))
    out.loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    losses.append(round(out.loss.item(), 4))
    rates.append(size / (time.perf_counter() - at))
common.tell(tokens_per_s=statistics.median(rates[min(3, len(rates) - 1):]), tokens=size, losses=losses)
