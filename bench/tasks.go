package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// task is one kind of work that ft and a peer do in turns. Each side tells its rate in tokens per second.
type task struct {
	name, what string
	needs      peer
	ours       func(*options) (figures, error)
	theirs     func(*options) (figures, error)
}

// peer is what the other side of a task needs.
type peer uint8

const (
	python peer = iota // transformers and PEFT
	node               // llama.cpp
	itself             // ft, with another method
)

// figures are what one program did once.
type figures struct {
	rate  float64 // tokens per second
	start float64 // seconds from the start of the program to the first step; 0 if it does not tell
	peak  int64   // bytes of resident memory; 0 where the system does not tell
}

// block is the length of the peer's samples, and what ft cuts samples at.
const block = 512

// generated is the length of the answers.
const generated = 64

var tasks = []task{
	trainTask(1), trainTask(4), generateTask(1, 4), generateTask(16, 32),
	{
		name: "prompt", what: fmt.Sprintf("reading a prompt of %d tokens, against llama.cpp", block), needs: node,
		ours: func(o *options) (figures, error) { return o.bench("prompt", 0) }, theirs: func(o *options) (figures, error) { return o.llama("prompt_tokens_per_s") },
	},
	{
		name: "decode", what: "decoding, batch 1, against llama.cpp", needs: node,
		ours: func(o *options) (figures, error) { return o.bench("decode", 0) }, theirs: func(o *options) (figures, error) { return o.llama("decode_tokens_per_s") },
	},
}

// plainLoRA is the method of all trainings but those of other methods.
const plainLoRA = "{kind: lora, rank: 16, alpha: 32, dropout: 0, targets: all-linear}"

// trainTask trains LoRA of rank 16 on all linear layers, so many blocks of tokens a step.
func trainTask(blocks int) task {
	return task{
		name: fmt.Sprintf("train%d", blocks), what: fmt.Sprintf("training LoRA, %d x %d tokens a step", blocks, block),
		ours: func(o *options) (figures, error) { return o.train(blocks, plainLoRA, 0) },
		theirs: func(o *options) (figures, error) {
			return o.peer("train.py", "--blocks", strconv.Itoa(blocks), "--block", strconv.Itoa(block), "--steps", strconv.Itoa(o.steps))
		},
	}
}

// generateTask answers rows greedily, some at a time.
func generateTask(batch, rows int) task {
	return task{
		name: fmt.Sprintf("generate%d", batch), what: fmt.Sprintf("greedy answers of %d tokens, batch %d", generated, batch),
		ours: func(o *options) (figures, error) { return o.generate(batch, rows) },
		theirs: func(o *options) (figures, error) {
			return o.peer("generate.py", "--rows", strconv.Itoa(rows), "--batch", strconv.Itoa(batch), "--new", strconv.Itoa(generated))
		},
	}
}

// trainConfig is ft's side of a training: no validation, no answers, a step's samples in one pass.
const trainConfig = `base: %q
method: %s
data: {files: [%q], split: {train: 1, val: 0, test: 0}, max_tokens: %d, too_long: cut}
train: {epochs: 0, steps: %d, batch: %d, micro_tokens: %d, lr: 2.0e-4, schedule: constant, warmup: 0}
eval: {every: 0, sample: 0}
out: %q
`

// train runs ft train with a method. As many whole samples make up a step as have about so many blocks of tokens on average; they are packed into
// one pass. Of the rate's tokens, virtual ones are in front of each sample.
func (o *options) train(blocks int, method string, virtual int) (figures, error) {
	dir, err := os.MkdirTemp("", "ft-bench-")
	if err != nil {
		return figures{}, err
	}
	defer os.RemoveAll(dir)
	mean, err := o.meanTokens(dir)
	if err != nil {
		return figures{}, err
	}
	tokens := blocks * block
	config := fmt.Sprintf(trainConfig, o.base, method, o.data, block, o.steps, max(1, int(math.Round(float64(tokens)/mean))), 2*tokens, filepath.Join(dir, "runs"))
	path := filepath.Join(dir, "bench.yaml")
	if err := os.WriteFile(path, []byte(config), 0o666); err != nil {
		return figures{}, err
	}
	out, err := o.runFT("train", "-v", "--config", path)
	if err != nil {
		return figures{}, err
	}
	log, err := os.ReadFile(filepath.Join(dir, "runs", "latest", "log.jsonl"))
	if err != nil {
		return figures{}, err
	}
	out.rate, err = stepRate(log)
	out.rate *= 1 + float64(virtual)/mean
	return out.figures, err
}

// meanTokens is the mean length of the samples.
func (o *options) meanTokens(dir string) (float64, error) {
	path := filepath.Join(dir, "check.yaml")
	config := fmt.Sprintf(trainConfig, o.base, plainLoRA, o.data, block, 1, 1, block, dir)
	if err := os.WriteFile(path, []byte(config), 0o666); err != nil {
		return 0, err
	}
	out, err := o.runFT("data", "check", "--config", path, "--json")
	if err != nil {
		return 0, err
	}
	var check struct {
		Parts struct {
			Train struct{ Tokens struct{ Mean float64 } }
		}
	}
	if err := json.Unmarshal(out.stdout, &check); err != nil {
		return 0, err
	}
	if mean := check.Parts.Train.Tokens.Mean; mean > 0 {
		return mean, nil
	}
	return 0, errors.New("ft data check tells no mean length")
}

// stepRate is the median rate of the training rows of a log behind the third.
func stepRate(log []byte) (float64, error) {
	var rates []float64
	for line := range strings.Lines(string(log)) {
		var row struct {
			LR   *float64 `json:"lr"` // only training rows have it
			Rate float64  `json:"tokens_per_s"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			return 0, err
		}
		if row.LR != nil {
			rates = append(rates, row.Rate)
		}
	}
	if len(rates) < 4 {
		return 0, fmt.Errorf("only %d steps in the log", len(rates))
	}
	return median(rates[3:]), nil
}

var toldRate = regexp.MustCompile(`: ([0-9.]+) tokens/s, prompts included`)

func (o *options) generate(batch, rows int) (figures, error) {
	out, err := o.runFT("generate", "-v", "--base", o.base, "--file", o.data, "--limit", strconv.Itoa(rows),
		"--max-new", strconv.Itoa(generated), "--batch", strconv.Itoa(batch), "--json")
	if err != nil {
		return figures{}, err
	}
	m := toldRate.FindStringSubmatch(out.stderr)
	if m == nil {
		return figures{}, fmt.Errorf("ft generate tells no rate:\n%s", out.stderr)
	}
	out.rate, err = strconv.ParseFloat(m[1], 64)
	return out.figures, err
}

// bench runs one part of ft bench and takes its i-th rate.
func (o *options) bench(part string, i int) (figures, error) {
	out, err := o.runFT("bench", "--base", o.base, "--parts", part, "--json")
	if err != nil {
		return figures{}, err
	}
	var all map[string]json.RawMessage
	var rates []struct {
		Rate float64 `json:"tokens_per_s"`
	}
	if err := json.Unmarshal(out.stdout, &all); err != nil {
		return figures{}, err
	}
	if err := json.Unmarshal(all[part], &rates); err != nil || i >= len(rates) {
		return figures{}, fmt.Errorf("ft bench --parts %s told %s", part, out.stdout)
	}
	out.rate = rates[i].Rate
	return out.figures, nil
}

func (o *options) runFT(args ...string) (*outcome, error) {
	args = append(args, "--threads", strconv.Itoa(o.threads))
	if o.cpu != "" {
		args = append(args, "--cpu", o.cpu)
	}
	return execute(o.ft, args...)
}

// peer runs one of the Python scripts beside this file.
func (o *options) peer(script string, args ...string) (figures, error) {
	args = append([]string{
		filepath.Join("bench", "peer", script), "--model", o.hf, "--data", o.data, "--dtype", o.dtype, "--threads", strconv.Itoa(o.threads),
	}, args...)
	out, err := execute(o.python, args...)
	if err != nil {
		return figures{}, err
	}
	out.rate, err = field(out.stdout, "tokens_per_s")
	return out.figures, err
}

func (o *options) llama(name string) (figures, error) {
	out, err := execute("node", filepath.Join(o.node, "llamacpp.mjs"), o.base, strconv.Itoa(o.threads))
	if err != nil {
		return figures{}, err
	}
	out.rate, err = field(out.stdout, name)
	return out.figures, err
}

// field is a number in the JSON object on the last line of text.
func field(text []byte, name string) (float64, error) {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var row map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &row); err != nil {
		return 0, fmt.Errorf("%w in %q", err, text)
	}
	v, ok := row[name].(float64)
	if !ok || !(v > 0) {
		return 0, fmt.Errorf("no %s in %q", name, text)
	}
	return v, nil
}

// median is the middle of some values, the upper one of two.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return v[len(v)/2]
}
