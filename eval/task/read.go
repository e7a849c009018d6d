package task

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ft/internal/suggest"
)

// reader takes a task file apart and gathers what is wrong with it.
type reader struct {
	file string
	errs []error
}

// field is a key and what reads its value.
type field struct {
	name string
	read func(n *yaml.Node, key string)
}

func (r *reader) bad(n *yaml.Node, key, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %s: %s", r.file, n.Line, key, fmt.Sprintf(format, args...)))
}

// section reads a mapping whose keys are fields. foreign are keys that others take, and why they are refused.
func (r *reader) section(n *yaml.Node, prefix string, fields []field, foreign map[string]string) {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	if n.Kind != yaml.MappingNode {
		r.bad(n, prefix, "expected keys (%s), got %s", strings.Join(names, ", "), describe(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], resolved(n.Content[i+1])
		key := name.Value
		if prefix != "" {
			key = prefix + "." + key
		}
		at := slices.Index(names, name.Value)
		switch {
		case seen[name.Value]:
			r.bad(name, key, "given twice")
		case strings.HasPrefix(value.Tag, "!") && !strings.HasPrefix(value.Tag, "!!"):
			r.bad(name, key, "%s names a Python function, which ft does not run", value.Tag)
		case at < 0 && foreign[name.Value] != "":
			r.bad(name, key, "%s", foreign[name.Value])
		case at < 0:
			r.bad(name, key, "unknown key%s", meant(name.Value, names))
		default:
			fields[at].read(value, key)
		}
		seen[name.Value] = true
	}
}

// resolved is the node that an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// meant ends a message with the name that was probably meant, or with those that there are.
func meant(word string, names []string) string {
	if near := suggest.Nearest(word, names); near != "" {
		return " (did you mean " + near + "?)"
	}
	return " (have: " + strings.Join(names, ", ") + ")"
}

// describe says what somebody wrote.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys with values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	case n.ShortTag() == "!!str":
		return fmt.Sprintf("%.40q", n.Value)
	}
	return n.Value
}

func (r *reader) text(to *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
			r.bad(n, key, "expected text, got %s", describe(n))
			return
		}
		*to = n.Value
	}
}

func (r *reader) number(to *int) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		var v int
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&v) != nil || v < 0 {
			r.bad(n, key, "expected a whole number from 0, got %s", describe(n))
			return
		}
		*to = v
	}
}

func (r *reader) pattern(to **pattern) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		var source string
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
			return
		}
		r.text(&source)(n, key)
		p, err := parsePattern(source)
		if err != nil {
			r.bad(n, key, "%v", err)
			return
		}
		*to = p
	}
}

// dataFiles reads a file, a list of files, or the files of each split. Files without a split are of "train", as in Hugging Face's datasets.
func (d *Definition) dataFiles(r *reader, n *yaml.Node, key string) {
	list := func(n *yaml.Node, key string) (files []string) {
		items := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			items = n.Content
		}
		for _, item := range items {
			var file string
			if r.text(&file)(resolved(item), key); file != "" {
				files = append(files, file)
			}
		}
		return files
	}
	if n.Kind != yaml.MappingNode {
		d.Data["train"] = list(n, key)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		split := n.Content[i].Value
		if d.Data[split] = list(resolved(n.Content[i+1]), key+"."+split); len(d.Data[split]) == 0 {
			delete(d.Data, split)
		}
	}
}

// choices reads a list, a mapping whose values count, or a pattern.
func (d *Definition) choices(r *reader, n *yaml.Node, key string) {
	items := n.Content
	switch n.Kind {
	case yaml.ScalarNode:
		r.pattern(&d.Choice)(n, key)
		return
	case yaml.MappingNode:
		items = nil
		for i := 1; i < len(n.Content); i += 2 {
			items = append(items, n.Content[i])
		}
	}
	for _, item := range items {
		var text string
		r.text(&text)(resolved(item), key)
		d.Choices = append(d.Choices, text)
	}
	if len(d.Choices) < 2 {
		r.bad(n, key, "expected at least two choices, got %d", len(d.Choices))
	}
}

// targets reads an index, a list of indices or texts, or a pattern.
func (d *Definition) targets(r *reader, n *yaml.Node, key string) {
	one := func(n *yaml.Node) any {
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
			var v int
			r.number(&v)(n, key)
			return v
		}
		var text string
		r.text(&text)(n, key)
		return text
	}
	switch {
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			d.Targets = append(d.Targets, one(resolved(item)))
		}
		if len(d.Targets) == 0 {
			r.bad(n, key, "expected at least one target")
		}
	case n.ShortTag() == "!!int":
		d.Targets = []any{one(n)}
	default:
		r.pattern(&d.Target)(n, key)
	}
}

// samplers are the ways to choose examples.
var samplers = []string{"default", "first_n"}

func (d *Definition) fewshot(r *reader, n *yaml.Node, key string) {
	r.section(n, key, []field{
		{"sampler", func(n *yaml.Node, key string) {
			name := ""
			r.text(&name)(n, key)
			if d.FirstN = name == "first_n"; !slices.Contains(samplers, name) {
				r.bad(n, key, "must be default (drawn) or first_n, got %q%s", name, meant(name, samplers))
			}
		}},
		{"split", r.text(&d.ShotsOf)},
		{"samples", func(n *yaml.Node, key string) {
			if err := n.Decode(&d.Samples); err != nil || len(d.Samples) == 0 {
				r.bad(n, key, "expected a list of rows, such as [{question: …, answer: …}]")
			}
		}},
		{"fewshot_indices", func(n *yaml.Node, key string) {
			if err := n.Decode(&d.Indices); err != nil || len(d.Indices) == 0 || slices.Min(d.Indices) < 0 {
				r.bad(n, key, "expected a list of row numbers from 0")
			}
		}},
	}, map[string]string{
		"doc_to_text": "is not supported: examples look as the question does", "doc_to_choice": "is not supported: examples look as the question does",
		"doc_to_target": "is not supported: examples look as the question does", "process_docs": "is a Python function, which ft does not run",
	})
}

// metricList reads lm-eval's list of scores. What it says of them must be what is so.
func (d *Definition) metricList(r *reader, n *yaml.Node, key string) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.bad(n, key, "expected a list such as [{metric: acc}], got %s", describe(n))
		return
	}
	for i, item := range n.Content {
		var name, aggregation string
		higher := ""
		at := fmt.Sprintf("%s[%d]", key, i)
		item = resolved(item)
		r.section(item, at, []field{
			{"metric", r.text(&name)}, {"aggregation", r.text(&aggregation)},
			{"higher_is_better", func(n *yaml.Node, key string) {
				if higher = n.Value; n.ShortTag() != "!!bool" {
					r.bad(n, key, "expected true or false, got %s", describe(n))
				}
			}},
		}, nil)
		want, known := aggregations[name]
		switch better := fmt.Sprint(want == "mean"); {
		case !known:
			r.bad(item, at, "unknown metric %q%s", name, meant(name, allMetrics()))
		case slices.Contains(d.Metrics, name):
			r.bad(item, at, "%s is listed twice", name)
		case aggregation != "" && aggregation != want:
			r.bad(item, at, "%s is aggregated by %s, not by %s", name, want, aggregation)
		case higher != "" && strings.ToLower(higher) != better:
			r.bad(item, at, "of %s higher is better is %s", name, better)
		}
		d.Metrics = append(d.Metrics, name)
	}
}

func allMetrics() []string {
	var all []string
	for _, kind := range outputTypes {
		for _, m := range metricsOf[kind] {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}
