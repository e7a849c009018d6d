package eval

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestResult_With: scores of other metrics are kept if they are of as many rows, and new ones count.
func TestResult_With(t *testing.T) {
	old := &Result{
		N: 3, Metrics: map[string]float64{"a": 1, "b": 2}, Signatures: map[string]string{"b": "old"}, CI95: map[string][2]float64{"b": {1, 3}},
		Compared: map[string]Comparison{"b": {P: 0.5}}, Bootstrap: &Bootstrap{Resamples: 100},
		Base: &Result{N: 3, Metrics: map[string]float64{"b": 0}},
	}
	r := &Result{N: 3, Metrics: map[string]float64{"a": 7}, Signatures: map[string]string{"a": "new"}, Base: &Result{N: 3, Metrics: map[string]float64{"a": 6}}}
	want := &Result{
		N: 3, Metrics: map[string]float64{"a": 7, "b": 2}, Signatures: map[string]string{"a": "new", "b": "old"}, CI95: map[string][2]float64{"b": {1, 3}},
		Compared: map[string]Comparison{"b": {P: 0.5}}, Bootstrap: &Bootstrap{Resamples: 100},
		Base: &Result{N: 3, Metrics: map[string]float64{"a": 6, "b": 0}},
	}
	if diff := cmp.Diff(want, r.With(old), cmpopts.IgnoreUnexported(Result{})); diff != "" {
		t.Errorf("joined (-want +got):\n%s", diff)
	}
	if len(r.Metrics) != 1 || len(r.Base.Metrics) != 1 || len(old.Metrics) != 2 {
		t.Error("a result that was joined has changed")
	}
	for _, other := range []*Result{nil, {N: 4, Metrics: map[string]float64{"b": 2}}} {
		if got := r.With(other); len(got.Metrics) != 1 {
			t.Errorf("with %+v: %+v", other, got)
		}
	}
}
