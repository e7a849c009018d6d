package kernels

import (
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// wholes are small whole numbers: their products and sums are exact in both precisions.
func wholes(r *rand.Rand, n int) []float32 {
	v, _ := onHeap(n)
	for i := range v {
		v[i] = float32(r.IntN(9) - 4)
	}
	return v
}

// TestTiles multiplies strips in all forms.
func TestTiles(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, prec := range []Precision{F32, BF16} {
			for _, cols := range []int{1, 6, 14, 32, 40, 64, 96} {
				testTiles(t, r, prec, cols)
			}
		}
	})
}

func testTiles(t *testing.T, r *rand.Rand, prec Precision, cols int) {
	c := newTilesCase(t, r, prec, cols)
	c.products()
	c.turned()
	c.dots()
}

// tilesCase is matrices a, b [29,cols] and x [29,32], beyond whose rows and columns everything is zero, and their strips.
type tilesCase struct {
	Tiles
	t                *testing.T
	cols, panels     int
	a, b, x          func(i, j int) float32
	as, bs, xs, form []float32
}

func newTilesCase(t *testing.T, r *rand.Rand, prec Precision, cols int) *tilesCase {
	c := &tilesCase{t: t, cols: cols, panels: groups(cols)}
	c.Begin(prec)
	packed := func(cols int) (strip []float32, at func(i, j int) float32) {
		const rows = 29
		ld := cols + 3
		v := wholes(r, rows*ld)
		strip = Grow(nil, c.Words(cols))
		c.Pack(strip, v, ld, rows, cols)
		return strip, func(i, j int) float32 {
			if i < rows && j < cols {
				return v[i*ld+j]
			}
			return 0
		}
	}
	c.as, c.a = packed(cols)
	c.bs, c.b = packed(cols)
	c.xs, c.x = packed(PanelCols)
	c.form = Grow(nil, len(c.as))
	return c
}

// expect compares a result [32,width] with sums of n products.
func (c *tilesCase) expect(what string, result []float32, width, n int, want func(i, j, k int) float32) {
	c.t.Helper()
	for i := range StripRows {
		for j := range width {
			var sum float32
			for k := range n {
				sum += want(i, j, k)
			}
			if got := resultAt(result, i, j); got != sum {
				c.t.Fatalf("%v, %d columns: %s [%d,%d] is %v, want %v", c.Prec, c.cols, what, i, j, got, sum)
			}
		}
	}
}

func (c *tilesCase) products() {
	sum, other := Grow(nil, c.panels*Result), Grow(nil, c.panels*Result)
	c.Panel(c.form, c.bs, c.cols)
	c.Mul(sum, c.as, c.form, c.cols, 1, len(c.form), false)
	c.expect("a·bᵀ", sum, StripRows, c.cols, func(i, j, k int) float32 { return c.a(i, k) * c.b(j, k) })

	c.Straight(c.form, c.bs, c.cols, c.Words(StripRows))
	c.Mul(sum, c.xs, c.form, StripRows, c.panels, c.Words(StripRows), false)
	c.expect("x·b", sum, c.panels*PanelCols, StripRows, func(i, j, k int) float32 { return c.x(i, k) * c.b(k, j) })

	c.TransposeResult(other, sum, c.panels)
	c.AddResult(sum, other, c.panels)
	for p := range c.panels {
		c.expect("sum with the transpose", sum[p*Result:], PanelCols, StripRows, func(i, j, k int) float32 {
			return c.x(i, k)*c.b(k, p*PanelCols+j) + c.x(j, k)*c.b(k, p*PanelCols+i)
		})
	}
}

func (c *tilesCase) turned() {
	part, result := c.Words(PanelCols), Grow(nil, Result)
	c.Turn(c.form, c.as, c.cols)
	straight := Grow(nil, part)
	c.Straight(straight, c.xs, PanelCols, part)
	for m := range c.panels {
		c.Mul(result, c.form[m*part:], straight, StripRows, 1, part, false)
		c.expect("aᵀ·x", result, PanelCols, StripRows, func(i, j, k int) float32 { return c.a(k, m*PanelCols+i) * c.x(k, j) })
	}
}

func (c *tilesCase) dots() {
	dots := make([]float32, StripRows)
	c.Dots(dots, c.as, c.bs, c.cols)
	for i, got := range dots {
		var want float32
		for k := range c.cols {
			want += c.a(i, k) * c.b(i, k)
		}
		if got != want {
			c.t.Fatalf("%v, %d columns: row %d's product is %v, want %v", c.Prec, c.cols, i, got, want)
		}
	}
}

// TestAct_put moves strips in and out of places that are not aligned with blocks.
func TestAct_put(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	arena := NewArena()
	defer arena.Close()
	for _, prec := range []Precision{F32, BF16} {
		for range 200 {
			act := arena.Act(1+r.IntN(100), 1+r.IntN(150), prec)
			for s := range act.Strips() {
				for i := range act.Strip(s) {
					act.Strip(s)[i] = canary
				}
			}
			rows, cols := 1+r.IntN(min(act.T, StripRows)), 1+r.IntN(act.F)
			top, left := r.IntN(act.T-rows+1), r.IntN(act.F-cols+1)
			var w Tiles
			w.Begin(prec)
			values := wholes(r, rows*cols)
			strip, again := Grow(nil, w.Words(cols)), Grow(nil, w.Words(cols))
			w.Pack(strip, values, cols, rows, cols)
			act.Put(strip, top, rows, left, cols)
			act.ClearPadding()
			outside := quant.BF16Value(halves([]float32{canary})[1])
			if prec == F32 {
				outside = canary
			}
			padded := act
			padded.T, padded.F = act.Strips()*StripRows, groups(act.F)*PanelCols
			for i := range padded.T {
				for j := range padded.F {
					got := padded.At(i, j)
					switch inside := i >= top && i < top+rows && j >= left && j < left+cols; {
					case i >= act.T || j >= act.F:
						if got != 0 {
							t.Fatalf("%v [%d,%d]: padding [%d,%d] is %v", prec, act.T, act.F, i, j, got)
						}
					case inside && got != values[(i-top)*cols+j-left]:
						t.Fatalf("%v: [%d,%d] is %v, want %v", prec, i, j, got, values[(i-top)*cols+j-left])
					case !inside && got != outside && got != quant.BF16Value(halves([]float32{canary})[0]):
						t.Fatalf("%v: wrote outside, at [%d,%d]", prec, i, j)
					}
				}
			}
			act.Take(again, top, rows, left, cols)
			sameBits(t, "taken", again, strip)
		}
	}
}
