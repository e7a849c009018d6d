"""Greedy answers with transformers on the CPU: how many new tokens a second, prompts included?

    python generate.py --model DIR --data rows.jsonl --rows 16 --batch 16 --new 64

One JSON line on stdout. Every answer has --new tokens.
"""
import argparse
import time

import torch

import common

parser = argparse.ArgumentParser()
parser.add_argument("--rows", type=int, default=16)
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--new", type=int, default=64)
o = common.arguments(parser)

tokenizer, model = common.load(o, padding_side="left")
model.eval()
pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
prompts = [common.conversation(tokenizer, row) for row, _ in zip(common.rows(o.data), range(o.rows))]

start = common.begin()
made = 0
with torch.inference_mode():
    for i in range(0, len(prompts), o.batch):
        inputs = tokenizer(prompts[i:i + o.batch], return_tensors="pt", padding=True, add_special_tokens=False)
        out = model.generate(**inputs, do_sample=False, max_new_tokens=o.new, min_new_tokens=o.new, pad_token_id=pad)
        made += out.shape[0] * (out.shape[1] - inputs["input_ids"].shape[1])
common.tell(tokens_per_s=made / (time.perf_counter() - start), tokens=made)
