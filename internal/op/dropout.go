package op

import (
	"ft/internal/kernels"
	"ft/internal/keyed"
)

// Dropout masks are a function of (seed, step, sample, position, module, feature) and of nothing else, so
// packing, threads, backends and resumption cannot change them. One 64-bit word serves four features.

// rowKey is the start of one token's mask words in one module.
func (p *Pass) rowKey(module, sample uint64, pos int32) uint64 {
	k := keyed.Mix(p.Seed + keyed.Increment)
	for _, v := range [...]uint64{p.Step, sample, uint64(pos), module} {
		k = keyed.Mix(k ^ keyed.Mix(v+keyed.Increment))
	}
	return k
}

// dropThreshold turns a probability into a bound on 16-bit words.
func dropThreshold(prob float32) uint32 { return uint32(prob*65536 + 0.5) }

// dropRow writes src with dropped features set to zero and the others scaled by 1/(1-prob); with add it adds
// that to dst instead.
func dropRow(dst, src []float32, key uint64, prob float32, add bool) {
	limit, scale := dropThreshold(prob), 1/(1-prob)
	var word uint64
	for i, v := range src {
		if i&3 == 0 {
			key += keyed.Increment
			word = keyed.Mix(key)
		}
		if uint32(word&0xffff) < limit {
			v = 0
		} else {
			v *= scale
		}
		word >>= 16
		if add {
			dst[i] += v
		} else {
			dst[i] = v
		}
	}
}

// dropRows applies l's dropout to src [T,d] into dst (or adds it).
func (p *Pass) dropRows(dst, src []float32, d int, l *Linear, add bool) {
	blocks := p.blocks()
	kernels.Parallel(len(blocks), func(i int) {
		b := blocks[i]
		for t := b.lo; t < b.hi; t++ {
			key := p.rowKey(l.Key, p.Keys[b.sample], p.Pos[t])
			dropRow(dst[t*d:(t+1)*d], src[t*d:(t+1)*d], key, l.Delta.Dropout, add)
		}
	})
}
