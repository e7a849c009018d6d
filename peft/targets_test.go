package peft_test

import (
	"fmt"
	"strings"
	"testing"

	"ft/internal/kernels"
	"ft/nn"
	"ft/peft"
)

// host is a base model without arithmetic: two blocks of a llama.
type host struct {
	linears []*nn.Linear
	stack   nn.Stack
}

func (h host) Linears() []*nn.Linear          { return h.linears }
func (h host) Stack() *nn.Stack               { return &h.stack }
func (h host) ModelType() string              { return "llama" }
func (h host) DefaultTargets(string) []string { return []string{"q_proj", "v_proj"} }

// newHost has rows of one column: only the paths matter here.
func newHost(tied bool, paths ...string) host {
	var h host
	h.stack.Embed = nn.NewEmbedding("model.embed_tokens", kernels.FromFloat32(1, 1, []float32{1}))
	for _, p := range paths {
		l := nn.NewLinear(p, kernels.FromFloat32(1, 1, []float32{1}), nil)
		l.Head = p == "lm_head"
		l.Tied = l.Head && tied
		h.linears = append(h.linears, l)
	}
	return h
}

func llama(tied bool) host {
	var paths []string
	for i := range 2 {
		for _, p := range []string{"self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj"} {
			paths = append(paths, fmt.Sprintf("model.layers.%d.%s", i, p))
		}
	}
	return newHost(tied, append(paths, "lm_head")...)
}

func list(names ...string) peft.Names { return peft.Names{List: names} }
func expr(e string) peft.Names        { return peft.Names{Expr: e} }

// short writes a choice of llama's layers as "0.q_proj 1.up_proj".
func short(ls []*nn.Linear) string {
	var out []string
	for _, l := range ls {
		e := strings.Split(l.Name, ".")
		if len(e) == 1 {
			out = append(out, l.Name)
			continue
		}
		out = append(out, e[2]+"."+e[len(e)-1])
	}
	return strings.Join(out, " ")
}

func TestTargets_Match(t *testing.T) {
	for _, c := range []struct {
		name    string
		targets peft.Targets
		want    string
	}{
		{"all-linear leaves the head out", peft.Targets{Modules: peft.AllLinear()}, "0.q_proj 0.v_proj 0.up_proj 1.q_proj 1.v_proj 1.up_proj"},
		{"in any case", peft.Targets{Modules: expr("All-Linear")}, "0.q_proj 0.v_proj 0.up_proj 1.q_proj 1.v_proj 1.up_proj"},
		{"all-linear in a block", peft.Targets{Modules: peft.AllLinear(), Layers: []int{1}}, "1.q_proj 1.v_proj 1.up_proj"},
		{"leaf names", peft.Targets{Modules: list("v_proj", "up_proj")}, "0.v_proj 0.up_proj 1.v_proj 1.up_proj"},
		{"the head by name", peft.Targets{Modules: list("lm_head")}, "lm_head"},
		{"no part of an element", peft.Targets{Modules: list("proj", "q_proj")}, "0.q_proj 1.q_proj"},
		{"ends of paths", peft.Targets{Modules: list("0.self_attn.q_proj", "1.mlp.up_proj")}, "0.q_proj 1.up_proj"},
		{"block", peft.Targets{Modules: list("q_proj", "up_proj"), Layers: []int{0}}, "0.q_proj 0.up_proj"},
		{"whole path beats block", peft.Targets{Modules: list("model.layers.0.self_attn.q_proj", "v_proj"), Layers: []int{1}}, "0.q_proj 1.v_proj"},
		{"blocks under a name", peft.Targets{Modules: list("q_proj"), Layers: []int{1}, LayersPattern: []string{"h", "layers"}}, "1.q_proj"},
		{"whole expression", peft.Targets{Modules: expr(`model\.layers\.\d+\.(self_attn\.q_proj|mlp\.up_proj)`)}, "0.q_proj 0.up_proj 1.q_proj 1.up_proj"},
		{"look-ahead", peft.Targets{Modules: expr(`(?!.*(layers\.1|lm_head|embed)).*_proj`)}, "0.q_proj 0.v_proj 0.up_proj"},
		{"alternatives are whole too", peft.Targets{Modules: expr(`q_proj|model\.layers\.1\.mlp\.up_proj`)}, "1.up_proj"},
		{"python's named group", peft.Targets{Modules: expr(`model\.layers\.(?P<block>\d)\.mlp.*`)}, "0.up_proj 1.up_proj"},
		{"exclude by name", peft.Targets{Modules: peft.AllLinear(), Exclude: list("up_proj", "layers.1.self_attn.v_proj")}, "0.q_proj 0.v_proj 1.q_proj"},
		{"exclude by expression", peft.Targets{Modules: list("q_proj", "v_proj"), Exclude: expr(`.*layers\.0\..*`)}, "1.q_proj 1.v_proj"},
		{"exclude by expression is whole", peft.Targets{Modules: list("q_proj"), Exclude: expr(`layers\.0`)}, "0.q_proj 1.q_proj"},
		{"names of other bases too", peft.Targets{Modules: list("query_key_value", "q_proj")}, "0.q_proj 1.q_proj"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.targets.Match(llama(false))
			if err != nil {
				t.Fatal(err)
			}
			if short(got) != c.want {
				t.Errorf("got %s, want %s", short(got), c.want)
			}
		})
	}
}

func TestTargets_Match_paths(t *testing.T) {
	// The block is the first number that has two elements before it, as in PEFT: an expert's number is none.
	h := newHost(false, "transformer.h.3.attn", "model.layers.1.experts.3.up", "layers.3.up")
	for _, c := range []struct {
		names peft.Names
		want  string
	}{
		{list("attn", "up"), "transformer.h.3.attn"},
		{peft.AllLinear(), "transformer.h.3.attn"},
	} {
		got, err := peft.Targets{Modules: c.names, Layers: []int{3}}.Match(h)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].Name != c.want {
			t.Errorf("%v: got %v", c.names, got)
		}
	}
}

func TestTargets_Select_refuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		tied    bool
		targets peft.Targets
		want    []string
	}{
		{"typing error", false, peft.Targets{Modules: list("q_prj", "v_proj")}, []string{`"q_prj"`, `did you mean "q_proj"`, "up_proj, lm_head"}},
		{"nothing like it", false, peft.Targets{Modules: list("query_key_value")}, []string{`"query_key_value"`, "have: q_proj"}},
		{"a name as expression", false, peft.Targets{Modules: expr("q_proj")}, []string{"whole path", "model.layers.0.self_attn.q_proj"}},
		{"bad expression", false, peft.Targets{Modules: expr("(")}, []string{`targets: regular expression "("`}},
		{"bad exclusion", false, peft.Targets{Modules: peft.AllLinear(), Exclude: expr("[")}, []string{`exclude: regular expression "["`}},
		{"all excluded", false, peft.Targets{Modules: list("q_proj"), Exclude: list("self_attn.q_proj")}, []string{"exclude", "leave none"}},
		{"no such block", false, peft.Targets{Modules: list("q_proj"), Layers: []int{7}}, []string{"layers [7]", "leave none"}},
		{"expression and blocks", false, peft.Targets{Modules: expr(".*q_proj"), Layers: []int{0}}, []string{"layers: cannot go with a regular expression"}},
		{"negative block", false, peft.Targets{Modules: list("q_proj"), Layers: []int{-1}}, []string{"layers: must be 0 or more, got -1"}},
		{"empty", false, peft.Targets{}, []string{"targets: names no module"}},
		{"tied head", true, peft.Targets{Modules: list("q_proj", "lm_head")}, []string{`"lm_head" shares its weight with the embedding`}},
		{"tied head by expression", true, peft.Targets{Modules: expr("lm_.*")}, []string{`"lm_head" shares`}},
		{"embedding", false, peft.Targets{Modules: list("embed_tokens", "q_proj")}, []string{`"model.embed_tokens" is an embedding`}},
		{"embedding by expression", false, peft.Targets{Modules: expr(".*(embed_tokens|q_proj)")}, []string{`"model.embed_tokens" is an embedding`}},
		{"runaway expression", false, peft.Targets{Modules: expr(`(([a-z]+)*\.?)*(([a-z]+)*\.?)*(([a-z]+)*\.?)*(([a-z]+)*\.?)*!`)}, []string{"takes more than 1s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.targets.Select(llama(c.tied))
			if err == nil {
				t.Fatalf("no error, picked %s", short(got))
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q lacks %q", err, w)
				}
			}
		})
	}
}

// A name that only other families give to an embedding is no embedding here.
func TestTargets_otherFamilysEmbedding(t *testing.T) {
	got, err := peft.Targets{Modules: expr(".*(wte|q_proj)")}.Select(llama(true))
	if err != nil || short(got) != "0.q_proj 1.q_proj" {
		t.Errorf("got %s, %v", short(got), err)
	}
}

func TestEndPattern(t *testing.T) {
	path := "model.layers.1.self_attn.q_proj"
	for expr, want := range map[string]bool{
		"q_proj": true, "self_attn.q_proj": true, "layers.1.self_attn.q_proj": true, path: true, "proj": false, "q": false,
		"layers.1": false, `layers\.\d+\.self_attn\.(q|v)_proj`: true, ".*q_proj": true, "v_proj|q_proj": true,
		"v_proj|self_attn": false, "^q_proj": false, "^model.*q_proj$": true,
	} {
		p, err := peft.EndPattern(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Match(path); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", expr, got, err, want)
		}
	}
}
