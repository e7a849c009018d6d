package eval

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

type goldenSacrebleu struct {
	Cases []struct {
		goldenBLEU
		Kind   string
		Hyp    string
		Hyps   []string
		Refs   json.RawMessage
		Kw     map[string]any
		Source string
	}
	Tokenize []map[string]string
}

func TestSacrebleuUnitConformance(t *testing.T) {
	golden(t, "sacrebleu_unit.json", func(t *testing.T, g goldenSacrebleu) {
		if len(g.Cases) == 0 || len(g.Tokenize) == 0 {
			t.Fatal("no cases")
		}
		for i, c := range g.Cases {
			t.Run(fmt.Sprintf("case-%d", i), func(t *testing.T) {
				b := bleuOf(t, unitBLEU(c.Kw))
				c.check(t, "score", b, countsOf(b.stats(unitPairs(t, c.Kind, c.Hyp, c.Hyps, c.Refs)).Sums()))
			})
		}
		for i, c := range g.Tokenize {
			t.Run(fmt.Sprintf("tokenize-%d", i), func(t *testing.T) {
				for key, split := range map[string]func(string) []string{"tok13a": tokenize13a, "zh": tokenizeZh} {
					if got := strings.Join(split(c["text"]), " "); got != c[key] {
						t.Errorf("%s: %q, want %q", key, got, c[key])
					}
				}
			})
		}
	})
}

// unitBLEU is the metric's name for arguments of sacrebleu.
func unitBLEU(kw map[string]any) string {
	name := "bleu:13a"
	if tok, ok := kw["tokenize"].(string); ok {
		name = "bleu:" + tok
	}
	if on, _ := kw["lowercase"].(bool); on {
		name += ":lc"
	}
	if on, _ := kw["effective_order"].(bool); on {
		name += ":effective_order"
	}
	if method, ok := kw["smooth_method"].(string); ok {
		name += ":smooth=" + method
	}
	if v, ok := kw["smooth_value"].(float64); ok {
		name += fmt.Sprintf(":smooth_value=%v", v)
	}
	return name
}

// unitPairs turns sacrebleu's arguments (for a corpus a list of reference documents) into pairs.
func unitPairs(t *testing.T, kind, hyp string, hyps []string, refs json.RawMessage) []Pair {
	t.Helper()
	if kind == "sentence" {
		p := Pair{Prediction: hyp}
		if err := json.Unmarshal(refs, &p.References); err != nil {
			t.Fatal(err)
		}
		return []Pair{p}
	}
	var documents [][]string
	if err := json.Unmarshal(refs, &documents); err != nil {
		t.Fatal(err)
	}
	pairs := make([]Pair, len(hyps))
	for i, h := range hyps {
		pairs[i].Prediction = h
		for _, d := range documents {
			pairs[i].References = append(pairs[i].References, d[i])
		}
	}
	return pairs
}

func TestRougeUnitConformance(t *testing.T) {
	type unit struct {
		Metric, Target, Prediction string
		Stem                       bool
		P, R, F                    json.Number
	}
	golden(t, "rouge_google_unit.json", func(t *testing.T, cases []unit) {
		if len(cases) == 0 {
			t.Fatal("no cases")
		}
		for i, c := range cases {
			t.Run(fmt.Sprintf("%s-%d", c.Metric, i), func(t *testing.T) {
				k := slices.Index(rougeKinds, c.Metric)
				if k < 0 {
					t.Fatalf("%s is none of ft's variants", c.Metric)
				}
				got := newRougeScorer(c.Stem, false).best(Pair{c.Prediction, []string{c.Target}})[k]
				for _, v := range []struct {
					got  float64
					want json.Number
				}{{got.precision, c.P}, {got.recall, c.R}, {got.f, c.F}} {
					want, err := v.want.Float64()
					if err != nil {
						t.Fatal(err)
					}
					if !near(v.got, want, printedTolerance(v.want)) {
						t.Errorf("%+v, want %s %s %s", got, c.P, c.R, c.F)
					}
				}
			})
		}
	})
}

// printedTolerance is half a unit of the last place for values that ROUGE-1.5.5 printed with up to five places.
func printedTolerance(n json.Number) float64 {
	_, fraction, _ := strings.Cut(n.String(), ".")
	if len(fraction) > 0 && len(fraction) <= 5 {
		return 5.001e-6
	}
	return 1e-9
}

func TestBLEUPaperConformance(t *testing.T) {
	type paper struct {
		Precision []struct {
			Refs  json.RawMessage
			Hyp   string
			N     int
			Value float64
		} `json:"modified_precision"`
		Brevity []struct {
			RefLens []int `json:"ref_lens"`
			HypLen  int   `json:"hyp_len"`
			Closest int
			BP      float64
		} `json:"brevity_penalty"`
	}
	golden(t, "bleu_paper_cases.json", func(t *testing.T, g paper) {
		if len(g.Precision) == 0 || len(g.Brevity) == 0 {
			t.Fatal("no cases")
		}
		var refs []string
		for i, c := range g.Precision {
			if string(c.Refs) != `"same as above"` {
				refs = nil
				if err := json.Unmarshal(c.Refs, &refs); err != nil {
					t.Fatal(err)
				}
			}
			counts := countsOf(bleuOf(t, "bleu:none").stats([]Pair{{c.Hyp, refs}}).Sums())
			if got := float64(counts.correct[c.N-1]) / float64(counts.total[c.N-1]); !near(got, c.Value, 1e-9) {
				t.Errorf("precision %d: %g, want %g", i, got, c.Value)
			}
		}
		for i, c := range g.Brevity {
			refs := make([][]int32, len(c.RefLens))
			for k, n := range c.RefLens {
				refs[k] = make([]int32, n)
			}
			count := bleuCounter{counts: newCounts(bleuOrder)}
			counts := count.pair(make([]int32, c.HypLen), refs)
			if counts.refLen != c.Closest || !near(counts.brevity(), c.BP, 1e-9) {
				t.Errorf("brevity %d: length %d, penalty %g; want %d, %g", i, counts.refLen, counts.brevity(), c.Closest, c.BP)
			}
		}
	})
}

func TestPorterConformance(t *testing.T) {
	golden(t, "porter_nltk.json", func(t *testing.T, words [][2]string) {
		if len(words) == 0 {
			t.Fatal("no words")
		}
		for _, w := range words {
			if got := porterStem(w[0]); got != w[1] {
				t.Errorf("%s: %s, want %s", w[0], got, w[1])
			}
		}
		t.Logf("%d words", len(words))
	})
}
