package eval

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// askPython runs a script that reads JSON from its standard input and prints JSON. Without the module the test is skipped.
func askPython(t *testing.T, module, script string, in, out any) {
	t.Helper()
	name := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	if err := exec.Command(name, "-c", "import "+module).Run(); err != nil {
		t.Skipf("%s has no %s (FT_PYTHON names another interpreter): %v", name, module, err)
	}
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(name, "-c", script)
	c.Stdin, c.Stderr = bytes.NewReader(raw), os.Stderr
	printed, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v", module, err)
	}
	if err := json.Unmarshal(printed, out); err != nil {
		t.Fatalf("%s printed %q: %v", module, printed, err)
	}
}

// noisyPairs are n sentences of random words, with one to three references that share a good part of them.
func noisyPairs(n int, seed uint64) []Pair {
	r := rand.New(rand.NewPCG(seed, 0))
	words := strings.Fields("the a patients patient taking takes took medicines medicine daily , . ( ) dose doses dosing should be was " +
		"treated treatment treating happily happiness Blood pressure pressures café naïve 2.5 20-25 £20 don't it's news dying hopping sky")
	sentence := func() []string {
		out := make([]string, 3+r.IntN(12))
		for i := range out {
			out[i] = words[r.IntN(len(words))]
		}
		return out
	}
	pairs := make([]Pair, n)
	for i := range pairs {
		for range 1 + r.IntN(3) {
			pairs[i].References = append(pairs[i].References, strings.Join(sentence(), " "))
		}
		hyp := strings.Fields(pairs[i].References[0])
		for k := range hyp {
			if r.IntN(4) == 0 {
				hyp[k] = words[r.IntN(len(words))]
			}
		}
		pairs[i].Prediction = strings.Join(hyp[:1+r.IntN(len(hyp))], " ")
	}
	return pairs
}

// TestPython_meteor compares every row with nltk's meteor_score and a WordNet without words.
func TestPython_meteor(t *testing.T) {
	pairs := noisyPairs(400, 1)
	pairs = append(pairs, Pair{"", []string{"x"}}, Pair{"x", []string{""}}, Pair{"阿司匹林", []string{"阿司匹林 can"}})
	_, split := wordsByScript(pairs)
	var in [][2]any
	for _, p := range pairs {
		var refs [][]string
		for _, ref := range p.References {
			refs = append(refs, append([]string{}, split(ref)...))
		}
		in = append(in, [2]any{append([]string{}, split(p.Prediction)...), refs})
	}
	var want []float64
	askPython(t, "nltk", `
import json, sys
from nltk.translate.meteor_score import meteor_score
class NoWords:
    def synsets(self, word): return []
print(json.dumps([meteor_score(refs, hyp, wordnet=NoWords()) for hyp, refs in json.load(sys.stdin)]))
`, in, &want)
	metrics, err := Parse("meteor")
	if err != nil {
		t.Fatal(err)
	}
	s, err := metrics[0].Stats(pairs)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if got := s.Row(i)[0]; !near(got, w, 1e-9) {
			t.Errorf("%+v: %.12f, nltk has %.12f", pairs[i], got, w)
		}
	}
}

// TestPython_squad compares em and f1 with the definition in SQuAD's terms: the standard library's punctuation and regular
// expressions.
func TestPython_squad(t *testing.T) {
	pairs := noisyPairs(300, 2)
	for _, text := range []string{"The  cat's_mat, an_a the!", "“the” a—b the-end theatre", "a an the", "", " \tÉtude a b", "x²the the² a1 1a"} {
		pairs = append(pairs, Pair{text, []string{"cats mat", "the theatre end", text}}, Pair{text, []string{"etude"}})
	}
	var in [][2]any
	for _, p := range pairs {
		in = append(in, [2]any{p.Prediction, p.References})
	}
	var want [][2]float64
	askPython(t, "json", `
import collections, json, re, string, sys
def words(s):
    s = "".join(c for c in s.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", s).split()
def f1(a, b):
    n = sum((collections.Counter(a) & collections.Counter(b)).values())
    return 2 * n / (len(a) + len(b)) if n else 0.0
print(json.dumps([[max(float(words(h) == words(r)) for r in rs), max(f1(words(h), words(r)) for r in rs)] for h, rs in json.load(sys.stdin)]))
`, in, &want)
	metrics, err := Parse("em,f1")
	if err != nil {
		t.Fatal(err)
	}
	for k, m := range metrics {
		s, err := m.Stats(pairs)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if got := s.Row(i)[0]; !near(got, w[k], 1e-9) {
				t.Errorf("%s of %q: %g, want %g", m.Name, pairs[i], got, w[k])
			}
		}
	}
}

// TestPython_paired compares intervals and p-values with those of sacrebleu's paired bootstrap test, which draws other resamples.
func TestPython_paired(t *testing.T) {
	const n, resamples = 300, 5000
	base := noisyPairs(n, 3)
	for i := range base {
		base[i].References = base[i].References[:1]
	}
	type system struct {
		pairs []Pair
		every int // row of the base is replaced by its reference
	}
	systems := []system{{every: 150}, {every: 60}, {every: 40}, {every: 20}}
	var in struct {
		Base, Refs []string
		Systems    [][]string
		Resamples  int
	}
	in.Resamples = resamples
	for _, p := range base {
		in.Base, in.Refs = append(in.Base, p.Prediction), append(in.Refs, p.References[0])
	}
	for i := range systems {
		var texts []string
		for k, p := range base {
			switch {
			case k%systems[i].every == 0:
				p.Prediction = p.References[0]
			case k%17 == i: // and some get worse
				p.Prediction = "the " + p.Prediction
			}
			systems[i].pairs = append(systems[i].pairs, p)
			texts = append(texts, p.Prediction)
		}
		in.Systems = append(in.Systems, texts)
	}
	var want []struct{ P, Half float64 }
	askPython(t, "sacrebleu", `
import json, sys
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest
a = json.load(sys.stdin)
systems = [("base", a["Base"])] + [(str(i), s) for i, s in enumerate(a["Systems"])]
_, scores = PairedTest(systems, {"b": BLEU(references=[a["Refs"]])}, None, test_type="bs", n_samples=a["Resamples"])()
print(json.dumps([{"P": r.p_value, "Half": r.ci} for r in scores["BLEU"][1:]]))
`, in, &want)
	for i, w := range want {
		r := evaluate(t, "bleu", systems[i].pairs)
		if err := r.Against(evaluate(t, "bleu", base), Bootstrap{Resamples: resamples, Seed: 9}); err != nil {
			t.Fatal(err)
		}
		p, ends := r.Compared["bleu"].P, r.CI95["bleu"]
		name := fmt.Sprintf("every %dth row right", systems[i].every)
		if bound := 5 * math.Sqrt(2*w.P*(1-w.P)/resamples); math.Abs(p-w.P) > bound+2.0/resamples {
			t.Errorf("%s: p = %g, sacrebleu has %g", name, p, w.P)
		}
		if half := (ends[1] - ends[0]) / 2; math.Abs(half/w.Half-1) > 0.06 {
			t.Errorf("%s: half an interval is %g, sacrebleu has %g", name, half, w.Half)
		}
		t.Logf("%s: p %.4f and %.4f, half an interval %.3f and %.3f", name, p, w.P, (ends[1]-ends[0])/2, w.Half)
	}
}
