package arith_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/lora"
	"ft/lora/arith"
	"ft/peft"
	"ft/peft/pefttest"
)

// reference is one combination in arith.json.
type reference struct {
	Adapters   []string
	Weights    []float64
	Type       string `json:"combination_type"`
	Density    float64
	Majority   string `json:"majority_sign_method"`
	Rank       int    `json:"svd_rank"`
	R          int
	LogitsFrom int32 `json:"logits_from"`
	Logits     [][]float64
}

// TestGolden compares every combination of the reference sets: the product of each module, and the model's logits.
func TestGolden(t *testing.T) {
	testkit.Conformance(t, "golden/arith", func(t *testing.T, root string) {
		models, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range models {
			dir := filepath.Join(root, m.Name())
			var all map[string]json.RawMessage
			testkit.ReadJSON(t, filepath.Join(dir, "arith.json"), &all)
			var head struct {
				Model      string
				IDs        []int32           `json:"input_ids"`
				LogitsFrom int32             `json:"logits_from"`
				Refused    map[string]string `json:"refused_by_peft"`
			}
			testkit.ReadJSON(t, filepath.Join(dir, "arith.json"), &head)
			ran := 0
			for _, name := range slices.Sorted(maps.Keys(all)) {
				var ref reference
				if json.Unmarshal(all[name], &ref) != nil || ref.Type == "" {
					continue
				}
				ran++
				t.Run(m.Name()+"/"+name, func(t *testing.T) {
					r := combine(t, dir, ref)
					if got := r.State().Config["r"]; got != ref.R {
						t.Errorf("rank %v, the reference has %d", got, ref.R)
					}
					compareProducts(t, r.State(), filepath.Join(dir, name+".safetensors"))
					compareLogits(t, filepath.Join(root, "..", "models", head.Model), r.State(), head.IDs, head.LogitsFrom, ref.Logits)
				})
			}
			if ran == 0 || len(head.Refused) == 0 {
				t.Fatal("no cases")
			}
			for name := range head.Refused {
				parts := []string{name[:1], name[1:2]}
				o := arith.Options{Combine: name[3:]}
				if o.Combine != "linear" {
					o.Density = 0.5
				}
				if _, err := arith.Combine(inputs(t, dir, parts, []float64{1, 1}), o); err == nil {
					t.Errorf("%s: no error, PEFT refuses it", name)
				}
			}
		}
	})
}

func inputs(t *testing.T, dir string, adapters []string, weights []float64) (in []arith.Input) {
	t.Helper()
	for i, name := range adapters {
		saved, err := peft.Load(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		pairs, err := lora.Pairs(saved)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, arith.Input{Name: name, Pairs: pairs, Weight: weights[i]})
	}
	return in
}

func combine(t *testing.T, dir string, ref reference) *arith.Result {
	t.Helper()
	r, err := arith.Combine(inputs(t, dir, ref.Adapters, ref.Weights), arith.Options{
		Combine: ref.Type, Density: ref.Density, Majority: ref.Majority, Rank: ref.Rank,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// products are s·B·A by module.
func products(s peft.State) map[string][]float32 {
	out := map[string][]float32{}
	for i := 0; i+1 < len(s.Params); i += 2 {
		a, b := s.Params[i], s.Params[i+1]
		r, n, m := a.Shape[0], a.Shape[1], b.Shape[0]
		c := make([]float32, m*n)
		kernels.Gemm(c, n, b.Data, r, false, a.Data, n, false, m, n, r, 1, false)
		out[a.Name[:len(a.Name)-len(".lora_A.weight")]] = c
	}
	return out
}

func compareProducts(t *testing.T, s peft.State, path string) {
	t.Helper()
	got, want := products(s), testkit.Tensors(t, path)
	if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) {
		t.Fatalf("modules %v, the reference has %v", g, w)
	}
	for name, w := range want {
		testkit.Near(t, name, got[name], w.Data, 1e-5, 1e-7)
	}
}

// compareLogits puts the adapter, through its directory, on the base.
func compareLogits(t *testing.T, base string, s peft.State, ids []int32, from int32, want [][]float64) {
	t.Helper()
	m := pefttest.Open(t, base)
	dir := t.TempDir()
	if err := peft.Save(dir, s, peft.Meta{}); err != nil {
		t.Fatal(err)
	}
	saved, err := peft.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lora.Load(m, saved); err != nil {
		t.Fatal(err)
	}
	m.SetPrecision(kernels.F32)
	at := make([]int32, len(want))
	for i := range at {
		at[i] = from + int32(i)
	}
	err = m.Logits(ids, at, func(i int, l []float32) { testkit.Near(t, "logits", l, want[i], 1e-4, 0) })
	if err != nil {
		t.Fatal(err)
	}
}
