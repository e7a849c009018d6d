//go:build !purego

package kernels

import (
	"unsafe"

	"ft/internal/quant"
)

// rowsFunc is a rows function of decode_amd64.go.
type rowsFunc func(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

// asmCoder is the assembly for one number format.
type asmCoder struct {
	values     int // of one block
	dequantize func(dst *float32, src *byte, blocks int)
	rows       rowsFunc // for one input row; nil where dequantised rows are multiplied
}

// asmCoders is an instruction set's assembly for all formats, by type; floats[i] multiplies float32 weights with i+1 input rows.
type asmCoders struct {
	types  [quant.BF16 + 1]asmCoder
	floats []rowsFunc
}

var codersAVX512 = &asmCoders{
	types: [...]asmCoder{
		quant.F32:  {1, nil, nil},
		quant.F16:  {32, dequantF16AVX512, rowsF16AVX512},
		quant.BF16: {32, dequantBF16AVX512, rowsBF16AVX512},
		quant.Q8_0: {32, dequantQ8_0AVX512, rowsQ8_0AVX512},
		quant.Q4_0: {32, dequantQ4_0AVX512, rowsQ4_0AVX512},
		quant.Q4_1: {32, dequantQ4_1AVX512, rowsQ4_1AVX512},
		quant.Q5_0: {32, dequantQ5_0AVX512, rowsQ5_0AVX512},
		quant.Q5_1: {32, dequantQ5_1AVX512, rowsQ5_1AVX512},
		quant.Q2_K: {256, dequantQ2_KAVX512, nil},
		quant.Q3_K: {256, dequantQ3_KAVX512, nil},
		quant.Q4_K: {256, dequantQ4_KAVX512, rowsQ4_KAVX512},
		quant.Q5_K: {256, dequantQ5_KAVX512, rowsQ5_KAVX512},
		quant.Q6_K: {256, dequantQ6_KAVX512, rowsQ6_KAVX512},
	},
	floats: []rowsFunc{rowsF32AVX512, rowsF32x2AVX512, rowsF32x3AVX512, rowsF32x4AVX512},
}

var codersAVX2 = &asmCoders{
	types: [...]asmCoder{
		quant.F32:  {1, nil, nil},
		quant.F16:  {32, dequantF16AVX2, rowsF16AVX2},
		quant.BF16: {32, dequantBF16AVX2, rowsBF16AVX2},
		quant.Q8_0: {32, dequantQ8_0AVX2, rowsQ8_0AVX2},
		quant.Q4_0: {32, dequantQ4_0AVX2, rowsQ4_0AVX2},
		quant.Q4_1: {32, dequantQ4_1AVX2, rowsQ4_1AVX2},
		quant.Q5_0: {32, dequantQ5_0AVX2, rowsQ5_0AVX2},
		quant.Q5_1: {32, dequantQ5_1AVX2, rowsQ5_1AVX2},
		quant.Q2_K: {256, dequantQ2_KAVX2, nil},
		quant.Q3_K: {256, dequantQ3_KAVX2, nil},
		quant.Q4_K: {256, dequantQ4_KAVX2, rowsQ4_KAVX2},
		quant.Q5_K: {256, dequantQ5_KAVX2, rowsQ5_KAVX2},
		quant.Q6_K: {256, dequantQ6_KAVX2, rowsQ6_KAVX2},
	},
	floats: []rowsFunc{rowsF32AVX2, rowsF32x2AVX2},
}

// dequantize is backend.dequantize.
func (a *asmCoders) dequantize(dst []float32, t quant.Type, src []byte) {
	c := &a.types[t]
	blocks := len(dst) / c.values
	if c.dequantize == nil || blocks == 0 {
		quant.Dequantize(dst, t, src)
		return
	}
	_ = src[t.RowBytes(len(dst))-1]
	c.dequantize(&dst[0], &src[0], blocks)
	if done := blocks * c.values; done < len(dst) {
		quant.Dequantize(dst[done:], t, src[t.RowBytes(done):])
	}
}

// rows is backend.rows.
func (a *asmCoders) rows(be *backend, dst, x []float32, t int, w *Matrix, lo, hi int, tmp *[]float32) {
	for lo < hi {
		n, step := w.run(lo, hi)
		a.run(be, dst[lo:], x, t, w, w.stored(lo, 0, w.Cols), step, lo, n, tmp)
		lo += n
	}
}

// run is how many logical rows from lo on lie equally far apart in memory, and how far in bytes.
func (m *Matrix) run(lo, hi int) (n, step int) {
	row := m.Type.RowBytes(m.Cols)
	if m.Perm == nil || hi-lo == 1 {
		return hi - lo, row
	}
	d := m.Perm[lo+1] - m.Perm[lo]
	for n = 2; lo+n < hi && m.Perm[lo+n]-m.Perm[lo+n-1] == d; n++ {
	}
	return n, int(d) * row
}

// run does n weight rows from logical row lo on, step bytes apart; first is the first one's bytes.
func (a *asmCoders) run(be *backend, dst, x []float32, t int, w *Matrix, first []byte, step, lo, n int, tmp *[]float32) {
	c, k := &a.types[w.Type], w.Cols
	switch {
	case k == 0 || w.Type == quant.F32:
		a.multiply(dst, w.Rows, x, k, t, unsafe.Pointer(unsafe.SliceData(first)), step, n, k)
	case t == 1 && c.rows != nil && k%c.values == 0:
		c.rows(&dst[0], w.Rows, &x[0], k, &first[0], step, n, k/c.values)
	default:
		a.dequantised(dst, x, t, w, lo, n, tmp)
	}
}

// dequantised multiplies by way of dequantised rows, few enough to stay in the first-level cache.
func (a *asmCoders) dequantised(dst, x []float32, t int, w *Matrix, lo, n int, tmp *[]float32) {
	k := w.Cols
	*tmp = Grow(*tmp, rowGroup*k)
	v := *tmp
	for r := 0; r < n; r += rowGroup {
		m := min(rowGroup, n-r)
		for i := range m {
			a.dequantize(v[i*k:(i+1)*k], w.Type, w.stored(lo+r+i, 0, k))
		}
		a.multiply(dst[r:], w.Rows, x, k, t, unsafe.Pointer(&v[0]), 4*k, m, k)
	}
}

// multiply does all t input rows with n weight rows of k float32.
func (a *asmCoders) multiply(dst []float32, dstStep int, x []float32, xStep, t int, w unsafe.Pointer, wStep, n, k int) {
	for i := 0; i < t && n > 0; {
		m := min(t-i, len(a.floats))
		_, _ = dst[:(i+m-1)*dstStep+n], x[:(i+m-1)*xStep+k]
		a.floats[m-1](&dst[i*dstStep], dstStep, unsafe.SliceData(x[i*xStep:]), xStep, (*byte)(w), wStep, n, k)
		i += m
	}
}

// dots is backend.dots.
func (a *asmCoders) dots(dst []float32, dstStep int, x []float32, xStep, n int, w []float32, wStep, m, k int) {
	if m > 0 {
		_ = w[:(m-1)*wStep+k]
		a.multiply(dst, dstStep, x, xStep, n, unsafe.Pointer(unsafe.SliceData(w)), 4*wStep, m, k)
	}
}

// assemblyMix is the mix functions by their number of sums, less one.
type assemblyMix [4]func(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

// mix is backend.mix.
func (f assemblyMix) mix(dst []float32, dstStep int, p []float32, pStep, n int, v []float32, vStep, m, d int) {
	whole := d &^ 15
	if n == 0 || m == 0 || whole == 0 {
		mixGeneric(dst, dstStep, p, pStep, n, v, vStep, m, d)
		return
	}
	_, _, _ = dst[(n-1)*dstStep+d-1], p[(n-1)*pStep+m-1], v[(m-1)*vStep+d-1]
	for i := 0; i < n; {
		sums := min(n-i, len(f))
		f[sums-1](&dst[i*dstStep], dstStep, &p[i*pStep], pStep, &v[0], vStep, m, whole)
		i += sums
	}
	if whole < d {
		mixGeneric(dst[whole:], dstStep, p, pStep, n, v[whole:], vStep, m, d-whole)
	}
}

// assemblyGain is one of the gain functions.
type assemblyGain func(dst, x, gain *float32, n int, r float32)

// gain is backend.gain.
func (f assemblyGain) gain(dst, x, gain []float32, r float32) {
	n := len(dst) &^ (lanes - 1)
	if n > 0 {
		_, _ = x[n-1], gain[n-1]
		f(&dst[0], &x[0], &gain[0], n, r)
	}
	gainGeneric(dst[n:], x[n:], gain[n:], r) // two exact roundings either way
}
