"""ft's tokenizer and Hugging Face's Rust tokenizers in turns, on one core: same text, same ids.

tokenize.py --ft ./ft --tokenizer tokenizer.json --data rows.jsonl [--rounds 5] [--core 0]

Rows are {question, answer} or {text}. Each side tokenizes each text for itself; the best of the rounds counts. The peer is measured as encode_batch and as encode_batch_fast, which
computes no offsets.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers  # noqa: E402  (reads the environment)

parser = argparse.ArgumentParser()
parser.add_argument("--ft", default="./ft")
parser.add_argument("--tokenizer", required=True)
parser.add_argument("--data", required=True, nargs="+", help="JSON lines")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--core", type=int, default=0)
options = parser.parse_args()
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {options.core})

texts = []
for path in options.data:
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            texts += [row["text"]] if "text" in row else [row["question"], row["answer"]]

peer = tokenizers.Tokenizer.from_file(options.tokenizer)
ways = {"encode_batch": peer.encode_batch, "encode_batch_fast": peer.encode_batch_fast}
best = dict.fromkeys([*ways, "ft"], float("inf"))
sums = {}
with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
    for text in texts:
        file.write(json.dumps({"text": text}) + "\n")
    file.flush()
    command = [options.ft, "tokenize", "--tokenizer", options.tokenizer, "--file", file.name, "--count", "--json", "--threads", "1"]
    for _ in range(options.rounds):
        for name, encode in ways.items():
            begin = time.perf_counter()
            out = encode(texts, add_special_tokens=False)
            best[name] = min(best[name], time.perf_counter() - begin)
            if name not in sums:
                crc, tokens = 0, 0
                for e in out:
                    crc = zlib.crc32(b"".join(i.to_bytes(4, "little") for i in e.ids), crc)
                    tokens += len(e.ids)
                sums[name] = f"{crc:08x}"
            del out
        ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        best["ft"] = min(best["ft"], ours["seconds"])
        sums["ft"] = ours["crc32"]
if len(set(sums.values())) != 1 or ours["tokens"] != tokens:
    sys.exit(f"the ids differ: {sums}")
print(json.dumps({
    "tokenizers": tokenizers.__version__, "texts": len(texts), "tokens": tokens,
    "million_tokens_per_s": {k: round(tokens / v / 1e6, 3) for k, v in best.items()},
    "ratio": {k: round(best[k] / best["ft"], 2) for k in ways},
}, indent=1))
