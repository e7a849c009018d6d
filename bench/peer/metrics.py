"""Times the metrics of ft and of the Python programs whose rules it follows, from the start of each program to its end.

    python bench/peer/metrics.py --ft ./ft --data rows.jsonl --work DIR

makes 10,000 pairs out of the answers of a file (JSON lines with "answer"): an answer with words or characters dropped, doubled and
swapped against the answer itself. Then both sides score them in turns, each round in a new process: BLEU and ROUGE (sacrebleu and
rouge-score), and LLaMA-Factory's recipe (jieba, rouge-chinese, nltk). It prints medians, their ratio, and whether the scores agree. For
the first, take English text, for which ft and rouge-score have the same rules; for the recipe, Chinese.

    pip install sacrebleu rouge-score nltk jieba rouge-chinese numpy
"""
import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path


def pairs(data, count, work):
    """Writes the pairs and returns the file."""
    with open(data, encoding="utf-8") as lines:
        answers = [a for a in (json.loads(line)["answer"] for line in lines) if a.strip()]
    draw = random.Random(1)
    path = Path(work) / f"pairs-{Path(data).stem}-{count}.jsonl"
    with open(path, "w", encoding="utf-8") as out:
        for i in range(count):
            answer = answers[i % len(answers)]
            spaced = answer.count(" ") > len(answer) / 20
            units = answer.split(" ") if spaced else list(answer)
            for _ in range(len(units) // 8 + 1):
                k = draw.randrange(len(units))
                match draw.randrange(3):
                    case 0 if len(units) > 1:
                        del units[k]
                    case 1:
                        units.insert(k, units[k])
                    case _:
                        j = draw.randrange(len(units))
                        units[k], units[j] = units[j], units[k]
            row = {"prediction": (" " if spaced else "").join(units), "reference": answer}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def read(path):
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [r["prediction"] for r in rows], [r["reference"] for r in rows]


def bleu_rouge(predictions, references):
    from rouge_score import rouge_scorer
    from sacrebleu.metrics import BLEU

    out = {"bleu": BLEU().corpus_score(predictions, [references]).score}
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"])
    rows = [scorer.score(r, p) for p, r in zip(predictions, references)]
    for key in rows[0]:
        out[key] = 100 * statistics.fmean(row[key].fmeasure for row in rows)
    return out


def recipe(predictions, references):
    import logging

    import jieba
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
    from rouge_chinese import Rouge

    jieba.setLogLevel(logging.CRITICAL)
    scores = {key: [] for key in ["bleu-4", "rouge-1", "rouge-2", "rouge-l"]}
    for p, r in zip(predictions, references):
        cut_p, cut_r = " ".join(jieba.cut(p)), " ".join(jieba.cut(r))
        row = {}
        if cut_p.split() and cut_r.split():
            row = Rouge().get_scores(cut_p, cut_r)[0]
        for key in ["rouge-1", "rouge-2", "rouge-l"]:
            scores[key].append(round(row.get(key, {"f": 0.0})["f"] * 100, 4))
        bleu = sentence_bleu([list(r)], list(p), smoothing_function=SmoothingFunction().method3)
        scores["bleu-4"].append(round(bleu * 100, 4))
    return {"lf:" + key: statistics.fmean(values) for key, values in scores.items()}


TASKS = {"bleu,rouge": bleu_rouge, "lf": recipe}


def timed(command):
    """The seconds of a command and the scores that it prints."""
    start = time.perf_counter()
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return time.perf_counter() - start, json.loads(out)["metrics"]


def compare(options, path, task):
    ft = [options.ft, "eval", "--predictions", path, "--metric", task, "--bootstrap", "0", "--json"]
    peer = [sys.executable, __file__, "--peer", task, "--data", path]
    seconds, scores = ([], []), ({}, {})
    for n in range(max(options.rounds, options.peer_rounds)):
        for side, (command, rounds) in enumerate([(ft, options.rounds), (peer, options.peer_rounds)]):
            if n < rounds:
                took, result = timed([str(c) for c in command])
                seconds[side].append(took)
                scores[side].update(result)
    medians = [statistics.median(s) for s in seconds]
    apart = max(abs(scores[0][key] - scores[1][key]) for key in scores[1])
    print(f"{task}: ft {medians[0]:.2f} s, Python {medians[1]:.2f} s, {medians[1] / medians[0]:.1f}x; scores differ by at most {apart:.1g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ft", help="the program")
    parser.add_argument("--data", required=True, help='JSON lines with "answer"')
    parser.add_argument("--work", default=".", help="folder for the pairs")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=list(TASKS))
    parser.add_argument("--rounds", type=int, default=5, help="of ft")
    parser.add_argument("--peer-rounds", type=int, default=1, help="of Python")
    parser.add_argument("--peer", choices=TASKS, help=argparse.SUPPRESS)  # be the peer
    options = parser.parse_args()
    if options.peer:
        print(json.dumps({"metrics": TASKS[options.peer](*read(options.data))}))
        return
    path = pairs(options.data, options.count, options.work)
    for task in options.tasks:
        compare(options, path, task)


if __name__ == "__main__":
    main()
