package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flat are stats of a metric that is the mean of one number a row.
func flat(name string, values ...float64) *Stats {
	return &Stats{Names: []string{name}, Width: 1, Rows: values, Score: means}
}

// resultOf is what Evaluate makes of stats.
func resultOf(stats ...*Stats) *Result {
	r := &Result{N: stats[0].Len(), Metrics: map[string]float64{}, stats: stats}
	for _, s := range stats {
		for _, score := range s.Scores() {
			r.Metrics[score.Name] = score.Value
		}
	}
	return r
}

// TestBootstrap_draw checks that rows are drawn with replacement, evenly, and differently for each resample and seed.
func TestBootstrap_draw(t *testing.T) {
	const n, resamples = 500, 2000
	all, counts := make([]float64, n), make([]float64, n)
	missing := 0
	for r := range resamples {
		Bootstrap{Seed: 42}.draw(r, counts)
		sum := 0.0
		for i, c := range counts {
			sum += c
			all[i] += c
			if c == 0 {
				missing++
			}
		}
		if sum != n {
			t.Fatalf("resample %d has %g rows", r, sum)
		}
	}
	// A row is left out with probability (1 − 1/n)ⁿ.
	if got, want := float64(missing)/n/resamples, math.Pow(1-1.0/n, n); math.Abs(got-want) > 0.002 {
		t.Errorf("%g of the rows are left out, want %g", got, want)
	}
	chi := 0.0
	for _, c := range all {
		chi += (c - resamples) * (c - resamples) / resamples
	}
	if chi < 380 || chi > 620 { // 499 degrees of freedom: 4 deviations of 31.6
		t.Errorf("chi-square %g of %d rows", chi, n)
	}
	a, b, c := make([]float64, n), make([]float64, n), make([]float64, n)
	Bootstrap{Seed: 42}.draw(0, a)
	Bootstrap{Seed: 42}.draw(1, b)
	Bootstrap{Seed: 43}.draw(0, c)
	if cmp.Equal(a, b) || cmp.Equal(a, c) {
		t.Error("resamples repeat")
	}
}

// TestBootstrap_interval compares with what is known of a mean: its standard error.
func TestBootstrap_interval(t *testing.T) {
	var values []float64
	for i := range 400 {
		values = append(values, float64(i%2))
	}
	r := resultOf(flat("m", values...))
	r.Intervals(Bootstrap{Resamples: 4000, Seed: 1})
	for i, want := range []float64{50 - 1.96*2.5, 50 + 1.96*2.5} {
		if got := r.CI95["m"][i]; math.Abs(got-want) > 0.4 {
			t.Errorf("end %d is %g, want about %g", i, got, want)
		}
	}
}

func TestBootstrap_threads(t *testing.T) {
	pairs := manyPairs(300)
	base := manyPairs(300)
	for i := range base {
		base[i].Prediction = pairs[(i+1)%300].Prediction
	}
	compare := func() string {
		r, b := evaluate(t, "bleu,rouge,nist,cider,meteor,f1,length,distinct", pairs), evaluate(t, "bleu,rouge,nist,cider,meteor,f1,length,distinct", base)
		if err := r.Against(b, Bootstrap{Resamples: 200, Seed: 7}); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := compare()
	runtime.GOMAXPROCS(8)
	if eight := compare(); one != eight {
		t.Errorf("one thread:\n%s\neight:\n%s", one, eight)
	}
}

// manyPairs are n short sentences, some of them right in part.
func manyPairs(n int) []Pair {
	words := strings.Fields("the patient should take this medicine twice a day after meals and drink plenty of water")
	pairs := make([]Pair, n)
	for i := range pairs {
		k := i % len(words)
		pairs[i] = Pair{
			Prediction: strings.Join(words[k/2:], " ") + fmt.Sprint(" ", i%7),
			References: []string{strings.Join(words[k/3:], " ") + fmt.Sprint(" ", i%5)},
		}
	}
	return pairs
}

func TestAgainst(t *testing.T) {
	low, high, noise := make([]float64, 60), make([]float64, 60), make([]float64, 60)
	for i := range low {
		low[i] = float64(i%3) / 10
		high[i] = low[i] + 0.5
		noise[i] = float64((i+i/3)%3) / 10 // the same values in other rows
	}
	noise[0] += 0.01
	b := Bootstrap{Resamples: 1000, Seed: 42}
	for name, c := range map[string]struct {
		tuned, base []float64
		better      Better
		verdict     string
	}{
		"higher":          {high, low, Higher, IsBetter},
		"lower":           {low, high, Higher, IsWorse},
		"lower is better": {low, high, Lower, IsBetter},
		"higher is worse": {high, low, Lower, IsWorse},
		"noise":           {noise, low, Higher, NoDifference},
		"the same":        {low, low, Higher, NoDifference},
	} {
		tuned, base := flat("m", c.tuned...), flat("m", c.base...)
		tuned.Better, base.Better = c.better, c.better
		r := resultOf(tuned)
		if err := r.Against(resultOf(base), b); err != nil {
			t.Fatal(err)
		}
		got := r.Compared["m"]
		if got.Verdict != c.verdict || got.P <= 0 || got.P > 1 || (got.P < 0.05) != (c.verdict != NoDifference) {
			t.Errorf("%s: %+v, want %s", name, got, c.verdict)
		}
		if name == "the same" && got.P != 1 {
			t.Errorf("%s: p = %g", name, got.P)
		}
		if len(r.Base.CI95) != 1 {
			t.Errorf("%s: the base has no interval", name)
		}
	}
	r := resultOf(flat("m", 1, 2))
	if err := r.Against(resultOf(flat("m", 1)), b); err == nil {
		t.Error("results of other rows are compared")
	}
	r = resultOf(flat("m", 1, 2))
	if err := r.Against(resultOf(flat("m", 1, 2)), Bootstrap{}); err != nil || r.CI95 != nil || r.Compared != nil || r.Base == nil {
		t.Errorf("without resamples: %+v, %v", r, err)
	}
}

func TestPairedP(t *testing.T) {
	// Differences 1, 1, 2, 4 with mean 2: one of them lies more than 1 above it.
	if p := pairedP([]float64{1, 3, 2, 9}, []float64{0, 2, 4, 5}, -1); p != 2.0/5 {
		t.Errorf("p = %g", p)
	}
	if p := pairedP([]float64{math.NaN(), 1}, []float64{0, 0}, 5); p != 1 {
		t.Errorf("with what is no number: p = %g", p)
	}
}

func TestAgainst_neither(t *testing.T) {
	s := flat("length", 1, 2)
	s.Better = Neither
	whole := flat("distinct", 1, 2)
	whole.Whole = true
	r := resultOf(s, whole)
	if err := r.Against(resultOf(s, whole), Bootstrap{Resamples: 100}); err != nil {
		t.Fatal(err)
	}
	if len(r.Compared) != 0 || len(r.CI95) != 1 {
		t.Errorf("compared %v, intervals %v", r.Compared, r.CI95)
	}
}

func TestTable_verdicts(t *testing.T) {
	r := &Result{
		N: 12, Metrics: map[string]float64{"bleu": 12.345, "cider": 2.5, "length": 99},
		CI95:     map[string][2]float64{"bleu": {11, 13.5}, "cider": {2, 3}},
		Compared: map[string]Comparison{"bleu": {0.001, IsBetter}, "cider": {0.21, NoDifference}},
		Base:     &Result{Metrics: map[string]float64{"bleu": 1, "cider": 2.25, "length": 100}},
	}
	want := "" +
		"metric     base    tuned   difference   95% interval of tuned   verdict\n" +
		"bleu       1.00    12.35       +11.35          11.00 to 13.50   better, p < 0.01\n" +
		"cider    2.2500   2.5000      +0.2500        2.0000 to 3.0000   no difference shown (p = 0.21)\n" +
		"length   100.00    99.00        -1.00                       -   -\n" +
		"12 rows are few: take intervals and p as rough\n"
	if got := r.Table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r.N, r.Base, r.Compared = 20, nil, nil
	want = "" +
		"metric    score       95% interval\n" +
		"bleu      12.35     11.00 to 13.50\n" +
		"cider    2.5000   2.0000 to 3.0000\n" +
		"length    99.00                  -\n"
	if got := r.Table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBootstrap_refuses(t *testing.T) {
	for _, n := range []int{-1, 1, 99} {
		if (Bootstrap{Resamples: n}).Validate() == nil {
			t.Errorf("%d resamples accepted", n)
		}
	}
}

// BenchmarkBootstrap is the comparison of two models on 10,000 rows with BLEU and ROUGE, 1,000 resamples.
func BenchmarkBootstrap(b *testing.B) {
	metrics, err := Parse("bleu,rouge")
	if err != nil {
		b.Fatal(err)
	}
	pairs := manyPairs(10000)
	tuned, err := Evaluate(metrics, pairs)
	if err != nil {
		b.Fatal(err)
	}
	base, err := Evaluate(metrics, pairs)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := tuned.Against(base, Bootstrap{Resamples: 1000, Seed: 42}); err != nil {
			b.Fatal(err)
		}
	}
}
