package op

import (
	"ft/internal/kernels"
	"ft/internal/keyed"
)

// Dropout masks are a function of (seed, step, sample, position, module, feature) and of nothing else, so
// packing, threads, backends and resumption cannot change them.

// rowKey is the start of one token's mask words in one module.
func (p *Pass) rowKey(module, sample uint64, pos int32) uint64 {
	k := keyed.Mix(p.Seed + keyed.Increment)
	for _, v := range [...]uint64{p.Step, sample, uint64(pos), module} {
		k = keyed.Mix(k ^ keyed.Mix(v+keyed.Increment))
	}
	return k
}

// mask is the dropout of l's slot in this pass, the zero Mask if there is none. Its keys live in the arena.
func (p *Pass) mask(l *Linear) kernels.Mask {
	if !p.Train || l.Delta == nil || l.Delta.Dropout <= 0 {
		return kernels.Mask{}
	}
	keys := p.Arena.Words(p.T)
	for s, end := range p.Starts[1:] {
		for t := p.Starts[s]; t < end; t++ {
			keys[t] = p.rowKey(l.Key, p.Keys[s], p.Pos[t])
		}
	}
	return kernels.Mask{Keys: keys, Prob: l.Delta.Dropout}
}
