package kernels

import "math"

func normGeneric(dst, xhat, inv, x, gain []float32, rows, d int, eps float32, prec Precision) {
	n := groups(d)
	for r := range rows {
		row := x[r*d : (r+1)*d]
		inv[r] = inverseRMS(dotGeneric(row, row), d, eps)
		for g := range n {
			var v, h group
			lo, hi := g*PanelCols, min(d, (g+1)*PanelCols)
			for i, f := range row[lo:hi] {
				v[i] = f * inv[r]
				h[i] = v[i] * gain[lo+i]
			}
			h.write(dst, g, r, prec)
			if xhat != nil {
				v.write(xhat, g, r, prec)
			}
		}
	}
	clearRows(dst[:words(n, prec)], rows)
	if xhat != nil {
		clearRows(xhat[:words(n, prec)], rows)
	}
}

// inverseRMS is 1/rms from a sum of squares of d values.
func inverseRMS(sum float32, d int, eps float32) float32 {
	return float32(1 / math.Sqrt(float64(sum)/float64(d)+float64(eps)))
}

func normBackGeneric(dx, dh, xhat, inv, gain []float32, rows, d int, add bool, prec Precision) {
	n := groups(d)
	for r := range rows {
		out, in := dx[r*d:(r+1)*d], dh[r*d:(r+1)*d]
		var v group
		sum := 0.0
		for g := range n {
			v.read(xhat, g, r, prec)
			lo, hi := g*PanelCols, min(d, (g+1)*PanelCols)
			for i, y := range in[lo:hi] {
				sum += float64(y * gain[lo+i] * v[i])
			}
		}
		mean := float32(sum / float64(d))
		for g := range n {
			v.read(xhat, g, r, prec)
			lo, hi := g*PanelCols, min(d, (g+1)*PanelCols)
			for i, y := range in[lo:hi] {
				t := inv[r] * (y*gain[lo+i] - v[i]*mean)
				if add {
					t += out[lo+i]
				}
				out[lo+i] = t
			}
		}
	}
}

func toTilesGeneric(dst, src []float32, ld, rows, cols int, alpha float32, prec Precision) {
	for r := range rows {
		row := src[r*ld:][:cols]
		for g := range groups(cols) {
			var v group
			for i, x := range row[g*PanelCols : min(cols, (g+1)*PanelCols)] {
				v[i] = alpha * x
			}
			v.write(dst, g, r, prec)
		}
	}
	clearRows(dst[:words(groups(cols), prec)], rows)
}

func ropeGeneric(x []float32, heads, half int, cos, sin []float32, inverse bool) {
	for h := range heads {
		head := x[2*h*half:][:2*half]
		rotate(head[:half], head[half:], cos, sin, inverse)
	}
}
