package kernels

import "math"

func storeRowsGeneric(dst, src []float32, ld int, c []float32, rows, cols int, alpha float32) {
	for j := 0; j < cols; j += PanelCols {
		n := min(PanelCols, cols-j)
		block := c[j/PanelCols*resultSize:]
		for r := range rows {
			d, v := dst[r*ld+j:r*ld+j+n], block[r*PanelCols:r*PanelCols+n]
			if src == nil {
				for i := range d {
					d[i] = alpha * v[i]
				}
				continue
			}
			s := src[r*ld+j : r*ld+j+n]
			for i := range d {
				d[i] = s[i] + float32(alpha*v[i])
			}
		}
	}
}

func storeRowsTGeneric(dst []float32, ld int, c []float32, rows, cols int, alpha float32) {
	for n := range cols {
		for r := range rows {
			dst[n*ld+r] += float32(alpha * c[n/PanelCols*resultSize+r*PanelCols+n%PanelCols])
		}
	}
}

// tileAt reads element (r, n) of blocks of a strip.
func tileAt(t []float32, prec Precision, r, n int) float32 {
	if prec == BF16 {
		return fromBF16(halves(t)[n/32*1024+r*32+n%32])
	}
	return t[n/16*blockWords+r*16+n%16]
}

func setTile(t []float32, prec Precision, r, n int, v float32) {
	if prec == BF16 {
		halves(t)[n/32*1024+r*32+n%32] = toBF16(v)
		return
	}
	t[n/16*blockWords+r*16+n%16] = v
}

func storeGeneric(dst, c []float32, panels int, prec Precision, alpha float32) {
	for n := range panels * PanelCols {
		for r := range StripRows {
			setTile(dst, prec, r, n, alpha*c[n/PanelCols*resultSize+r*PanelCols+n%PanelCols])
		}
	}
}

func gatedGeneric(gate, up, out, cg, cu []float32, panels int, prec Precision) {
	for n := range panels * PanelCols {
		for r := range StripRows {
			at := n/PanelCols*resultSize + r*PanelCols + n%PanelCols
			g, u := cg[at], cu[at]
			setTile(gate, prec, r, n, g)
			setTile(up, prec, r, n, u)
			setTile(out, prec, r, n, g/(1+float32(math.Exp(float64(-g))))*u)
		}
	}
}

func gatedGradGeneric(dgate, dup, out, gate, up, c []float32, panels int, prec Precision) {
	for n := range panels * PanelCols {
		for r := range StripRows {
			d := c[n/PanelCols*resultSize+r*PanelCols+n%PanelCols]
			g, u := tileAt(gate, prec, r, n), tileAt(up, prec, r, n)
			s := 1 / (1 + float32(math.Exp(float64(-g))))
			setTile(dup, prec, r, n, d*g*s)
			setTile(dgate, prec, r, n, d*u*(s+s*g*(1-s)))
			if out != nil {
				setTile(out, prec, r, n, g*s*u)
			}
		}
	}
}
