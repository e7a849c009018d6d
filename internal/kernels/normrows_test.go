package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ft/internal/quant"
)

// layerRow is layer norm of a row in float64.
func layerRow(x []float64, gain, bias []float32, eps float64) []float64 {
	mean, square := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		square += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v-mean)/math.Sqrt(square+eps)*float64(gain[i]) + float64(bias[i])
	}
	return y
}

func wideRow(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// TestLayerNorm compares rows with float64 and gradients with finite differences. A row's bits do not depend on the other rows.
func TestLayerNorm(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		const eps = 1e-5
		for _, s := range [][2]int{{1, 3}, {33, 70}, {5, 64}} {
			rows, d := s[0], s[1]
			x, gain, bias, dh := randoms(r, rows*d), randoms(r, d), randoms(r, d), randoms(r, rows*d)
			for i := range x {
				x[i] += 3
			}
			h, whole := emptyAct(rows, d, prec)
			xhat, wholeHat := emptyAct(rows, d, prec)
			inv, dx := make([]float32, rows), slices.Clone(dh)
			LayerNorm(h, xhat, inv, x, gain, bias, eps)
			LayerNormGrad(dx, dh, xhat, inv, gain)
			alone := make([]float32, d)
			for i := range rows {
				row := wideRow(x[i*d : (i+1)*d])
				want := layerRow(row, gain, bias, eps)
				LayerNormRows(alone, x[i*d:(i+1)*d], gain, bias, 1, d, eps)
				for j, w := range want {
					nearTile(t, fmt.Sprint(s), h.At(i, j), w, 1, 1e-5, prec)
					near(t, "alone", alone[j], w, 1, 1e-5)
				}
				tol := 2e-4
				if prec == BF16 {
					tol = 0.05 // xhat is rounded
				}
				for j, keep := range row {
					const step = 1e-5
					slope := 0.0
					row[j] = keep + step
					up := layerRow(row, gain, bias, eps)
					row[j] = keep - step
					for q, v := range layerRow(row, gain, bias, eps) {
						slope += float64(dh[i*d+q]) * (up[q] - v) / (2 * step)
					}
					row[j] = keep
					near(t, fmt.Sprint(s, " gradient"), dx[i*d+j], float64(dh[i*d+j])+slope, 1, tol)
				}
				one, _ := emptyAct(1, d, prec)
				hat, _ := emptyAct(1, d, prec)
				LayerNorm(one, hat, make([]float32, 1), x[i*d:(i+1)*d], gain, bias, eps)
				for j := range d {
					if one.At(0, j) != h.At(i, j) {
						t.Fatalf("%v: row %d differs alone", s, i)
					}
				}
			}
			zeroPadding(t, "h", h)
			if zeroPadding(t, "xhat", xhat); !whole() || !wholeHat() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

// TestNormKeep: rows in place are what Norm gives, and so is what is left for the gradient. Widened gives tiles as rows.
func TestNormKeep(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range actShapes {
			rows, d := s[0], s[1]
			x, gain := randoms(r, rows*d), randoms(r, d)
			hat, whole := emptyAct(rows, d, prec)
			inv, y, wide := make([]float32, rows), slices.Clone(x), make([]float32, rows*d)
			NormKeep(y, hat, inv, gain, 1e-5)
			Widened(wide, hat)
			for i := range rows {
				for j, w := range rmsRow(wideRow(x[i*d:(i+1)*d]), gain, 1e-5) {
					near(t, fmt.Sprint(s), y[i*d+j], w, 1, 1e-5)
					nearTile(t, fmt.Sprint(s, " xhat"), hat.At(i, j), float64(x[i*d+j])*float64(inv[i]), 1, 1e-5, prec)
					if wide[i*d+j] != hat.At(i, j) {
						t.Fatalf("%v: Widened at %d,%d", s, i, j)
					}
				}
			}
			if zeroPadding(t, "xhat", hat); !whole() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

// TestActivate compares both activations, with a gate and without, with float64.
func TestActivate(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, _ Precision) {
		gate := append(randoms(r, 100), 0, -1e5, 1e5, 30, -30, 88, -88)
		up := randoms(r, len(gate))
		for act, f := range map[Activation]func(x float64) float64{
			SiLU:     func(x float64) float64 { return x / (1 + math.Exp(-x)) },
			GELUTanh: func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) },
		} {
			gated, plain := make([]float32, len(gate)), slices.Clone(gate)
			Activate(gated, gate, up, act)
			Activate(plain, plain, nil, act)
			for i, x := range gate {
				want := f(float64(x))
				near(t, fmt.Sprint(act, " of ", x), plain[i], want, math.Abs(want), 1e-6)
				near(t, fmt.Sprint(act, " gated of ", x), gated[i], want*float64(up[i]), math.Abs(want*float64(up[i])), 1e-6)
			}
		}
	})
}

// TestSoftCap compares with float64, also where vectors are not whole blocks.
func TestSoftCap(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, _ Precision) {
		for _, n := range []int{1, 1000, 1024, 3000} {
			const limit = 2.5
			x, dy := randoms(r, n), randoms(r, n)
			y, dx := slices.Clone(x), slices.Clone(dy)
			SoftCap(y, limit)
			SoftCapGrad(dx, y, limit)
			for i, v := range x {
				tanh := math.Tanh(float64(v) / limit)
				near(t, fmt.Sprint(n), y[i], limit*tanh, limit, 1e-6)
				near(t, fmt.Sprint(n, " gradient"), dx[i], float64(dy[i])*(1-tanh*tanh), 1, 3e-6)
			}
		}
	})
}

// TestSink_acted: an activation without a gate is one whose other half is one everywhere.
func TestSink_acted(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range sinkShapes {
			m, n := s[0], s[1]
			fill, want := randomTerms(t, r, m, n, prec, false)
			acts, whole := make([]Act, 4), make([]func() bool, 4)
			for i := range acts {
				acts[i], whole[i] = emptyAct(m, n, prec)
			}
			up, out, dup, again := acts[0], acts[1], acts[2], acts[3]
			run := func(sink Sink) {
				p := Product{M: m, N: n, Prec: prec, Sink: sink}
				fill(&p)
				p.Run()
			}
			run(Sink{Kind: ToActed, Act: GELUTanh, Up: up, Out: out})
			run(Sink{Kind: ToActedGrad, Act: GELUTanh, Up: up, DUp: dup, Out: again})
			gelu := func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) }
			for i := range m {
				for j := range n {
					c, bound := want.want[i*n+j], want.bound(i*n+j)
					nearTile(t, fmt.Sprint(s, " up"), up.At(i, j), c, 1, bound+1e-6, prec)
					nearTile(t, fmt.Sprint(s), out.At(i, j), gelu(c), 1, 1.2*bound+3e-6, prec)
					x := float64(up.At(i, j)) // as the backward pass reads it
					slope := (gelu(x+1e-5) - gelu(x-1e-5)) / 2e-5
					nearTile(t, fmt.Sprint(s, " gradient"), dup.At(i, j), c*slope, 1+math.Abs(c), 1.2*bound+1e-5, prec)
					nearTile(t, fmt.Sprint(s, " again"), again.At(i, j), gelu(x), 1, 3e-6, prec)
				}
			}
			for i, a := range acts {
				if zeroPadding(t, fmt.Sprint(s), a); !whole[i]() {
					t.Fatalf("%v: wrote past the end", s)
				}
			}
		}
	})
}

// TestMatrix_slice: rows of a slice are the matrix's, replaced ones included, in float32 and where rows are blocks.
func TestMatrix_slice(t *testing.T) {
	const rows, cols = 7, 64
	values := randoms(rand.New(rand.NewPCG(1, 2)), rows*cols)
	data := make([]byte, quant.Q8_0.RowBytes(rows*cols))
	quant.Quantize(data, quant.Q8_0, values)
	blocks, err := NewMatrix(rows, cols, quant.Q8_0, data)
	if err != nil {
		t.Fatal(err)
	}
	own := make([]float32, 2*cols)
	for _, m := range []*Matrix{FromFloat32(rows, cols, values), blocks, blocks.WithRows([]int32{1, 4}, own)} {
		s, want, got := m.Slice(2, 6), make([]float32, cols), make([]float32, cols)
		if s.Rows != 4 || s.Cols != cols {
			t.Fatalf("slice [%d,%d]", s.Rows, s.Cols)
		}
		s.check("slice")
		for r := range s.Rows {
			m.Row(want, r+2)
			s.Row(got, r)
			if !slices.Equal(got, want) {
				t.Errorf("%v: row %d differs", m.Type, r)
			}
		}
	}
}
