package lora

import (
	"hash/fnv"
	"math"
)

// fillUniform fills a [r,in] with draws from U(-1/√in, 1/√in), PEFT's start for A: Kaiming-uniform with a = √5 (He
// et al. 2015, arXiv:1502.01852). The draws are counter-based, so a module's values depend on the seed and
// its path alone, not on what else is adapted; they are not PyTorch's.
func fillUniform(a []float32, in int, seed uint64, module string) {
	h := fnv.New64a()
	h.Write([]byte(module))
	key := mix(mix(seed+increment) ^ h.Sum64())
	bound := 1 / math.Sqrt(float64(in))
	for i := range a {
		key += increment
		unit := (float64(mix(key)>>11) + 0.5) / (1 << 53)
		a[i] = float32((2*unit - 1) * bound)
	}
}

const increment = 0x9e3779b97f4a7c15

// mix is the output function of splitmix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
