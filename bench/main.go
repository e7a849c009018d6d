// Command bench lets ft and its peers do the same work in turns and writes what came of it into docs/benchmarks.md. README.md tells what it needs.
//
//	go run ./bench -ft ./ft -base model.gguf -hf DIR -data rows.jsonl -peer-python PYTHON
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// options are the command's flags.
type options struct {
	ft, base, cpu     string
	hf, dtype, python string
	node              string
	data              string
	tasks             string
	rounds, steps     int
	threads           int
	doc               string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	chosen, err := o.choose()
	if err != nil {
		return err
	}
	m, err := machineOf(o)
	if err != nil {
		return err
	}
	results := make([]result, len(chosen))
	for round := range o.rounds {
		for i, t := range chosen {
			if err := results[i].add(t, o); err != nil {
				return fmt.Errorf("%s, round %d: %w", t.name, round+1, err)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s: ft %.1f, peer %.1f\n", round+1, o.rounds, t.name, results[i].last(ours), results[i].last(theirs))
		}
	}
	section := table(chosen, results, m, "go run ./bench "+strings.Join(args, " "))
	fmt.Print(section)
	if o.doc == "" {
		return nil
	}
	marks := "bench"
	if chosen[0].needs == itself {
		marks = "methods"
	}
	return update(o.doc, marks, section)
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.ft, "ft", "./ft", "the ft program")
	f.StringVar(&o.base, "base", "", "the base, for ft and llama.cpp: a .gguf file")
	f.StringVar(&o.cpu, "cpu", "", "ft's backend (default: the best one)")
	f.StringVar(&o.hf, "hf", "", "the same base as a Hugging Face directory, for transformers and PEFT")
	f.StringVar(&o.dtype, "dtype", "bf16", "arithmetic of transformers and PEFT: bf16 or f32")
	f.StringVar(&o.python, "peer-python", "", "a Python that has torch, transformers and peft")
	f.StringVar(&o.node, "llamacpp", "", "a folder with node-llama-cpp and bench/peer/llamacpp.mjs in it")
	f.StringVar(&o.data, "data", "", "JSON lines of question and answer")
	f.StringVar(&o.tasks, "tasks", "", "what to measure, separated by commas (default: all that the peers given can do)")
	f.IntVar(&o.rounds, "rounds", 3, "how often each measures each")
	f.IntVar(&o.steps, "steps", 10, "optimizer steps of a training")
	f.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads of all programs")
	f.StringVar(&o.doc, "doc", "", "the page whose marked table is replaced, such as docs/benchmarks.md")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected %q", f.Arg(0))
	case o.base == "" || o.data == "":
		return nil, errors.New("-base and -data are needed")
	case o.python == "" && o.node == "" && o.tasks == "":
		return nil, errors.New("no peer: give -peer-python with -hf, or -llamacpp; or -tasks methods, which compares ft's methods")
	case o.python != "" && o.hf == "":
		return nil, errors.New("-hf is needed with -peer-python")
	case o.rounds < 1 || o.steps < 5 || o.threads < 1:
		return nil, errors.New("at least 1 round, 5 steps, 1 thread")
	}
	return o, nil
}

// choose are the tasks that the flags ask for.
func (o *options) choose() ([]task, error) {
	var can []task
	for _, t := range tasks {
		if t.needs == node && o.node != "" || t.needs == python && o.python != "" {
			can = append(can, t)
		}
	}
	if o.tasks == "" {
		return can, nil
	}
	own := methodTasks()
	var out []task
	for _, name := range strings.Split(o.tasks, ",") {
		before := len(out)
		if name == "methods" {
			out = append(out, own...)
		}
		for _, t := range slices.Concat(can, own) {
			if t.name == name {
				out = append(out, t)
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("-tasks: no %q that these peers can do", name)
		}
	}
	return out, nil
}
