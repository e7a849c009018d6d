# Runs LM Evaluation Harness: python harness.py MODEL_DIRECTORY TASK.yaml…, each in the folder of its file. Writes to $OUT:
# {task: {"scores": {name: value}, "rows": [[log-likelihoods]]}}.
import json, os, sys

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
import yaml
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM

lm = HFLM(pretrained=sys.argv[1], device="cpu", dtype="float32", batch_size=4)
out = {}
for file in sys.argv[2:]:
    os.chdir(os.path.dirname(os.path.abspath(file)))
    task = ConfigurableTask(config=yaml.safe_load(open(file, encoding="utf-8")))
    task.set_fewshot_seed(1234)
    result = evaluate(lm=lm, task_dict={task.task_name: task}, log_samples=True, bootstrap_iters=10)
    rows = {}
    for sample in result["samples"][task.task_name]:
        values = [r[0] for r in sample["resps"]]
        rows[sample["doc_id"]] = [float(v[0] if isinstance(v, (list, tuple)) else v) for v in values]
    scores = {k.removesuffix(",none"): v for k, v in result["results"][task.task_name].items() if k.endswith(",none") and isinstance(v, float)}
    out[task.task_name] = {"scores": scores, "rows": [rows[i] for i in sorted(rows)]}
json.dump(out, open(os.environ["OUT"], "w"))
