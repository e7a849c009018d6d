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
	Score     float64
	Counts    []int
	Totals    []int
	BP        float64
	SysLen    int `json:"sys_len"`
	RefLen    int `json:"ref_len"`
	Signature string
}

func (g goldenBLEU) check(t *testing.T, name string, b bleu, c bleuCounts) {
	t.Helper()
	if got := b.score(c); !near(got, g.Score, 1e-9) {
		t.Errorf("%s: %.12f, want %.12f", name, got, g.Score)
	}
	if g.Counts == nil {
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
