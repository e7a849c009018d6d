package task

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// The kinds of tasks.
const (
	MultipleChoice = "multiple_choice"       // which of several continuations is the likeliest
	LogLikelihood  = "loglikelihood"         // how likely one continuation is
	Rolling        = "loglikelihood_rolling" // how likely a whole text is
)

var outputTypes = []string{MultipleChoice, LogLikelihood, Rolling}

// Definition is what a task file says.
type Definition struct {
	File  string // as given
	Name  string // task, by default the file's name
	Alias string // task_alias, by default Name: what tables call it

	OutputType string
	Data       map[string][]string // files of each split
	Eval       string              // the split that is scored: test_split, or else validation_split

	Description     *pattern
	Text            *pattern // doc_to_text
	Choice          *pattern // doc_to_choice
	Choices         []string // doc_to_choice that is the same for all rows
	Target          *pattern // doc_to_target
	Targets         []any    // doc_to_target that is the same for all rows: indices or texts
	TargetDelimiter string
	FewshotDelim    string

	Shots   int    // num_fewshot
	Seed    uint64 // of the drawing of examples
	FirstN  bool   // examples are the first rows, not drawn ones
	ShotsOf string // the split of examples; empty with Samples
	Samples []map[string]any
	Indices []int    // of the split's rows that may be examples; nil: all
	Metrics []string // metric_list; nil: all that the kind has

	training, validation, test string // the splits that the file names
}

// defaultSeed draws examples where the file names no seed; it is lm-eval's, whose generator draws others.
const defaultSeed = 1234

// metricsOf are the scores of each kind, those that lm-eval gives first.
var metricsOf = map[string][]string{
	MultipleChoice: {"acc", "acc_norm", "acc_bytes"},
	LogLikelihood:  {"perplexity", "acc"},
	Rolling:        {"word_perplexity", "byte_perplexity", "bits_per_byte", "token_perplexity"},
}

// aggregations are lm-eval's names of how a score sums up rows; a file may say what is so anyway.
var aggregations = map[string]string{
	"acc": "mean", "acc_norm": "mean", "acc_bytes": "mean", "perplexity": "perplexity", "word_perplexity": "weighted_perplexity",
	"byte_perplexity": "weighted_perplexity", "token_perplexity": "weighted_perplexity", "bits_per_byte": "bits_per_byte",
}

// Load reads a task file. All that is wrong with it comes at once, each as file:line: key: what.
func Load(file string) (*Definition, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("task: %s: not YAML: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	d := &Definition{File: file, TargetDelimiter: " ", FewshotDelim: "\n\n", Seed: defaultSeed, Data: map[string][]string{}}
	d.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	r := &reader{file: file}
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("task: %s: expected keys with values, such as output_type: multiple_choice", file)
	}
	r.section(root.Content[0], "", d.fields(r), foreign)
	if len(r.errs) == 0 {
		d.complete(r)
	}
	if len(r.errs) > 0 {
		return nil, fmt.Errorf("task: %w", errors.Join(r.errs...))
	}
	return d, nil
}

// foreign are keys of lm-eval that ft does not take, and why.
var foreign = map[string]string{
	"process_docs":    "is a Python function; bring the rows into their form before",
	"process_results": "is a Python function; the scores of output_type are given",
	"custom_dataset":  "is a Python function; name files in dataset_kwargs.data_files",
	"dataset_name":    "is a part of a data set on the network; name files in dataset_kwargs.data_files",
	"use_prompt":      "needs a Python package; write doc_to_text",
	"filter_list":     "filters generated answers, which ft eval --metric scores", "generation_kwargs": "is for generated answers, which ft eval --metric scores",
	"gen_prefix": "is not supported: put the text at the end of doc_to_text",
	"include":    "is not supported: write the keys of the other file here",
	"group":      "is not supported: give --task several times", "repeats": "is not supported: a log-likelihood is the same each time",
	"doc_to_image": "is not supported", "doc_to_audio": "is not supported", "unsafe_code": "is not supported",
	"should_decontaminate": "is not supported: ft data check finds rows that are in two files", "doc_to_decontamination_query": "is not supported",
}

// fields are the keys of a task file.
func (d *Definition) fields(r *reader) []field {
	ignore := func(*yaml.Node, string) {}
	return []field{
		{"task", r.text(&d.Name)}, {"task_alias", r.text(&d.Alias)}, {"tag", ignore}, {"metadata", ignore},
		{"dataset_path", func(n *yaml.Node, key string) {
			kind := ""
			if r.text(&kind)(n, key); kind != "" && !slices.Contains([]string{"json", "csv", "parquet"}, kind) {
				r.bad(n, key, "must be json, csv or parquet, got %q; the files are named in dataset_kwargs.data_files", kind)
			}
		}},
		{"dataset_kwargs", func(n *yaml.Node, key string) {
			r.section(n, key, []field{{"data_files", func(n *yaml.Node, key string) { d.dataFiles(r, n, key) }}}, nil)
		}},
		{"training_split", r.text(&d.training)}, {"validation_split", r.text(&d.validation)}, {"test_split", r.text(&d.test)},
		{"fewshot_split", r.text(&d.ShotsOf)},
		{"output_type", func(n *yaml.Node, key string) {
			r.text(&d.OutputType)(n, key)
			if d.OutputType != "" && !slices.Contains(outputTypes, d.OutputType) {
				r.bad(n, key, "must be one of %s, got %q%s", strings.Join(outputTypes, ", "), d.OutputType, meant(d.OutputType, outputTypes))
			}
		}},
		{"description", r.pattern(&d.Description)}, {"doc_to_text", r.pattern(&d.Text)},
		{"doc_to_choice", func(n *yaml.Node, key string) { d.choices(r, n, key) }},
		{"doc_to_target", func(n *yaml.Node, key string) { d.targets(r, n, key) }},
		{"target_delimiter", r.text(&d.TargetDelimiter)}, {"fewshot_delimiter", r.text(&d.FewshotDelim)},
		{"num_fewshot", r.number(&d.Shots)},
		{"fewshot_seed", func(n *yaml.Node, key string) {
			seed := 0
			r.number(&seed)(n, key)
			d.Seed = uint64(seed)
		}},
		{"fewshot_config", func(n *yaml.Node, key string) { d.fewshot(r, n, key) }},
		{"metric_list", func(n *yaml.Node, key string) { d.metricList(r, n, key) }},
	}
}

// complete checks what keys say together.
func (d *Definition) complete(r *reader) {
	lacks := func(key, what string) { r.errs = append(r.errs, fmt.Errorf("%s: %s: %s", d.File, key, what)) }
	if d.Alias == "" {
		d.Alias = d.Name
	}
	for _, name := range []string{d.Name, d.Alias} { // tables show them
		if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.TrimSpace(name) == "" {
			lacks("task", fmt.Sprintf("the name %q has nothing to show, or characters that cannot be shown", name))
		}
	}
	if d.OutputType == "" {
		lacks("output_type", "is missing: "+strings.Join(outputTypes, ", "))
	}
	if len(d.Data) == 0 {
		lacks("dataset_kwargs.data_files", "is missing: the files of the rows, such as {test: questions.jsonl}")
	}
	d.Eval = cmp.Or(d.test, d.validation)
	for _, k := range []struct{ key, split string }{
		{"training_split", d.training}, {"validation_split", d.validation}, {"test_split", d.test}, {"fewshot_split", d.ShotsOf},
	} {
		if key, split := k.key, k.split; split != "" && d.Data[split] == nil && len(d.Data) > 0 {
			lacks(key, fmt.Sprintf("there are no files of a split %q (have: %s)", split, strings.Join(splits(d.Data), ", ")))
		}
	}
	switch have := splits(d.Data); {
	case d.Eval == "" && len(have) == 1:
		d.Eval = have[0]
	case d.Eval == "" && len(have) > 1:
		lacks("test_split", "is missing: which of the splits is scored ("+strings.Join(have, ", ")+")")
	}
	if d.Target == nil && d.Targets == nil {
		lacks("doc_to_target", "is missing: the right choice, or the text whose likelihood is asked")
	}
	if d.Text == nil && d.OutputType != Rolling {
		lacks("doc_to_text", "is missing: what the model reads before the answer")
	}
	if choices := d.Choice != nil || d.Choices != nil; choices != (d.OutputType == MultipleChoice) && d.OutputType != "" {
		lacks("doc_to_choice", "goes with output_type: multiple_choice, and only with it")
	}
	if d.OutputType == Rolling && d.Shots > 0 {
		lacks("num_fewshot", "a text that is scored as a whole has no examples before it")
	}
	if d.ShotsOf == "" && d.Samples == nil {
		d.ShotsOf = cmp.Or(d.training, d.validation, d.Eval)
	}
	for _, m := range d.Metrics {
		if known := metricsOf[d.OutputType]; known != nil && !slices.Contains(known, m) {
			lacks("metric_list", fmt.Sprintf("%s has no metric %q (have: %s)", d.OutputType, m, strings.Join(known, ", ")))
		}
	}
	if d.Metrics == nil {
		d.Metrics = metricsOf[d.OutputType]
	}
}

func splits(data map[string][]string) []string {
	var names []string
	for name := range data {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
