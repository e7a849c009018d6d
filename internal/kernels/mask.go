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
	row := make([]float32, (f+3)/4*4)
	for _, key := range m.Keys {
		factors(row, key, 0, m.Prob)
		out = append(out, row[:f]...)
	}
	return out
}

// rows is the keys of a strip's rows.
func (m Mask) rows(strip int) []uint64 {
	return m.Keys[strip*StripRows : min(len(m.Keys), (strip+1)*StripRows)]
}

// dropLimit turns a probability into a bound on 16-bit words.
func dropLimit(prob float32) uint64 { return uint64(prob*65536 + 0.5) }

// factors writes the mask's factors of features 4·word to 4·word+len(f) of a row; len(f) is a multiple of 4.
func factors(f []float32, key uint64, word int, prob float32) {
	limit, keep := dropLimit(prob), 1/(1-prob)
	key += uint64(word) * keyed.Increment
	for i := 0; i < len(f); i += 4 {
		key += keyed.Increment
		w := keyed.Mix(key)
		for j := range 4 {
			f[i+j] = keep
			if w>>(16*j)&0xffff < limit {
				f[i+j] = 0
			}
		}
	}
}

// maskTiles writes the masked blocks of part of a strip, whose first column is feature 4·word, to dst.
func maskTiles(dst, src []float32, keys []uint64, word, blocks int, prec Precision, prob float32) {
	var f [32]float32
	w := prec.Width()
	for r, key := range keys {
		for b := range blocks {
			at := b*blockWords + r*rowWords
			factors(f[:w], key, word+b*w/4, prob)
			if prec == F32 {
				for i, v := range src[at : at+16] {
					dst[at+i] = v * f[i]
				}
				continue
			}
			d := halves(dst[at : at+16])
			for i, v := range halves(src[at : at+16]) {
				d[i] = toBF16(fromBF16(v) * f[i])
			}
		}
	}
	for b := range blocks {
		clear(dst[b*blockWords+len(keys)*rowWords : (b+1)*blockWords])
	}
}

// maskAdd adds masked panels of C, the first of which begins with feature 4·word, to c.
func maskAdd(c, add []float32, keys []uint64, word, panels int, prob float32) {
	var f [PanelCols]float32
	for r, key := range keys {
		for p := range panels {
			factors(f[:], key, word+p*PanelCols/4, prob)
			at := p*resultSize + r*PanelCols
			row := c[at : at+PanelCols]
			for i, v := range add[at : at+PanelCols] {
				row[i] += float32(v * f[i])
			}
		}
	}
}
