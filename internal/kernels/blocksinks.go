package kernels

// Gates are held above the first bound, where 1/(1+exp(-gate)) is still a normal number and the activation, at 1e-36,
// is as good as zero. The second keeps squares finite where the sigmoid is 1 already.
const (
	gateBottom = -87
	gateTop    = 87
	decayEnd   = 104.5 // exp(-104.5) is 0
)

// The tanh approximation of GELU (Hendrycks and Gimpel 2016, arXiv:1606.08415), x/2·(1+tanh(√(2/π)·(x+0.044715x³))),
// is x·sigmoid(x·(gelu1 + gelu3·x²)), and the argument's derivative is gelu1 + gelu9·x².
const (
	gelu1 = 1.5957691
	gelu3 = gelu1 * 0.044715
	gelu9 = 3 * gelu3
)

// gateValue returns the gate held above gateBottom, the sigmoid s that it is multiplied with, 1-s, and the derivative
// of the sigmoid's argument.
func gateValue(g float32, act Activation) (held, s, rest, slope float32) {
	held = max(g, gateBottom)
	z := held
	slope = 1
	if act == GELUTanh {
		x := min(held, gateTop)
		slope = gelu1 + gelu9*x*x
		z = max(x*(gelu1+gelu3*x*x), gateBottom)
	}
	e := exp32(-min(z, decayEnd))
	s = 1 / (1 + e)
	return held, s, e * s, slope
}

func storeGeneric(dst, c []float32, panels int, prec Precision, alpha float32) {
	var v group
	for n := range panels {
		for r := range StripRows {
			for i, x := range c[n*resultSize+r*PanelCols:][:PanelCols] {
				v[i] = alpha * x
			}
			v.write(dst, n, r, prec)
		}
	}
}

func gatedGeneric(gate, up, out, cg, cu []float32, panels int, prec Precision, act Activation) {
	var g, u, y group
	for n := range panels {
		for r := range StripRows {
			copy(g[:], cg[n*resultSize+r*PanelCols:][:PanelCols])
			copy(u[:], cu[n*resultSize+r*PanelCols:][:PanelCols])
			for i := range y {
				held, s, _, _ := gateValue(g[i], act)
				y[i] = held * s * u[i]
			}
			g.write(gate, n, r, prec)
			u.write(up, n, r, prec)
			y.write(out, n, r, prec)
		}
	}
}

func gatedGradGeneric(dgate, dup, out, gate, up, c []float32, panels int, prec Precision, act Activation) {
	var g, u, dg, du, y group
	for n := range panels {
		for r := range StripRows {
			g.read(gate, n, r, prec)
			u.read(up, n, r, prec)
			for i, d := range c[n*resultSize+r*PanelCols:][:PanelCols] {
				held, s, rest, slope := gateValue(g[i], act)
				a := held * s
				du[i] = d * a
				y[i] = a * u[i]
				dg[i] = d * u[i] * (s + a*rest*slope)
			}
			dg.write(dgate, n, r, prec)
			du.write(dup, n, r, prec)
			if out != nil {
				y.write(out, n, r, prec)
			}
		}
	}
}

// storeRowsGeneric rounds the product and the sum; the assembly does too, so that it can leave edges to this.
func storeRowsGeneric(dst, src []float32, ld int, c []float32, rows, cols int, alpha float32) {
	for j := 0; j < cols; j += PanelCols {
		n := min(PanelCols, cols-j)
		for r := range rows {
			d, v := dst[r*ld+j:][:n], c[j/PanelCols*resultSize+r*PanelCols:][:n]
			if src == nil {
				for i, x := range v {
					d[i] = alpha * x
				}
				continue
			}
			s := src[r*ld+j:][:n]
			for i, x := range v {
				d[i] = s[i] + float32(alpha*x)
			}
		}
	}
}

func storeRowsTGeneric(dst []float32, ld int, c []float32, rows, cols int, alpha float32) {
	for n := range cols {
		block := c[n/PanelCols*resultSize+n%PanelCols:]
		for r, d := range dst[n*ld:][:rows] {
			dst[n*ld+r] = d + float32(alpha*block[r*PanelCols])
		}
	}
}
