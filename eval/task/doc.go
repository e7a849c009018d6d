// Package task is multiple-choice and log-likelihood tasks in the manner of EleutherAI's LM Evaluation Harness 0.4.
//
//	task.yaml (Load)      → *Definition, checked; its keys are lm-eval's where they mean the same
//	data files (Prepare)  → *Task: prompts, continuations and targets of every row
//	Task.Run(Model)       → *Outcome: log-likelihoods row by row → Metrics with standard errors
//	Compare(base, tuned)  → eval.TaskResult, with McNemar's exact test
//
// A model is seen through Scorer, which gives log-likelihoods of continuations behind contexts, in token ids; everything else
// is a pure function. The same YAML file runs in lm-eval and gives the same requests, with these exceptions:
//
//   - keys that need Python (process_docs, !function) or the network (dataset_name) are refused;
//   - few-shot rows drawn at random are other ones than Python's generator draws; sampler: first_n is the same;
//   - a row is never its own example, also where lm-eval lets it be because fewshot_split is not given;
//   - a target that is none of the choices is an error, not a wrong answer.
package task
