package model

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"ft/internal/testkit"
)

// TestRope_golden compares frequencies with those of transformers, for configurations in its old and new spelling and
// after a round trip through our own config.json.
func TestRope_golden(t *testing.T) {
	var golden struct {
		Cases []struct {
			Name            string
			Config, Config5 json.RawMessage
			Factor          float64   `json:"attention_factor"`
			Freq            []float64 `json:"inv_freq"`
		}
	}
	testkit.ReadJSON(t, "testdata/rope.json", &golden)
	if len(golden.Cases) < 10 {
		t.Fatalf("%d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) {
			for i, config := range []json.RawMessage{c.Config, c.Config5} {
				s := specOf(t, config)
				again, err := json.Marshal(s.Map())
				if err != nil {
					t.Fatal(err)
				}
				for j, s := range []Spec{s, specOf(t, again)} {
					freq, factor := s.Rope.frequencies(s.HeadDim)
					what := fmt.Sprintf("spelling %d, written %d times", i, j)
					for k, f := range freq { // small frequencies count as much as large ones
						testkit.Near(t, fmt.Sprintf("%s: pair %d", what, k), []float64{f}, c.Freq[k:k+1], 1e-6, 0)
					}
					testkit.Near(t, what+": factor", []float64{factor}, []float64{c.Factor}, 1e-7, 0)
					if len(freq) != len(c.Freq) {
						t.Errorf("%s: %d frequencies", what, len(freq))
					}
				}
			}
		})
	}
}

func specOf(t *testing.T, config []byte) Spec {
	t.Helper()
	var c Config
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// metadata is a GGUF file's key/value part in memory.
type metadata map[string]any

func (m metadata) Has(key string) bool { _, ok := m[key]; return ok }

func (m metadata) String(key string) (string, error) {
	if s, ok := m[key].(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("%s is %v, no string", key, m[key])
}

func (m metadata) Uint(key string) (uint64, error) {
	if u, ok := m[key].(uint32); ok {
		return uint64(u), nil
	}
	return 0, fmt.Errorf("%s is %v, no number", key, m[key])
}

func (m metadata) Float(key string) (float64, error) {
	if f, ok := m[key].(float32); ok {
		return float64(f), nil
	}
	return 0, fmt.Errorf("%s is %v, no number", key, m[key])
}

// tiny is a valid Spec.
func tiny(r Rope) Spec {
	return Spec{
		ModelType: "llama", Vocab: 7, Dim: 32, Layers: 1, Heads: 4, KVHeads: 2, HeadDim: 16, FF: 10, Eps: 1e-5, Rope: r, Context: 128,
		BOS: NoToken,
	}
}

// TestRope_gguf writes each kind to GGUF keys and reads it again: the frequencies are the same.
func TestRope_gguf(t *testing.T) {
	for _, r := range []Rope{
		{Kind: "default", Theta: 10000},
		{Kind: "linear", Theta: 5000, Factor: 4},
		{Kind: "yarn", Theta: 10000, Factor: 8, Original: 64, BetaFast: 32, BetaSlow: 1},
		{Kind: "llama3", Theta: 500, Factor: 8, Original: 32, LowFreqFactor: 1, HighFreqFactor: 4},
	} {
		s := tiny(r)
		md := metadata{}
		for _, kv := range s.GGUFKeys("llama") {
			md[kv.Key] = kv.Value
		}
		got, err := GGUFSpec(md, "llama", "llama", nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := s.RopeDivisors(); (d != nil) != (r.Kind == "llama3") {
			t.Errorf("%s: divisors %v", r.Kind, d)
		} else {
			got.Rope.Divisors = d // a tensor of the file, which its opener adds
		}
		freq, factor := got.Rope.frequencies(16)
		want, wantFactor := s.Rope.frequencies(16)
		testkit.Near(t, r.Kind, freq, want, 1e-6, 0)
		if factor != wantFactor {
			t.Errorf("%s: factor %g, expected %g", r.Kind, factor, wantFactor)
		}
		got.Rope, s.Rope = Rope{}, Rope{}
		got.Eps = float64(float32(got.Eps))
		s.Eps = float64(float32(s.Eps))
		if fmt.Sprint(got) != fmt.Sprint(s) {
			t.Errorf("%s: %+v became %+v", r.Kind, s, got)
		}
	}
}

// TestRope_ggufAttention: llama.cpp multiplies yarn's factor by attn_factor.
func TestRope_ggufAttention(t *testing.T) {
	s := tiny(Rope{Kind: "yarn", Theta: 10000, Factor: 8, Original: 64, BetaFast: 32, BetaSlow: 1})
	for _, f := range []float32{1, 0.5} {
		md := metadata{"llama.rope.scaling.attn_factor": f}
		for _, kv := range s.GGUFKeys("llama") {
			md[kv.Key] = kv.Value
		}
		got, err := GGUFSpec(md, "llama", "llama", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, factor := got.Rope.frequencies(16)
		testkit.Near(t, fmt.Sprint(f), []float64{factor}, []float64{float64(f) * (1 + 0.1*math.Log(8))}, 1e-12, 0)
	}
}

func TestRope_refused(t *testing.T) {
	for config, want := range map[string]string{
		`{"rope_theta": 0}`:                                                                              "rope_theta is 0",
		`{"rope_scaling": {"type": "longrope"}}`:                                                         `needs positive short_factor`,
		`{"rope_scaling": {"type": "linear", "factor": 0.5}}`:                                            `rope scaling "linear"`,
		`{"rope_scaling": {"type": "linear"}}`:                                                           `rope scaling "linear"`,
		`{"rope_scaling": {"rope_type": "llama3", "factor": 8}}`:                                         `rope scaling "llama3" needs`,
		`{"rope_scaling": {"rope_type": "yarn", "factor": 0.1}}`:                                         `rope scaling "yarn" needs`,
		`{"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5}}`: "partial_rotary_factor 0.5",
		`{"rope_theta": -3}`:                                                                             "rope_theta is -3",
	} {
		var c Config
		if err := json.Unmarshal([]byte(config), &c); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Spec(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, expected one with %q", config, err, want)
		}
	}
}
