package ia3_test

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ft/ia3"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
	"ft/peft"
	"ft/peft/pefttest"
)

func TestBackend(t *testing.T) { backend.Check(t) }

func TestGolden(t *testing.T) {
	pefttest.Golden{Methods: []string{"ia3"}, Load: ia3.Load}.Run(t)
}

func names(list ...string) peft.Names { return peft.Names{List: list} }

// subjects are settings that cover what Config can say, and bases with biases: a llama, and the reference set's GPT-2, which stores its
// weights transposed.
func subjects(t *testing.T) map[string]pefttest.Subject {
	t.Helper()
	llama := t.TempDir()
	testkit.TinyLlama{Seed: 1, Dim: 24, HeadDim: 6, FF: 36, Bias: true}.Write(t, llama)
	gpt2 := filepath.Join(testkit.Root(), "testdata", "conformance", "golden", "models", "gpt2")
	out := map[string]pefttest.Subject{}
	for name, c := range map[string]struct {
		config ia3.Config
		base   string
	}{
		"defaults":            {ia3.Default(), ""},
		"all-linear":          {ia3.Config{Targets: peft.AllLinear(), FeedForward: names("down_proj", "o_proj")}, ""},
		"no feedforward":      {ia3.Config{Targets: names("q_proj", "lm_head"), FeedForward: names()}, ""},
		"expressions":         {ia3.Config{Targets: peft.Names{Expr: `.*\.(q|gate)_proj`}, FeedForward: peft.Names{Expr: `.*\.1\..*`}}, ""},
		"feedforward by path": {ia3.Config{Targets: names("up_proj"), FeedForward: names("layers.0.mlp.up_proj")}, ""},
		"excluded":            {ia3.Config{Exclude: names("k_proj")}, ""},
		"biases":              {ia3.Config{Targets: peft.AllLinear()}, llama},
		"GPT-2":               {ia3.Default(), gpt2},
		"GPT-2, no defaults":  {ia3.Config{Targets: names("c_attn", "c_fc"), FeedForward: names("c_fc")}, gpt2},
	} {
		out[name] = pefttest.Subject{Method: ia3.Method{Config: c.config}, Load: ia3.Load, Base: c.base}
	}
	return out
}

func TestMethod(t *testing.T) {
	for name, s := range subjects(t) {
		t.Run(name, func(t *testing.T) { pefttest.Run(t, s) })
	}
}

func TestPEFT(t *testing.T) { pefttest.PEFT(t, subjects(t)) }

// TestAttach_spelled: PEFT wants feedforward names among those of targets.
func TestAttach_spelled(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{Untied: true}.Write(t, dir)
	for _, c := range []struct {
		config               ia3.Config
		targets, feedforward []string
	}{
		{ia3.Default(), []string{"k_proj", "v_proj", "down_proj"}, []string{"down_proj"}},
		{ia3.Config{Targets: names("lm_head")}, []string{"lm_head"}, []string{}},
		{ia3.Config{Targets: names("up_proj"), FeedForward: names("layers.0.mlp.up_proj")},
			[]string{"model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"}, []string{"model.layers.0.mlp.up_proj"}},
	} {
		a, err := ia3.Method{Config: c.config}.Attach(pefttest.Open(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.State()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := s.Config["target_modules"], names(c.targets...); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: targets %v, want %v", c.config, got, want)
		}
		if got, want := s.Config["feedforward_modules"], names(c.feedforward...); got.(peft.Names).String() != want.String() {
			t.Errorf("%+v: feedforward %v, want %v", c.config, got, want)
		}
	}
}

func TestAttach_refuses(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{}.Write(t, dir)
	for want, c := range map[string]ia3.Config{
		`targets: no linear layer is named "q_prj"`:         {Targets: names("q_prj")},
		`feedforward: "gate_proj" is the name of no target`: {Targets: names("q_proj"), FeedForward: names("gate_proj")},
		`feedforward: regular expression "("`:               {FeedForward: peft.Names{Expr: "("}},
		`exclude: regular expression "("`:                   {Exclude: peft.Names{Expr: "("}},
	} {
		m := pefttest.Open(t, dir)
		if _, err := (ia3.Method{Config: c}).Attach(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		for _, l := range m.Linears() {
			if len(l.Params()) > 0 {
				t.Errorf("%s: something was left in %s", want, l.Name)
			}
		}
	}
}

// TestLoad_refuses: what changes the result and is not computed is refused by name, and the base is left as it was.
func TestLoad_refuses(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{}.Write(t, dir)
	a, err := ia3.Method{}.Attach(pefttest.Open(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*peft.State){
		"modules_to_save":                             func(s *peft.State) { s.Config["modules_to_save"] = []string{"lm_head"} },
		"use_magic: true":                             func(s *peft.State) { s.Config["use_magic"] = true },
		`peft_type is "LORA", not "IA3"`:              func(s *peft.State) { s.Type = "LORA" },
		"k_proj.ia3_l: expected [1 32], found [16 1]": func(s *peft.State) { s.Config["feedforward_modules"] = []string{"k_proj", "down_proj"} },
	} {
		state, err := a.State()
		if err != nil {
			t.Fatal(err)
		}
		spoil(&state)
		out := t.TempDir()
		if err := peft.Save(out, state, peft.Meta{}); err != nil {
			t.Fatal(err)
		}
		saved, err := peft.Load(out)
		if err != nil {
			t.Fatal(err)
		}
		m := pefttest.Open(t, dir)
		if _, err := ia3.Load(m, saved); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		for _, l := range m.Linears() {
			if len(l.Params()) > 0 {
				t.Fatalf("a refused adapter left something in %s", l.Name)
			}
		}
	}
}
