package peft

import (
	"fmt"
	"maps"
	"math"

	"ft/internal/kernels"
	"ft/nn"
)

// copySuffix ends the name of the frozen base weight that PEFT stores beside an adapter when an output head is a target.
const copySuffix = ".base_layer.weight"

// sameWeight is the largest relative distance at which a stored copy counts as the base's own weight: bases
// quantised to 4 bits are 5 to 9 % away from their origin, other models' weights above 100 %.
const sameWeight = 0.2

// FitsOn is Fits for an adapter of these layers, beside which copies of their frozen weights may lie. A copy is of no use but to tell
// that the adapter is for another base, which is an error.
func (s *Saved) FitsOn(targets []*nn.Linear, want map[string][]int) error {
	want = maps.Clone(want)
	for _, l := range targets {
		if name := l.Name + copySuffix; s.Tensors[name].Data != nil {
			want[name] = []int{l.Out(), l.In()}
		}
	}
	if err := s.Fits(want); err != nil {
		return err
	}
	for _, l := range targets {
		if t := s.Tensors[l.Name+copySuffix]; t.Data != nil {
			if err := CheckCopy(l.Name+copySuffix, l.Weight(), t.Data); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckCopy is an error when the tensor of this name, a stored copy of a frozen weight, is another base's. The right one is of no use.
func CheckCopy(name string, weight *kernels.Matrix, stored []float32) error {
	row := make([]float32, weight.Cols)
	var diff, size float64
	for r := range weight.Rows {
		weight.Row(row, r)
		for c, w := range row {
			d := float64(w - stored[r*len(row)+c])
			diff += d * d
			size += float64(w) * float64(w)
		}
	}
	if distance := math.Sqrt(diff / size); !(distance <= sameWeight) {
		return fmt.Errorf("%s: the stored base weight is not this base's (relative distance %.2g): the adapter is for another base",
			name, distance)
	}
	return nil
}
