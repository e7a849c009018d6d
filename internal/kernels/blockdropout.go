package kernels

import "ft/internal/keyed"

// dropLimit turns a probability into a bound on 16-bit words: a feature whose word lies below is dropped.
func dropLimit(prob float32) uint32 { return uint32(prob*65536 + 0.5) }

// dropMask sets v's columns, those of group n, to scale or, where they are dropped, to zero. One word of SplitMix64
// serves four columns; word i, counted from 0, is keyed.Mix(key + (i+1)·keyed.Increment).
func dropMask(v *group, n int, key uint64, limit uint32, scale float32) {
	key += uint64(n*PanelCols/4) * keyed.Increment
	for i := 0; i < PanelCols; i += 4 {
		key += keyed.Increment
		word := keyed.Mix(key)
		for j := range 4 {
			v[i+j] = scale
			if uint32(word>>(16*j)&0xffff) < limit {
				v[i+j] = 0
			}
		}
	}
}

func dropTilesGeneric(dst, src []float32, keys []uint64, cols int, prob float32, prec Precision) {
	limit, scale := dropLimit(prob), 1/(1-prob)
	var v, mask group
	for r, key := range keys {
		for n := range groups(cols) {
			v.read(src, n, r, prec)
			dropMask(&mask, n, key, limit, scale)
			for i, m := range mask {
				if m == 0 {
					v[i] = 0
				} else {
					v[i] *= m
				}
			}
			v.write(dst, n, r, prec)
		}
	}
	clearRows(dst[:words(groups(cols), prec)], len(keys))
}

func dropAddGeneric(dst []float32, ld int, src []float32, rowStep, groupStep int, keys []uint64, cols int, prob float32) {
	for r, key := range keys {
		dropAddRow(dst[r*ld:][:cols], src[r*rowStep:], groupStep, key, 0, prob)
	}
}

// dropAddRow does the groups from number first on; dst and src begin with those.
func dropAddRow(dst, src []float32, groupStep int, key uint64, first int, prob float32) {
	limit, scale := dropLimit(prob), 1/(1-prob)
	var mask group
	for n := range groups(len(dst)) {
		dropMask(&mask, first+n, key, limit, scale)
		d := dst[n*PanelCols : min(len(dst), (n+1)*PanelCols)]
		for i, x := range src[n*groupStep:][:len(d)] {
			if m := mask[i]; m != 0 {
				d[i] += float32(x * m)
			}
		}
	}
}
