package model_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ft/dataset"
	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/model"
)

// golden is golden.json: two sequences through the reference implementation.
type golden struct {
	ModelType string `json:"model_type"`
	Sequences []struct {
		IDs       []int32     `json:"input_ids"`
		From      int         `json:"logits_from"`
		Logits    [][]float64 // of positions From and on
		LSE       []float64   `json:"logsumexp"`
		Argmax    []int32
		Labels    []int32
		Tokens    int `json:"n_label_tokens"`
		Loss      float64
		Greedy    []int32
		GreedyGap float64 `json:"greedy_min_gap"`
	}
}

// minGap is the difference of the two best logits above which their order must be the reference's.
const minGap = 1e-3

func TestGolden(t *testing.T) {
	testkit.Conformance(t, "golden/models", func(t *testing.T, dir string) {
		cases, err := filepath.Glob(filepath.Join(dir, "*", "golden.json"))
		if err != nil || len(cases) == 0 {
			t.Fatalf("%d cases in %s (%v)", len(cases), dir, err)
		}
		ran := 0
		for _, file := range cases {
			name := filepath.Base(filepath.Dir(file))
			var g golden
			testkit.ReadJSON(t, file, &g)
			for _, config := range []string{"config.json", "config.legacy.json"} {
				if _, err := os.Stat(filepath.Join(filepath.Dir(file), config)); err == nil {
					ran++
					t.Run(name+"/"+config, func(t *testing.T) { testGolden(t, open(t, filepath.Dir(file), config), g) })
					t.Run(name+"/"+config+"/bfloat16", func(t *testing.T) { testReduced(t, open(t, filepath.Dir(file), config), g) })
				}
			}
		}
		if ran == 0 {
			t.Errorf("no model in %s", dir)
		}
	})
}

func testGolden(t *testing.T, m *model.Model, g golden) {
	var samples []dataset.Sample
	var sum float64
	var tokens int
	for i, s := range g.Sequences {
		at := func(what string) string { return fmt.Sprintf("sequence %d: %s", i, what) }
		got := logits(t, m, s.IDs)
		for j, want := range s.Logits {
			testkit.Near(t, at(fmt.Sprintf("logits of position %d", s.From+j)), got[s.From+j], want, 1e-4, 0)
		}
		lse := make([]float64, len(got))
		for j, l := range got {
			var gap float64
			lse[j], gap = summary(l)
			if best := argmax(l); gap > minGap && best != s.Argmax[j] {
				t.Errorf("%s", at(fmt.Sprintf("position %d: most likely is %d, expected %d (gap %g)", j, best, s.Argmax[j], gap)))
			}
		}
		testkit.Near(t, at("logsumexp"), lse, s.LSE, 0, 1e-4)
		if s.GreedyGap > minGap {
			if out := greedy(t, m, s.IDs, len(s.Greedy)); !slices.Equal(out, s.Greedy) {
				t.Errorf("%s", at(fmt.Sprintf("greedy %v, expected %v", out, s.Greedy)))
			}
		}
		sample := dataset.Sample{Key: uint64(i), IDs: s.IDs, Labels: s.Labels}
		samples = append(samples, sample)
		testLoss(t, at("loss"), m, []dataset.Sample{sample}, s.Loss, s.Tokens)
		sum, tokens = sum+s.Loss*float64(s.Tokens), tokens+s.Tokens
	}
	testLoss(t, "loss of all, packed", m, samples, sum/float64(tokens), tokens)
}

// testReduced asks of products in bfloat16 what the reference set measured for them, with attention's products and
// activations rounded too: logits within 5 % of their norm, losses within 0.02.
func testReduced(t *testing.T, m *model.Model, g golden) {
	m.SetPrecision(kernels.BF16)
	for i, s := range g.Sequences {
		got := logits(t, m, s.IDs)
		var diff, size float64
		for j, want := range s.Logits {
			for k, w := range want {
				d := float64(got[s.From+j][k]) - w
				diff, size = diff+d*d, size+w*w
			}
		}
		if rel := math.Sqrt(diff / size); !(rel <= 0.05) || rel == 0 {
			t.Errorf("sequence %d: logits differ by %g of their norm", i, rel)
		}
		for j, l := range got {
			lse, gap := summary(l)
			if math.Abs(lse-s.LSE[j]) > 0.15 {
				t.Errorf("sequence %d, position %d: logsumexp %g, expected %g", i, j, lse, s.LSE[j])
			}
			if best := argmax(l); gap > 0.4 && best != s.Argmax[j] {
				t.Errorf("sequence %d, position %d: most likely is %d, expected %d (gap %g)", i, j, best, s.Argmax[j], gap)
			}
		}
		b := dataset.Pack([]dataset.Sample{{IDs: s.IDs, Labels: s.Labels}})
		l, err := m.Loss(&b)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Near(t, fmt.Sprintf("sequence %d: loss", i), []float64{l.Mean()}, []float64{s.Loss}, 0, 0.02)
	}
}

func testLoss(t *testing.T, what string, m *model.Model, samples []dataset.Sample, want float64, tokens int) {
	t.Helper()
	b := dataset.Pack(samples)
	l, err := m.Loss(&b)
	if err != nil {
		t.Fatal(err)
	}
	if l.Tokens != tokens {
		t.Errorf("%s: %d labels, expected %d", what, l.Tokens, tokens)
	}
	testkit.Near(t, what, []float64{l.Mean()}, []float64{want}, 0, 1e-4)
}

// summary is the logarithm of the sum of exponentials, and the difference of the two largest values.
func summary(l []float32) (lse, gap float64) {
	top, second := math.Inf(-1), math.Inf(-1)
	for _, v := range l {
		if x := float64(v); x > top {
			top, second = x, top
		} else {
			second = max(second, x)
		}
	}
	sum := 0.0
	for _, v := range l {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum), top - second
}

// TestGolden_trained runs the trained model of 260,000 parameters that the given set may hold.
func TestGolden_trained(t *testing.T) {
	testkit.Conformance(t, "models/stories260K/hf", func(t *testing.T, dir string) {
		var g struct {
			Greedy []int32 `json:"greedy_ids"`
			Cases  []struct {
				IDs  []int32
				NLL  float64      `json:"mean_nll"`
				Top5 [][2]float64 `json:"last_logits_top5"`
			}
		}
		testkit.ReadJSON(t, filepath.Join(dir, "golden.json"), &g)
		m := open(t, dir, "config.json")
		if out := append([]int32{1}, greedy(t, m, []int32{1}, len(g.Greedy)-1)...); !slices.Equal(out, g.Greedy) {
			t.Errorf("greedy %v\nexpected %v", out, g.Greedy)
		}
		if len(g.Cases) == 0 {
			t.Error("no cases")
		}
		for i, c := range g.Cases {
			s := dataset.Sample{IDs: c.IDs, Labels: c.IDs}
			if len(c.IDs) > 1 {
				testLoss(t, fmt.Sprintf("loss of case %d", i), m, []dataset.Sample{s}, c.NLL, len(c.IDs)-1)
			}
			last := logits(t, m, c.IDs)[len(c.IDs)-1]
			for _, top := range c.Top5 {
				testkit.Near(t, fmt.Sprintf("case %d, logit %g", i, top[0]), last[int(top[0]):int(top[0])+1], top[1:], 1e-4, 0)
			}
		}
	})
}
