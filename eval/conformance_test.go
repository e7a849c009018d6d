package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/testkit"
)

// golden runs check with one reference file of the metrics folder. A set without the file is passed over.
func golden[T any](t *testing.T, file string, check func(t *testing.T, g T)) {
	t.Helper()
	testkit.Conformance(t, "metrics", func(t *testing.T, dir string) {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		if os.IsNotExist(err) {
			t.Logf("no %s here: passed over", file)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var g T
		if err := json.Unmarshal(raw, &g); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		check(t, g)
	})
}

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

// goldenBLEU is what sacrebleu says of a text.
type goldenBLEU struct {
	Score         float64
	Counts        []int
	Totals        []int
	BP            float64
	SysLen        int `json:"sys_len"`
	RefLen        int `json:"ref_len"`
	Signature     string
	withoutCounts bool
}

func (g goldenBLEU) check(t *testing.T, name string, b bleu, c bleuCounts) {
	t.Helper()
	if got := b.score(c); !near(got, g.Score, 1e-9) {
		t.Errorf("%s: %.12f, want %.12f", name, got, g.Score)
	}
	if g.withoutCounts {
		return
	}
	if !slices.Equal(c.correct, g.Counts) || !slices.Equal(c.total, g.Totals) {
		t.Errorf("%s: counts %v of %v, want %v of %v", name, c.correct, c.total, g.Counts, g.Totals)
	}
	if c.hypLen != g.SysLen || c.refLen != g.RefLen || !near(c.brevity(), g.BP, 1e-9) {
		t.Errorf("%s: %d tokens against %d, brevity %.12f; want %d, %d, %.12f", name, c.hypLen, c.refLen, c.brevity(), g.SysLen, g.RefLen, g.BP)
	}
}

// bleuOf makes the metric of a name such as "bleu:13a:lc".
func bleuOf(t *testing.T, name string) bleu {
	t.Helper()
	b, err := parseBLEU(strings.Split(name, ":")[1:])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type goldenPairs struct {
	Cases []struct {
		Lang      string
		Hyp       string
		Refs      []string
		Sacrebleu map[string]goldenBLEU
		Rouge     map[string][3]float64 `json:"rouge_score"`
		RougeStem map[string][3]float64 `json:"rouge_score_stem"`
		LF        map[string]float64
	}
	Corpus map[string]struct {
		Note      string
		Sacrebleu map[string]goldenBLEU
		RougeMean map[string]float64 `json:"rouge_score_mean_f"`
		LFMean    map[string]float64 `json:"lf_mean"`
	}
}

// corpora are the pairs of the cases by language. A corpus is scored with the first reference of each case, unless it says otherwise.
func (g goldenPairs) corpora() map[string][]Pair {
	out := map[string][]Pair{}
	for _, c := range g.Cases {
		refs := c.Refs
		if strings.HasPrefix(g.Corpus[c.Lang].Note, "single reference") {
			refs = refs[:1]
		}
		out[c.Lang] = append(out[c.Lang], Pair{c.Hyp, refs})
	}
	return out
}

// sacrebleuName is the name in ft of a score of sacrebleu's, whose own name tells chrF's beta.
func sacrebleuName(name string) string { return strings.Replace(name, "chrf2", "chrf", 1) }

func TestPairsConformance_sacrebleu(t *testing.T) {
	golden(t, "pairs.json", func(t *testing.T, g goldenPairs) {
		if len(g.Cases) == 0 || len(g.Corpus) == 0 {
			t.Fatal("no cases")
		}
		n := 0
		for i, c := range g.Cases {
			t.Run(fmt.Sprintf("%s-%d", c.Lang, i), func(t *testing.T) {
				for name, want := range c.Sacrebleu {
					n++
					checkSentence(t, name, Pair{c.Hyp, c.Refs}, want)
				}
			})
		}
		corpora := g.corpora()
		for lang, want := range g.Corpus {
			t.Run("corpus-"+lang, func(t *testing.T) {
				for name, want := range want.Sacrebleu {
					n++
					checkCorpus(t, name, corpora[lang], want)
				}
			})
		}
		t.Logf("%d scores", n)
	})
}

// checkSentence scores one pair as sacrebleu's sentence_score, whose BLEU is of effective orders.
func checkSentence(t *testing.T, name string, p Pair, want goldenBLEU) {
	t.Helper()
	if !strings.HasPrefix(name, "bleu:") {
		if got := evaluate(t, sacrebleuName(name), []Pair{p}).Metrics[sacrebleuName(name)]; !near(got, want.Score, 1e-9) {
			t.Errorf("%s: %.12f, want %.12f", name, got, want.Score)
		}
		return
	}
	b := bleuOf(t, name+":effective_order")
	want.check(t, name, b, countsOf(b.stats([]Pair{p}).Sums()))
}

func checkCorpus(t *testing.T, name string, pairs []Pair, want goldenBLEU) {
	t.Helper()
	if strings.HasPrefix(name, "bleu:") {
		b := bleuOf(t, name)
		want.check(t, name, b, countsOf(b.stats(pairs).Sums()))
	}
	r := evaluate(t, sacrebleuName(name), pairs)
	if got := r.Metrics[sacrebleuName(name)]; !near(got, want.Score, 1e-9) {
		t.Errorf("%s: %.12f, want %.12f", name, got, want.Score)
	}
	// The version differs in its "+ft" at least.
	got, _, _ := strings.Cut(r.Signatures[sacrebleuName(name)], "|version:")
	if w, _, _ := strings.Cut(want.Signature, "|version:"); got != w {
		t.Errorf("%s: signature %s, want %s", name, got, w)
	}
}

func TestPairsConformance_lf(t *testing.T) {
	golden(t, "pairs.json", func(t *testing.T, g goldenPairs) {
		corpora, n := map[string][]Pair{}, 0
		for i, c := range g.Cases {
			pair := []Pair{{c.Hyp, c.Refs[:1]}}
			corpora[c.Lang] = append(corpora[c.Lang], pair...)
			got := evaluate(t, "lf", pair).Metrics
			for name, want := range c.LF {
				n++
				if got["lf:"+name] != want {
					t.Errorf("%s-%d: %s: %v, want %v", c.Lang, i, name, got["lf:"+name], want)
				}
			}
		}
		for lang, want := range g.Corpus {
			got := evaluate(t, "lf", corpora[lang]).Metrics
			for name, want := range want.LFMean {
				n++
				if !near(got["lf:"+name], want, 1e-9) {
					t.Errorf("%s: %s: %.12f, want %.12f", lang, name, got["lf:"+name], want)
				}
			}
		}
		if n == 0 {
			t.Fatal("no scores")
		}
		t.Logf("%d scores", n)
	})
}

func TestPairsConformance_rouge(t *testing.T) {
	golden(t, "pairs.json", func(t *testing.T, g goldenPairs) {
		corpora := g.corpora()
		for i, c := range g.Cases {
			t.Run(fmt.Sprintf("%s-%d", c.Lang, i), func(t *testing.T) {
				checkRouge(t, newRougeScorer(false, false), Pair{c.Hyp, c.Refs}, c.Rouge)
				checkRouge(t, newRougeScorer(true, false), Pair{c.Hyp, c.Refs}, c.RougeStem)
			})
		}
		for lang, want := range g.Corpus {
			t.Run("corpus-"+lang, func(t *testing.T) {
				if inChinese(corpora[lang]) {
					t.Skip("Chinese references: ft's rouge keeps the letters that rouge_score drops")
				}
				checkCorpusRouge(t, corpora[lang], want.RougeMean)
			})
		}
	})
}

func checkCorpusRouge(t *testing.T, pairs []Pair, want map[string]float64) {
	t.Helper()
	metrics, err := Parse("rouge")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Evaluate(metrics, pairs)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range r.Metrics {
		if !near(got, 100*want[name], 1e-9) {
			t.Errorf("%s: %.12f, want %.12f", name, got, 100*want[name])
		}
	}
}

// checkRouge compares precision, recall and F of every variant with one pair's reference values.
func checkRouge(t *testing.T, r *rougeScorer, p Pair, want map[string][3]float64) {
	t.Helper()
	for i, got := range r.best(p) {
		name := rougeKinds[i]
		w, ok := want[name]
		if !ok {
			t.Errorf("%s: no reference value", name)
		}
		for k, v := range []float64{got.precision, got.recall, got.f} {
			if !near(v, w[k], 1e-9) {
				t.Errorf("%s: %+v, want %v", name, got, w)
				break
			}
		}
	}
}

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
				c.withoutCounts = c.Counts == nil
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
