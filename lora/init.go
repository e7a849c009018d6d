package lora

import (
	"math"

	"ft/internal/keyed"
)

// fillUniform fills a [r,in] with draws from U(-1/√in, 1/√in), PEFT's start for A: Kaiming-uniform with a = √5 (He
// et al. 2015, arXiv:1502.01852). The draws are counter-based, so a module's values depend on the seed and
// its path alone, not on what else is adapted; they are not PyTorch's.
func fillUniform(a []float32, in int, seed uint64, module string) {
	key := keyed.Mix(keyed.Mix(seed+keyed.Increment) ^ keyed.Name(module))
	bound := 1 / math.Sqrt(float64(in))
	for i := range a {
		key += keyed.Increment
		unit := (float64(keyed.Mix(key)>>11) + 0.5) / (1 << 53)
		a[i] = float32((2*unit - 1) * bound)
	}
}
