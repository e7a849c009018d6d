package eval

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/testkit"
)

// goldenSystem is what the E2E challenge's scripts and sacrebleu say of a system's answers.
type goldenSystem struct {
	N, Refs    int
	NIST       *float64                      `json:"pymteval_nist"`
	BLEU       *float64                      `json:"pymteval_bleu"`
	PerlMteval *struct{ NIST, BLEU float64 } `json:"perl_mteval_v13a"`
	BLEU13a    *float64                      `json:"sacrebleu_13a"`
	BLEULower  *float64                      `json:"sacrebleu_13a_lc"`
	BLEUNone   *float64                      `json:"sacrebleu_none"`
	CIDEr      *float64                      `json:"approxptb_cider"`
}

// eachSystem runs check with the answers of every system of every folder e2e.
func eachSystem(t *testing.T, check func(t *testing.T, g goldenSystem, pairs []Pair)) {
	t.Helper()
	testkit.Conformance(t, filepath.Join("metrics", "e2e"), func(t *testing.T, dir string) {
		var golden struct{ Systems map[string]goldenSystem }
		testkit.ReadJSON(t, filepath.Join(dir, "expected.json"), &golden)
		if len(golden.Systems) == 0 {
			t.Fatal("no systems")
		}
		for name, g := range golden.Systems {
			t.Run(name, func(t *testing.T) {
				var answers struct {
					Items []struct {
						Hyp  string
						Refs []string
					}
				}
				testkit.ReadJSON(t, filepath.Join(dir, name+".json"), &answers)
				var pairs []Pair
				refs := 0
				for _, item := range answers.Items {
					pairs = append(pairs, Pair{item.Hyp, item.Refs})
					refs += len(item.Refs)
				}
				if len(pairs) != g.N || refs != g.Refs {
					t.Fatalf("%d rows with %d references, want %d and %d", len(pairs), refs, g.N, g.Refs)
				}
				check(t, g, pairs)
			})
		}
	})
}

func TestE2EConformance(t *testing.T) {
	eachSystem(t, func(t *testing.T, g goldenSystem, pairs []Pair) {
		compare := func(metric string, want *float64, scale, tolerance float64) {
			if want == nil {
				t.Logf("no figure for %s", metric)
				return
			}
			if got := evaluate(t, metric, pairs).Metrics[metric]; !near(got, scale*(*want), tolerance) {
				t.Errorf("%s: %.12f, want %.12f", metric, got, scale*(*want))
			}
		}
		compare("nist", g.NIST, 1, 1e-9)
		compare("bleu:lc", g.BLEU, 100, 1e-9)
		compare("bleu", g.BLEU13a, 1, 1e-9)
		compare("bleu:lc", g.BLEULower, 1, 1e-9)
		compare("bleu:none", g.BLEUNone, 1, 1e-9)
		if g.PerlMteval != nil {
			compare("nist:mteval", &g.PerlMteval.NIST, 1, 5.001e-5) // printed with four places
			compare("bleu:lc", &g.PerlMteval.BLEU, 100, 5.001e-3)
		}
		compare("cider", g.CIDEr, 1, 0.02) // of texts that were split in nearly the same way
	})
}

// TestPTB_java compares every text of the systems with Stanford's own program, if FT_TEST_PTB_JAR names its archive
// (stanford-corenlp-3.4.1.jar).
func TestPTB_java(t *testing.T) {
	jar := os.Getenv("FT_TEST_PTB_JAR")
	if jar == "" {
		t.Skip("FT_TEST_PTB_JAR is not set")
	}
	eachSystem(t, func(t *testing.T, _ goldenSystem, pairs []Pair) {
		var texts []string
		for _, p := range pairs {
			for _, text := range append([]string{p.Prediction}, p.References...) {
				texts = append(texts, strings.ReplaceAll(text, "\n", " "))
			}
		}
		c := exec.Command("java", "-cp", jar, "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase")
		c.Stdin = strings.NewReader(strings.Join(texts, "\n"))
		var log bytes.Buffer
		c.Stderr = &log
		out, err := c.Output()
		if err != nil {
			t.Fatalf("java: %v\n%s", err, &log)
		}
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		if len(lines) != len(texts) {
			t.Fatalf("%d lines for %d texts", len(lines), len(texts))
		}
		for i, line := range lines {
			want := slices.DeleteFunc(fields(line), func(w string) bool { return slices.Contains(ptbPunctuation, w) })
			if got := tokenizePTB(texts[i]); !slices.Equal(got, want) {
				t.Errorf("%q: %q, want %q", texts[i], got, want)
			}
		}
	})
}

// TestPTB has what PTBTokenizer gives for each text, punctuation dropped.
func TestPTB(t *testing.T) {
	for text, want := range map[string]string{
		"I can't go, cannot stay; gonna leave (now) [here] {there}": "i ca n't go can not stay gon na leave -lrb- now -rrb- -lsb- here -rsb- -lcb- there -rcb-",
		`"quoted" 'single' don't they're it's dogs' O'Neil's.`:      "quoted single do n't they 're it 's dogs o'neil 's",
		"£20.50, €30, $5.00, US$20, 100% 3/4 a/b ½ 10:30 a.m.":      "# 20.50 $ 30 $ 5.00 us$ 20 100 % 3/4 a/b 1/2 10:30 a.m.",
		"Dr. Smith, St. Mary's, etc. vs. No. 5, but no.":            "dr. smith st. mary 's etc. vs. no. 5 but no",
		"a “b” ‘c’ – d -- e ... f… g!! h?":                          "a b c d e f g !! h",
		"family friendly,cheap.moderate:good 20-25 20–25 £20-£25":   "family friendly cheap.moderate good 20-25 20 25 # 20 # 25",
		"city center., the plan b. The plan b. and":                 "city center. the plan b the plan b. and",
		"mid-1990s '90s y'all ma'am d'oeuvre rock 'n' roll s_t":     "mid-1990s '90s y' all ma'am d'oeuvre rock 'n' roll s_t",
		"x@y.com http://www.z.com/a?b=c #tag @name <b>x</b> &amp;":  "x@y.com http://www.z.com/a?b=c #tag @name <b> x </b> &",
		"20km 5:30pm v2.0 x^2 a=b +5 -5 AT&T":                       "20km 5:30 pm v2 .0 x ^ 2 a = b +5 -5 at&t",
		"they'd've 20's Café’s":                                     "they 'd 've 20 's café 's",
		"line\nbreak \xff \u200b":                                   "line break",
		"":                                                          "",
	} {
		if got := strings.Join(tokenizePTB(text), " "); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestNIST_byHand(t *testing.T) {
	pairs := []Pair{{"A b", []string{"a b", "a c"}}, {"d", []string{"d e"}}}
	// Of six words in the references a is two, b and d are one each; b follows a once of two times. Five words of length
	// in the mean: nothing is penalised at 3 against 4 but by exp2(−(log_1.5 3/4)²).
	info1 := math.Log2(6.0/2) + math.Log2(6) + math.Log2(6)
	info2 := math.Log2(2)
	x := math.Log(3.0/4) / math.Log(1.5)
	penalty := math.Exp2(-x * x)
	// pymteval counts 2−1+1−1 = 1 pair of words, and −1, −3 and −5 longer ones, which add nothing.
	if got, want := evaluate(t, "nist", pairs).Metrics["nist"], penalty*(info1/3+info2/1); !near(got, want, 1e-12) {
		t.Errorf("nist: %.12f, want %.12f", got, want)
	}
	pairs[1].References = []string{"d e", "d e"}
	pairs[0].References = []string{"a b", "a c", "b c d e"}
	// Twelve words of five references in two rows: 4.8 words a pair of references; the mean of means is 8/3 + 2.
	score := func(metric string) (float64, float64) {
		r := evaluate(t, metric, pairs)
		return r.Metrics[metric], r.stats[0].Score([]float64{0: 3, 5: 3, 10: 14.0 / 3, 11: 12, 12: 5}, 2)[0]
	}
	for metric, refLen := range map[string]float64{"nist": 14.0 / 3, "nist:mteval": 4.8} {
		_, got := score(metric)
		if want := nistPenalty(3 / refLen); !near(got, want, 1e-12) {
			t.Errorf("%s: %.12f, want %.12f", metric, got, want)
		}
	}
	if got := nistPenalty(2.0 / 3); !near(got, 0.5, 1e-12) {
		t.Errorf("penalty at two thirds: %g", got)
	}
}

func TestCIDEr_byHand(t *testing.T) {
	// Words in one of two rows weigh log 2, the one in both nothing. Texts of one word have no pairs.
	pairs := []Pair{{"red", []string{"red", "all"}}, {"all", []string{"blue"}}}
	if got := evaluate(t, "cider", pairs).Metrics["cider"]; !near(got, 10*(1.0/4/2)/2, 1e-12) {
		t.Errorf("%.12f", got)
	}
	// Three words against one: the penalty of two pairs of words more.
	pairs = []Pair{{"red red green", []string{"red"}}, {"blue", []string{"blue"}}}
	cosine := 1 / math.Sqrt(5) // (2, 1) by (1, 0) clipped: green is in no reference, so it weighs as a word of one row does
	want := 10 * (cosine*math.Exp(-4.0/72)/4 + 1.0/4) / 2
	if got := evaluate(t, "cider", pairs).Metrics["cider"]; !near(got, want, 1e-12) {
		t.Errorf("%.12f, want %.12f", got, want)
	}
	if got := evaluate(t, "cider", pairs[:1]).Metrics["cider"]; got != 0 {
		t.Errorf("one row: %g", got)
	}
	zh := evaluate(t, "cider", []Pair{{"吃药", []string{"吃药"}}, {"休息", []string{"休息"}}})
	if got := zh.Metrics["cider"]; !near(got, 5, 1e-12) || !strings.Contains(zh.Signatures["cider"], "tok:zh") {
		t.Errorf("Chinese: %g, %s", got, zh.Signatures["cider"])
	}
}

func TestScores_byHand(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		pairs []Pair
		want  float64
	}{
		"em":                {"em", []Pair{{"The cat's mat.", []string{"x", "cats  a Mat"}}, {"no", []string{"yes"}}}, 50},
		"em, Chinese":       {"em", []Pair{{"可以 服用。", []string{"可以服用"}}}, 100},
		"f1":                {"f1", []Pair{{"the red red cat", []string{"a red dog", "red mat"}}}, 100 * 2 * 1.0 / 5},
		"f1, Chinese":       {"f1", []Pair{{"不可以", []string{"可以"}}}, 100 * 2 * 2.0 / 5},
		"f1 of nothing":     {"f1", []Pair{{"the", []string{"a"}}}, 0},
		"meteor, equal":     {"meteor", []Pair{{"Red cats", []string{"red cats"}}}, 100 * (1 - 0.5/8)},
		"meteor, stems":     {"meteor", []Pair{{"red cat", []string{"red cats"}}}, 100 * (1 - 0.5/8)},
		"meteor, two parts": {"meteor", []Pair{{"b a", []string{"a b"}}}, 50},
		// Precision 1, recall 1/2.
		"meteor, short":  {"meteor", []Pair{{"a", []string{"a b"}}}, 100 * 0.5 * 0.5 / (0.9 + 0.1*0.5)},
		"distinct-1":     {"distinct-1", []Pair{{"a b a", []string{"x"}}, {"b c", []string{"x"}}}, 100 * 3.0 / 5},
		"distinct-2":     {"distinct-2", []Pair{{"a b a", []string{"x"}}, {"a b", []string{"x"}}}, 100 * 2.0 / 3},
		"no words":       {"distinct-2", []Pair{{"", []string{"x"}}}, 0},
		"length":         {"length", []Pair{{"a b c", []string{"a b", "a b c d e f"}}, {"a", []string{"a b"}}}, 100},
		"length, empty":  {"length", []Pair{{"a", []string{""}}}, 100},
		"length, zh":     {"length", []Pair{{"吃药", []string{"吃药吧。"}}}, 50},
		"length, sum of": {"length", []Pair{{"a b", []string{"a"}}, {"a", []string{"a b c"}}}, 75},
	} {
		metric, _, _ := strings.Cut(c.key, "-")
		r := evaluate(t, metric, c.pairs)
		if got := r.Metrics[c.key]; !near(got, c.want, 1e-9) {
			t.Errorf("%s: %.10f, want %.10f", name, got, c.want)
		}
		if strings.Contains(name, "Chinese") != strings.Contains(r.Signatures[c.key], "tok:zh") && name != "length, zh" {
			t.Errorf("%s: signature %s", name, r.Signatures[c.key])
		}
	}
}

// TestDistinct_interval: drawing rows again repeats some, so that there is nothing to tell.
func TestDistinct_interval(t *testing.T) {
	r := evaluate(t, "distinct,length", manyPairs(30))
	if err := r.Against(evaluate(t, "distinct,length", manyPairs(30)), Bootstrap{Resamples: 100}); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.CI95) != 1 || len(r.Compared) != 0 || len(r.Metrics) != 3 {
		t.Errorf("%s", raw)
	}
}
