package kernels

import "ft/internal/keyed"

// Mask is dropout of activations [T,F]: feature f of row t is zero with probability Prob and otherwise multiplied by
// 1/(1-Prob), depending on Keys[t], f and nothing else. One 64-bit word, the (f/4+1)-th output of SplitMix64 from the
// state Keys[t], serves four features. The zero value leaves everything as it is.
type Mask struct {
	Keys []uint64
	Prob float32
}

// on reports whether the mask does anything.
func (m Mask) on() bool { return m.Prob > 0 }

// Factors is what the mask multiplies [T,f] activations with.
func (m Mask) Factors(f int) []float32 {
	out := make([]float32, 0, len(m.Keys)*f)
	var v group
	for _, key := range m.Keys {
		for n := range groups(f) {
			dropMask(&v, n, key, dropLimit(m.Prob), 1/(1-m.Prob))
			out = append(out, v[:min(PanelCols, f-n*PanelCols)]...)
		}
	}
	return out
}

// rows is the keys of a strip's rows.
func (m Mask) rows(strip int) []uint64 {
	return m.Keys[strip*StripRows : min(len(m.Keys), (strip+1)*StripRows)]
}

// keys is the keys of a strip's rows, moved on to a feature, a multiple of 4. tmp has room for them.
func (m Mask) keys(tmp *[StripRows]uint64, strip, feature int) []uint64 {
	n := copy(tmp[:], m.rows(strip))
	for i := range tmp[:n] {
		tmp[i] += uint64(feature/4) * keyed.Increment
	}
	return tmp[:n]
}

// add adds masked panels lo to hi of one strip's C to c.
func (m Mask) add(be *backend, s *scratch, c, add []float32, strip, lo, hi int) {
	for p := lo; p < hi; p++ {
		at := (p - lo) * resultSize
		be.ops.dropAdd(c[at:at+resultSize], PanelCols, add[at:at+resultSize], PanelCols, 0, m.keys(&s.keys, strip, p*PanelCols), PanelCols, m.Prob)
	}
}
