"""What the peer's scripts share: the model, the rows, and how a result is told."""
import json
import resource
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

DTYPES = {"bf16": torch.bfloat16, "f32": torch.float32}
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def arguments(parser):
    parser.add_argument("--model", required=True, help="Hugging Face directory")
    parser.add_argument("--data", required=True, help="JSON lines of question and answer")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    return options


def load(options, **tokenizer):
    """The tokenizer and the model of the options."""
    return (
        AutoTokenizer.from_pretrained(options.model, **tokenizer),
        AutoModelForCausalLM.from_pretrained(options.model, dtype=DTYPES[options.dtype]),
    )


def rows(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def conversation(tokenizer, row):
    """The text of a row's prompt."""
    turns = [{"role": "user", "content": row["question"]}]
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


def begin():
    """Tell the watcher that the work proper starts now."""
    print("the first step begins", file=sys.stderr, flush=True)
    return time.perf_counter()


def tell(**result):
    result["torch"] = torch.__version__
    result["peak_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(result))
