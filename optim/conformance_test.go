package optim

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/testkit"
)

// readGolden decodes one reference file, or reports false if this set has none.
func readGolden(t *testing.T, dir, file string, into any) bool {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if os.IsNotExist(err) {
		t.Logf("no %s here: passed over", file)
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return true
}

func TestScheduleConformance(t *testing.T) {
	testkit.Conformance(t, "golden", func(t *testing.T, dir string) {
		var g struct {
			BaseLR float64 `json:"base_lr"`
			Warmup int     `json:"num_warmup_steps"`
			Total  int     `json:"num_training_steps"`
			Cases  map[string]struct {
				Name   string
				Params map[string]any
				LRs    []float64
			}
		}
		if !readGolden(t, dir, "schedules.json", &g) {
			return
		}
		if len(g.Cases) == 0 {
			t.Fatal("schedules.json holds no case")
		}
		for label, c := range g.Cases {
			t.Run(label, func(t *testing.T) {
				s, err := NewSchedule(c.Name, ScheduleConfig{LR: g.BaseLR, Warmup: g.Warmup, Total: g.Total, Options: c.Params})
				if err != nil {
					t.Fatal(err)
				}
				if len(c.LRs) == 0 {
					t.Fatal("no learning rates")
				}
				for step, want := range c.LRs {
					if got := s(step); math.Abs(got-want) > 1e-8*math.Abs(want)+1e-12 {
						t.Errorf("step %d: %.12g, want %.12g", step, got, want)
					}
				}
			})
		}
	})
}

// TestAdamWConformance runs the AdamW cases; those of other optimizers are passed over.
func TestAdamWConformance(t *testing.T) {
	testkit.Conformance(t, "golden", func(t *testing.T, dir string) {
		var g struct {
			LR    float64
			W0    []float32
			Grads [][]float32
		}
		var all map[string]json.RawMessage
		if !readGolden(t, dir, "adamw.json", &g) || !readGolden(t, dir, "adamw.json", &all) {
			return
		}
		ran := 0
		for label, raw := range all {
			if !strings.HasPrefix(string(raw), "{") {
				continue
			}
			if !strings.HasPrefix(label, "adamw") {
				t.Logf("%s: an optimizer ft does not have: passed over", label)
				continue
			}
			ran++
			t.Run(label, func(t *testing.T) { checkAdamW(t, raw, g.LR, g.W0, g.Grads) })
		}
		if ran == 0 {
			t.Fatal("adamw.json holds no AdamW case")
		}
	})
}

func checkAdamW(t *testing.T, raw json.RawMessage, lr float64, w0 []float32, grads [][]float32) {
	var c struct {
		Betas       [2]float64
		Eps         float64
		WeightDecay float64 `json:"weight_decay"`
		Params      [][]float64
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Params) == 0 || len(c.Params) != len(grads) {
		t.Fatalf("%d results for %d gradients", len(c.Params), len(grads))
	}
	cfg := AdamWConfig{Beta1: c.Betas[0], Beta2: c.Betas[1], Eps: c.Eps, WeightDecay: c.WeightDecay}
	o, err := NewAdamW(cfg, []int{len(w0)})
	if err != nil {
		t.Fatal(err)
	}
	w := append([]float32(nil), w0...)
	for step, want := range c.Params {
		if err := o.Step(lr, []Param{{Data: w, Grad: grads[step], Decay: true}}); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if math.Abs(float64(w[i])-want[i]) > 1e-5 {
				t.Errorf("step %d weight %d: %.9g, want %.9g", step, i, w[i], want[i])
			}
		}
	}
}
