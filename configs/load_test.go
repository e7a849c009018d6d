package configs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// names is a value that reads itself: a word or a list.
type names struct{ list []string }

func (n *names) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!str" {
		n.list = []string{node.Value}
		return nil
	}
	if node.Kind != yaml.SequenceNode {
		return errors.New("expected a word or a list")
	}
	return node.Decode(&n.list)
}

func (n names) MarshalYAML() (any, error) { return n.list, nil }

// shared are keys that several methods have.
type shared struct {
	Dropout float64 `yaml:"dropout"`
	Targets names   `yaml:"targets"`
}

type pattern struct {
	Match string `yaml:"match"`
	Rank  int    `yaml:"rank"`
}

// lowRank is a method's config with every kind of field that one may have.
type lowRank struct {
	Kind     string    `yaml:"kind"`
	Rank     int       `yaml:"rank"`
	Shared   shared    `yaml:",inline"`
	Layers   []int     `yaml:"layers"`
	Patterns []pattern `yaml:"patterns"`
	Scale    *float64  `yaml:"scale"`
	Stable   bool      `yaml:"stable"`
}

func (c *lowRank) Validate() error {
	var errs []error
	if c.Rank < 1 {
		errs = append(errs, fmt.Errorf("rank: must be at least 1, got %d", c.Rank))
	}
	for i, p := range c.Patterns {
		if p.Match == "" {
			errs = append(errs, fmt.Errorf("patterns[%d].match: must not be empty", i))
		}
	}
	return errors.Join(errs...)
}

func method(kind string) (any, error) {
	if kind != "lora" && kind != "dora" {
		return nil, fmt.Errorf("unknown method %q (have: lora, dora)", kind)
	}
	return &lowRank{Rank: 16, Shared: shared{Targets: names{[]string{"all-linear"}}}}, nil
}

// write puts text into a config file and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "med.yaml")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, o Options) *Config {
	t.Helper()
	o.Method = method
	c, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// complaints are the lines of Load's error, with the file's folder taken off.
func complaints(t *testing.T, o Options) []string {
	t.Helper()
	o.Method = method
	c, err := Load(o)
	if err == nil {
		t.Fatalf("loaded %+v, want an error", c)
	}
	var all *Error
	if !errors.As(err, &all) {
		t.Fatalf("error is a %T, want *Error", err)
	}
	text := err.Error()
	if o.File != "" {
		text = strings.ReplaceAll(text, filepath.Dir(o.File)+string(filepath.Separator), "")
	}
	return strings.Split(text, "\n")
}

const valid = `
base: models/small.gguf
method:
  kind: dora
  rank: 8
  dropout: 0.1
  targets: [q_proj, v_proj]
  layers: [0, 1]
  patterns: [{match: "layers.0.*", rank: 4}]
  scale: 0.5
data:
  files: [a.jsonl]
  split: {train: 8, val: 1, test: 1}
train:
  lr: 3e-4
  seed: 18446744073709551615
eval:
`

func TestLoad_file(t *testing.T) {
	c := load(t, Options{File: write(t, valid), NeedBase: true})
	half := 0.5
	want := Default()
	want.Name = "med"
	want.Base = "models/small.gguf"
	want.Method = Method{Kind: "dora", Config: &lowRank{
		Kind: "dora", Rank: 8, Shared: shared{0.1, names{[]string{"q_proj", "v_proj"}}}, Layers: []int{0, 1},
		Patterns: []pattern{{"layers.0.*", 4}}, Scale: &half,
	}}
	want.Data.Files = []string{"a.jsonl"}
	want.Data.Split.Train, want.Data.Split.Val = 8, 1
	want.Train.LR, want.Train.Seed = 3e-4, 1<<64-1
	if diff := cmp.Diff(&want, c, cmp.AllowUnexported(lowRank{}, names{})); diff != "" {
		t.Error(diff)
	}
}

func TestMarshal_roundTrip(t *testing.T) {
	first := load(t, Options{File: write(t, valid), Set: []string{"data.system=007", "data.split.manifest=a: b # c"}})
	text, err := first.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	second := load(t, Options{File: write(t, string(text))})
	if diff := cmp.Diff(first, second, cmp.AllowUnexported(lowRank{}, names{})); diff != "" {
		t.Errorf("%s\nfrom:\n%s", diff, text)
	}
	again, err := second.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(text) {
		t.Errorf("written again:\n%s\nfirst:\n%s", again, text)
	}
	for _, key := range []string{"base:", "  kind: dora", "  stable: false", "  micro_tokens: 2048", "  max_new_tokens: 128", "out: runs", "    manifest:"} {
		if !strings.Contains(string(text), "\n"+key) && !strings.HasPrefix(string(text), key) {
			t.Errorf("resolved config lacks %q:\n%s", key, text)
		}
	}
}

func TestLoad_precedence(t *testing.T) {
	file := write(t, "train: {lr: 1e-3, batch: 2, epochs: 5}\nmethod: {rank: 3}\ndata: {files: [a.csv]}\n")
	t.Setenv("FT_TRAIN_LR", "2e-3")
	t.Setenv("FT_TRAIN_BATCH", "4")
	t.Setenv("FT_TRAIN_PATIENCE", "9") // in no file
	t.Setenv("FT_TRAIN_SEED", "")      // counts as not set
	t.Setenv("FT_METHOD_RANK", "5")
	t.Setenv("FT_METHOD_LAYERS", "0, 2")
	t.Setenv("FT_DATA_FILES", "b.csv,c.csv")
	t.Setenv("FT_DATA_SYSTEM", "Answer: yes")
	t.Setenv("FT_CPU", "generic")
	t.Setenv("FT_TEST_X", "1")
	set := []string{"train.lr=3e-3", "method.targets=.*\\.(q|v)_proj", "train.lr=4e-3", "eval.metrics=[bleu]", "data.pack=false"}
	c := load(t, Options{File: file, Env: true, Set: set})
	m := c.Method.Config.(*lowRank)
	got := fmt.Sprintln(c.Train.LR, c.Train.Batch, c.Train.Epochs, c.Train.Patience, c.Train.Seed, m.Rank, m.Layers,
		m.Shared.Targets.list, c.Data.Files, c.Data.System, c.Eval.Metrics, c.Data.Pack)
	want := `0.004 4 5 9 42 5 [0 2] [.*\.(q|v)_proj] [b.csv c.csv] Answer: yes [bleu] false` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Without the environment the file speaks.
	if c := load(t, Options{File: file}); c.Train.LR != 1e-3 || c.Data.Files[0] != "a.csv" {
		t.Errorf("without environment: %+v", c)
	}
	// The kind of the method comes through the layers as well.
	t.Setenv("FT_METHOD_KIND", "dora")
	if c := load(t, Options{File: file, Env: true}); c.Method.Kind != "dora" {
		t.Errorf("kind %q", c.Method.Kind)
	}
	if c := load(t, Options{File: file, Env: true, Set: []string{"method.kind=lora"}}); c.Method.Kind != "lora" {
		t.Errorf("kind %q", c.Method.Kind)
	}
}

func TestLoad_allProblemsAtOnce(t *testing.T) {
	file := write(t, `base: 12
method:
  rnk: 8
  rank: 0
  dropout: high
  targets: {a: 1}
  patterns:
    - {match: x, rnak: 2}
    - {rank: 2, rank: 3}
    - x
data:
  files: a.jsonl
  split: 7:2:1
  max_tokens: 1
train:
  lr: .inf
  batch: 1.5
  Epochs: 3
  seed: -1
  batch: 8
  steps: [1]
  checkpoint:
    every: 200
    keep: 2
lr: 1e-4
eval: {best: rogue, limit: {a: 1}, sample: }
train.lr: 3
`)
	got := complaints(t, Options{File: file, NeedBase: true, Set: []string{"train.epoch=3", "train=3", "nonsense"}})
	want := []string{
		`med.yaml:1: base: expected text, got 12: write "12"`,
		`med.yaml:3: method.rnk: unknown key (did you mean rank?)`,
		`med.yaml:4: method.rank: must be at least 1, got 0`,
		`med.yaml:5: method.dropout: expected a number, got "high"`,
		`med.yaml:6: method.targets: expected a value or a list, got a section`,
		`med.yaml:8: method.patterns[0].rnak: unknown key (did you mean rank?)`,
		`med.yaml:9: method.patterns[1].rank: given twice, first on line 9`,
		`med.yaml:10: method.patterns[2]: expected {match, rank}, got "x"`,
		`med.yaml:12: data.files: expected a list, got "a.jsonl": write [a.jsonl]`,
		`med.yaml:13: data.split: expected a section (train, val, test, seed, group, manifest, stratify, folds, fold, leaks), got "7:2:1"`,
		`med.yaml:14: data.max_tokens: must be at least 2 (a token and the one it predicts), got 1`,
		`med.yaml:16: train.lr: expected a finite number, got .inf`,
		`med.yaml:17: train.batch: expected a whole number, got 1.5`,
		`med.yaml:18: train.Epochs: unknown key (did you mean epochs?)`,
		`med.yaml:19: train.seed: -1 is out of range for a whole number from 0`,
		`med.yaml:20: train.batch: given twice, first on line 17`,
		`med.yaml:21: train.steps: expected a whole number, got a list`,
		`med.yaml:22: train.checkpoint: unknown key (have: epochs, steps, batch, micro_tokens, recompute, lr, schedule, schedule_options, warmup, weight_decay, neftune_alpha, clip, patience, seed)`,
		`med.yaml:25: lr: unknown key (did you mean train.lr?)`,
		`med.yaml:26: eval.limit: expected a whole number, got a section`,
		`med.yaml:26: eval.sample: expected a whole number, got nothing`,
		`med.yaml:26: eval.best: must be loss or one of bleu, rouge1, rouge2, rougeL, rougeLsum, got "rogue"`,
		`med.yaml:27: expected a plain word as key, got "train.lr"`,
		`--set: expected key.path=value, got "nonsense"`,
		`--set: train.epoch: unknown key (did you mean epochs?)`,
		`--set: train: is a section (epochs, steps, batch, micro_tokens, recompute, lr, schedule, schedule_options, warmup, weight_decay, neftune_alpha, clip, patience, seed)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoad_problems(t *testing.T) {
	files := "data: {files: [a]}\n"
	for _, c := range []struct {
		name, file string
		set        []string
		want       []string
	}{
		{"missing base", files, nil, []string{"med.yaml: base: missing: name a model directory or a .gguf file"}},
		{"unknown kind", files + "base: b\nmethod:\n  kind: loar\n  anything: 3\n", []string{"method.x=1"},
			[]string{`med.yaml:4: method.kind: unknown method "loar" (have: lora, dora)`}},
		{"kind by flag", files + "base: b\n", []string{"method.kind=x"},
			[]string{`--set: method.kind: unknown method "x" (have: lora, dora)`}},
		{"not YAML", "base: b\ntrain:\n  lr: 1\n bad: [\n", nil, nil},
		{"a list", "- a\n- b\n", nil, nil},
		{"two documents", files + "base: b\n---\nbase: c\n", nil, []string{"med.yaml:3: more than one document: a config is one"}},
		{"bounds by flag", files + "base: b\n", []string{"train.lr=-1", "train.batch=x"},
			[]string{`--set: train.batch: expected a whole number, got "x"`, "--set: train.lr: must be above 0, got -1"}},
		{"alias of itself", files + "base: b\ntrain: &t\n  lr: *t\n", nil,
			[]string{"med.yaml:4: train.lr: expected a number, got a section"}},
		{"aliased section", files + "base: b\ntrain: &t {lr: 1}\neval: *t\n", nil,
			[]string{"med.yaml:4: eval: expected a section (every, metrics, best, max_new_tokens, decoding, limit, sample, bootstrap, bootstrap_seed, tasks, general), got an alias"}},
		{"merge key", files + "base: b\ntrain:\n  <<: {lr: 1}\n", nil, nil},
		{"in a list", files + "base: b\nmethod:\n  patterns:\n    - {rank: 2}\n", nil,
			[]string{"med.yaml:4: method.patterns[0].match: must not be empty"}},
		{"out", files + "base: b\nout: \"\"\n", nil, []string{"med.yaml:3: out: must name a folder"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := complaints(t, Options{File: write(t, c.file), Set: c.set, NeedBase: true})
			if c.want != nil && !cmp.Equal(c.want, got) {
				t.Error(cmp.Diff(c.want, got))
			}
			if !strings.HasPrefix(got[0], "med.yaml:") && c.set == nil {
				t.Errorf("no position: %q", got)
			}
		})
	}
}

func TestLoad_environmentProblems(t *testing.T) {
	file := write(t, "data: {files: [a]}\n")
	t.Setenv("FT_TRAIN_LRR", "1")
	t.Setenv("FT_TRAIN_BATCH", "many")
	t.Setenv("FT_THING_WITHOUT_SENSE", "1")
	t.Setenv("FT_PYTON", "python3")
	got := complaints(t, Options{File: file, Env: true})
	want := []string{
		`FT_PYTON: unknown variable (did you mean FT_PYTHON?)`,
		`FT_THING_WITHOUT_SENSE: unknown variable (config keys are set by FT_KEY_PATH, as in FT_TRAIN_LR)`,
		`FT_TRAIN_LRR: unknown variable (did you mean FT_TRAIN_LR?)`,
		`FT_TRAIN_BATCH: train.batch: expected a whole number, got "many"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Load(Options{File: file, Method: method}); err != nil {
		t.Errorf("the environment is asked although it should not be: %v", err)
	}
}

func TestLoad_noFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	got := complaints(t, Options{File: missing, Set: []string{"data.files=a"}})
	if len(got) != 1 || !strings.HasPrefix(got[0], "none.yaml: ") || strings.Contains(got[0], "open") {
		t.Errorf("missing file: %q", got)
	}
	c := load(t, Options{Set: []string{"data.files=a.csv", "base=b"}, NeedBase: true})
	if c.Name != "lora" || c.Base != "b" {
		t.Errorf("without a file: %+v", c)
	}
	got = complaints(t, Options{NeedBase: true})
	want := []string{
		"config: base: missing: name a model directory or a .gguf file",
		"config: data.files: must name at least one file",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Two keys must never share an environment variable, and every key's type must be one that is read.
func TestKeys(t *testing.T) {
	c := load(t, Options{Set: []string{"data.files=a"}})
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	doc := &document{sections: map[string]place{}}
	var p problems
	doc.section(root.Content[0], "", &p)
	seen := map[string]string{}
	for _, s := range doc.settings {
		name := envName(s.path)
		if other := seen[name]; other != "" {
			t.Errorf("%s and %s share %s", other, s.path, name)
		}
		seen[name] = s.path
		if strings.ToLower(s.path) != s.path {
			t.Errorf("%s is not lower case", s.path)
		}
		for _, r := range reserved {
			if name == r {
				t.Errorf("%s has the reserved variable %s", s.path, r)
			}
		}
	}
	if len(seen) < 25 {
		t.Errorf("only %d keys in the resolved config", len(seen))
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte("a: &a [*a]\n<<: *a\n? [b]\n: c\n"))
	f.Add([]byte("train: {lr: !!binary aGk=, seed: 0x10, <<: {a: 1}}\n--- \n%YAML 1.1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "f.yaml")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Options{File: path, Method: method})
		var all *Error
		if err != nil && !errors.As(err, &all) {
			t.Fatalf("error is a %T: %v", err, err)
		}
		if err != nil {
			return
		}
		text, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		again, err := Load(Options{File: path, Method: method})
		if err != nil {
			t.Fatalf("its own resolved config is refused: %v\n%s", err, text)
		}
		if diff := cmp.Diff(c, again, cmp.AllowUnexported(lowRank{}, names{})); diff != "" {
			t.Error(diff)
		}
	})
}
