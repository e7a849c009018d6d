package adalora

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"ft/internal/testkit"
	"ft/internal/testkit/backend"
	"ft/peft"
	"ft/peft/pefttest"
)

func TestBackend(t *testing.T) { backend.Check(t) }

// allocation is what the reference's allocator did behind a step.
type allocation struct {
	Step, Budget, Rank int
	Masked             bool
	Kept               map[string][]int
	Scores             []float64 // by module in the order of the names, then by triplet
	Threshold          float64
	Next               float64 `json:"next_score"`
}

func TestGolden(t *testing.T) {
	pefttest.Golden{Methods: []string{"adalora"}, Load: Load, Stepped: checkAllocation}.Run(t)
}

// checkAllocation compares budget, scores and what is left behind a step with the reference.
func checkAllocation(t *testing.T, dir string, adapted peft.Adapter, step int) {
	t.Helper()
	var ref struct {
		Adalora struct {
			Steps []allocation
			Orth  []float64 `json:"orth_penalty"`
		}
	}
	testkit.ReadJSON(t, filepath.Join(dir, "train.json"), &ref)
	a, want := adapted.(*adapter), ref.Adalora.Steps[step]
	if want.Step != step {
		t.Fatalf("entry %d is of step %d", step, want.Step)
	}
	if step < a.plan.total-a.plan.tfinal {
		if budget, due := a.budget(step); budget != want.Budget || due != want.Masked {
			t.Errorf("step %d: budget %d, masked %v; the reference has %d, %v", step, budget, due, want.Budget, want.Masked)
		}
	}
	rank := 0
	var scores []float64
	for _, name := range slices.Sorted(maps.Keys(want.Kept)) {
		m := a.byName[name[:len(name)-len(nameE)]]
		for k, kept := range want.Kept[name] {
			if m.dropped[k] == (kept == 1) || kept == 0 && m.e.Data[k] != 0 {
				t.Errorf("step %d: %s: triplet %d dropped %v, E %g; the reference keeps it: %d", step, name, k, m.dropped[k], m.e.Data[k], kept)
			}
			rank += kept
		}
		scores = append(scores, m.scores.triplets...)
	}
	if rank != want.Rank {
		t.Fatalf("step %d: the reference's own entries disagree: %d, %d", step, rank, want.Rank)
	}
	if !want.Masked || step >= a.plan.total-a.plan.tfinal {
		return // no scores, or they are gone again
	}
	if len(scores) != len(want.Scores) {
		t.Fatalf("step %d: %d scores, the reference has %d", step, len(scores), len(want.Scores))
	}
	for i, s := range want.Scores {
		near := scores[i] > s*(1-1e-3) && scores[i] < s*(1+1e-3)
		if !near || (scores[i] <= want.Threshold*(1+1e-3)) != (s <= want.Threshold) {
			t.Errorf("step %d: score %d is %g, the reference has %g (threshold %g)", step, i, scores[i], s, want.Threshold)
		}
	}
}
