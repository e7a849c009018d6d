package arith

import (
	"math"

	"ft/internal/keyed"
)

// tensor is one adapter's values with its weight.
type tensor struct {
	values []float32
	weight float64
	key    uint64 // of what is drawn for it
}

// pruning says what stays of a tensor's values at a density below 1: it returns a changed copy.
type pruning func(t tensor, density float64) []float32

// key is the key of an adapter's draws for a tensor.
func key(seed uint64, index int, module, part string) uint64 {
	k := keyed.Mix(seed + keyed.Increment)
	k = keyed.Mix(k ^ uint64(index+1)*keyed.Increment)
	return keyed.Mix(k ^ keyed.Name(module+"/"+part))
}

// largest keeps the int(density·n) values of the largest magnitude, of equal ones those that come first.
func largest(t tensor, density float64) []float32 {
	out := make([]float32, len(t.values))
	keep := int(density * float64(len(t.values)))
	if keep == 0 {
		return out
	}
	least, above := kthLargest(t.values, keep)
	level := keep - above // of those with exactly that magnitude
	for i, v := range t.values {
		switch bits := magnitude(v); {
		case bits > least:
			out[i] = v
		case bits == least && level > 0:
			out[i] = v
			level--
		}
	}
	return out
}

// magnitude orders values as |v| does.
func magnitude(v float32) uint32 { return math.Float32bits(v) &^ (1 << 31) }

// kthLargest is the magnitude of the k-th largest value, k from 1, and how many are above it: two counts, of the upper 16 and then of
// the lower 15 bits.
func kthLargest(values []float32, k int) (bits uint32, above int) {
	const low = 15
	counts := make([]int, 1<<16)
	for _, v := range values {
		counts[magnitude(v)>>low]++
	}
	top := len(counts) - 1
	for ; above+counts[top] < k; top-- {
		above += counts[top]
	}
	rest := make([]int, 1<<low)
	for _, v := range values {
		if m := magnitude(v); m>>low == uint32(top) {
			rest[m&(1<<low-1)]++
		}
	}
	at := len(rest) - 1
	for ; above+rest[at] < k; at-- {
		above += rest[at]
	}
	return uint32(top)<<low | uint32(at), above
}

// drop keeps each value with the probability density and divides it by it, so that the expected value stays.
func drop(t tensor, density float64) []float32 {
	out := make([]float32, len(t.values))
	k := t.key
	for i, v := range t.values {
		k += keyed.Increment
		if float64(keyed.Mix(k)>>11)/(1<<53) < density {
			out[i] = float32(float64(v) / density)
		}
	}
	return out
}

// mix prunes tensors of one shape, elects signs if the combination does, and adds up what is left with the weights. Signs are elected
// without the weights, and 0 votes for plus.
func (c combination) mix(ts []tensor, o Options) []float32 {
	pruned := make([][]float32, len(ts))
	for i, t := range ts {
		pruned[i] = t.values
		if c.prune != nil && o.Density < 1 {
			pruned[i] = c.prune(t, o.Density)
		}
	}
	out := make([]float32, len(ts[0].values))
	for at := range out {
		positive := !c.elect || elected(pruned, at, o.Majority)
		sum, count := 0.0, 0
		for i, p := range pruned {
			v := p[at]
			if c.elect && (v == 0 || v > 0 != positive) {
				continue
			}
			sum += ts[i].weight * float64(v)
			count++
		}
		if c.elect && count > 1 {
			sum /= float64(count)
		}
		out[at] = float32(sum)
	}
	return out
}

// elected reports whether the values at a position vote for plus.
func elected(pruned [][]float32, at int, majority string) bool {
	sum := 0.0
	for _, p := range pruned {
		v := float64(p[at])
		if majority == "frequency" && v != 0 {
			v = math.Copysign(1, v)
		}
		sum += v
	}
	return sum >= 0
}
