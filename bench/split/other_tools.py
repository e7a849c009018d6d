"""Splits the rows of a JSON-lines file at random, as other tools do, and writes the split as a manifest of ft.

    python bench/split/other_tools.py rows.jsonl --tool datasets --out random.json
    ft data check rows.jsonl --set data.split.manifest=random.json --set data.split.leaks=accept

Tools: datasets is Hugging Face's train_test_split, which LLaMA-Factory's val_size calls as well; sklearn is
sklearn.model_selection.train_test_split. Both know rows and no groups. Test is split off first, then val.
"""

import argparse
import json


def ids_of(path):
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f if line.strip()]
    name = path.replace("\\", "/").split("/")[-1]
    return [str(r.get("id") or f"{name}:{n}") for n, r in enumerate(rows, 1)]


def by_datasets(ids, val, test, seed):
    import datasets

    rest = datasets.Dataset.from_dict({"id": ids}).train_test_split(test_size=test, seed=seed)
    parts = rest["train"].train_test_split(test_size=val / (1 - test), seed=seed)
    return list(parts["train"]["id"]), list(parts["test"]["id"]), list(rest["test"]["id"])


def by_sklearn(ids, val, test, seed):
    from sklearn.model_selection import train_test_split

    rest, tested = train_test_split(ids, test_size=test, random_state=seed)
    train, validated = train_test_split(rest, test_size=val / (1 - test), random_state=seed)
    return train, validated, tested


def main():
    p = argparse.ArgumentParser()
    p.add_argument("rows")
    p.add_argument("--tool", choices=["datasets", "sklearn"], default="datasets")
    p.add_argument("--val", type=float, default=0.2)
    p.add_argument("--test", type=float, default=0.1)
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--out", required=True)
    a = p.parse_args()
    split = {"datasets": by_datasets, "sklearn": by_sklearn}[a.tool]
    train, val, test = split(ids_of(a.rows), a.val, a.test, a.seed)
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump({"train": train, "val": val, "test": test}, f)
    print(f"{a.out}: train {len(train)}, val {len(val)}, test {len(test)}")


if __name__ == "__main__":
    main()
