package testkit

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// ReadJSON decodes the file at path into v; fields that v lacks are passed over.
func ReadJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// Number is what comparisons take.
type Number interface{ ~float32 | ~float64 }

// MaxDiff is the largest absolute difference of two lists, and the largest absolute value of want. Lists of
// different lengths and values that are not numbers differ infinitely.
func MaxDiff[A, B Number](got []A, want []B) (diff, size float64) {
	if len(got) != len(want) {
		return math.Inf(1), 0
	}
	for i, w := range want {
		d := math.Abs(float64(got[i]) - float64(w))
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		diff, size = max(diff, d), max(size, math.Abs(float64(w)))
	}
	return diff, size
}

// Near fails the test unless got differs from want by at most rel times want's largest absolute value, plus abs.
func Near[A, B Number](t testing.TB, what string, got []A, want []B, rel, abs float64) {
	t.Helper()
	diff, size := MaxDiff(got, want)
	if bound := rel*size + abs; !(diff <= bound) {
		t.Errorf("%s: %d values for %d, largest difference %.3g, allowed %.3g (largest value %.3g)", what, len(got), len(want), diff, bound, size)
	}
}
