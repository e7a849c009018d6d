package lora

import (
	"math"

	"ft/internal/keyed"
)

// fillUniform fills a [r,in] with draws from U(-1/√in, 1/√in), PEFT's start for A: Kaiming-uniform with a = √5 (He
// et al. 2015, arXiv:1502.01852). The draws are counter-based, so a module's values depend on the seed and
// its path alone, not on what else is adapted; they are not PyTorch's.
func fillUniform(a []float32, in int, seed uint64, module string) {
	key := start(seed, module)
	bound := 1 / math.Sqrt(float64(in))
	for i := range a {
		key += keyed.Increment
		a[i] = float32((2*unit(key) - 1) * bound)
	}
}

// fillNormal fills a [r,in] with draws of mean 0 and deviation 1/r, PEFT's "gaussian" start for A: two at a time, of Box and Muller.
func fillNormal(a []float32, r int, seed uint64, module string) {
	key := start(seed, module)
	for i := 0; i < len(a); i += 2 {
		key += keyed.Increment
		size := math.Sqrt(-2*math.Log(unit(key))) / float64(r)
		key += keyed.Increment
		sin, cos := math.Sincos(2 * math.Pi * unit(key))
		a[i] = float32(size * cos)
		if i+1 < len(a) {
			a[i+1] = float32(size * sin)
		}
	}
}

// start is the key of a module's draws.
func start(seed uint64, module string) uint64 {
	return keyed.Mix(keyed.Mix(seed+keyed.Increment) ^ keyed.Name(module))
}

// unit is the draw of a key, from the open interval (0,1).
func unit(key uint64) float64 { return (float64(keyed.Mix(key)>>11) + 0.5) / (1 << 53) }
