package adalora

import (
	"math"

	"ft/internal/keyed"
)

// startDeviation is the standard deviation of a fresh A and B, PEFT's.
const startDeviation = 0.02

// fillNormal fills w with draws from the normal distribution of startDeviation (Box and Muller 1958). They are counter-based, so a tensor's
// values depend on the seed and its name alone; they are not PyTorch's.
func fillNormal(w []float32, seed uint64, name string) {
	key := keyed.Mix(keyed.Mix(seed+keyed.Increment) ^ keyed.Name(name))
	unit := func() float64 {
		key += keyed.Increment
		return (float64(keyed.Mix(key)>>11) + 0.5) / (1 << 53)
	}
	for i := 0; i < len(w); i += 2 {
		size := startDeviation * math.Sqrt(-2*math.Log(unit()))
		sin, cos := math.Sincos(2 * math.Pi * unit())
		w[i] = float32(size * cos)
		if i+1 < len(w) {
			w[i+1] = float32(size * sin)
		}
	}
}
