package kernels

import "ft/internal/quant"

// probe runs everything that a training step calls on a few rows, and keeps what came out.
type probe struct {
	be    *backend
	mem   []float32 // unused
	steps []step
}

// step is what one function made, tiles of bfloat16 or float32, and how far another backend may be from it, relative to
// the generic one's unit and value. What a backend leaves to the Go twin has no values.
type step struct {
	got       []float32
	prec      Precision
	tol, unit float32
}

// Sizes of the self-test: padding in all directions.
const (
	probeRows   = 19
	probeCols   = 24
	probePanels = 1
	probeWide   = 40 // columns of products: a whole panel and less than half of one
	probeDepth  = 21
	probeWords  = 3 << 15 // of memory for one backend
)

// usable keeps the candidates that agree with the generic twin, the last one, on small inputs: a CPU or hypervisor that
// claims an instruction set it gets wrong must not train a model.
func usable(candidates []*backend) []*backend {
	last := len(candidates) - 1
	if last == 0 {
		return candidates
	}
	want := probed(candidates[last], make([]float32, probeWords))
	mem := make([]float32, probeWords)
	var ok []*backend
	for _, b := range candidates[:last] {
		if agree(probed(b, mem), want) {
			ok = append(ok, b)
		}
	}
	return append(ok, candidates[last])
}

// agree compares two backends' steps.
func agree(got, want []step) bool {
	for i, s := range got {
		near := func(v, w float32) bool {
			diff := v - w
			return max(diff, -diff) <= s.tol*(want[i].unit+max(w, -w))
		}
		if s.prec == BF16 {
			for j, h := range halves(s.got) {
				if !near(quant.BF16Value(h), quant.BF16Value(halves(want[i].got)[j])) {
					return false
				}
			}
			continue
		}
		for j, v := range s.got {
			if !near(v, want[i].got[j]) {
				return false
			}
		}
	}
	return true
}

// probed runs all steps on a backend.
func probed(be *backend, mem []float32) []step {
	p := &probe{be: be, mem: mem, steps: make([]step, 0, 128)}
	p.vectors()
	p.results()
	for _, prec := range []Precision{F32, BF16} {
		p.tiles(prec)
		p.softmaxes(prec)
		p.products(prec)
	}
	for typ := range quant.BF16 + 1 {
		if typ.Known() {
			p.formats(typ)
		}
	}
	p.decoding()
	return p.steps
}

// zeros is n zeros.
func (p *probe) zeros(n int) []float32 {
	v := p.mem[:n:n]
	p.mem = p.mem[n:]
	clear(v)
	return v
}

// wave is n multiples of 1/8 in [-2,2], so that bfloat16 holds them and sums of products are exact.
func (p *probe) wave(n, seed int) []float32 {
	v := p.zeros(n)
	for i := range v {
		v[i] = float32(int(mixed(i*seed+29)>>27)-16) / 8
	}
	return v
}

// mixed is a number whose upper bits look random.
func mixed(i int) uint32 { return uint32(i*i+1) * 0x9e3779b1 }

func (p *probe) keep(tol float32, got ...[]float32) {
	for _, v := range got {
		p.steps = append(p.steps, step{v, F32, tol, 1})
	}
}

// keepTiles keeps tiles, to 1e-5 or two units of bfloat16's last place.
func (p *probe) keepTiles(prec Precision, tiles ...[]float32) {
	for _, t := range tiles {
		p.steps = append(p.steps, step{t, prec, [...]float32{1e-5, 1.0 / 128}[prec], 1})
	}
}

// vectors is the steps on float32 vectors.
func (p *probe) vectors() {
	const n = 70
	vec, ops := &p.be.vec, &p.be.ops
	x, y := p.wave(n, 3), p.wave(n, 5)
	exps, ax, scaled, w, m, v := p.wave(n, 1), p.wave(n, 7), p.wave(n, 9), p.wave(n, 2), p.wave(n, 4), p.wave(n, 6)
	far, range32 := p.zeros(37), p.zeros(37)
	for i := range v {
		v[i] += 2
	}
	for i := range far {
		far[i] = float32(i-18) * 4.7
	}
	p.keep(1e-5, []float32{vec.expSum(exps, x, 1), vec.dot(x, y), vec.maximum(x), float32(ops.sumSquares(x))})
	vec.expSum(range32, far, 0)
	for i, e := range range32 { // of all sizes, to the same relative error
		range32[i] = e / exp32(far[i])
	}
	vec.axpy(ax, 0.3, x)
	vec.scale(scaled, 0.3)
	ops.adamW(w, y, m, v, &AdamW{0.1, 0.99, 0.01, 0.9, 0.01, 0.5, 1e-8})
	turned := p.wave(64, 8)
	ops.rope(turned, 2, 16, x[:16], y[:16], false)
	glu := p.zeros(n)
	vec.swiglu(glu, x, y)
	p.keep(1e-6, exps, range32, ax, scaled, w, m, v, turned, glu)
}

// formats is what reads weights of one number format.
func (p *probe) formats(typ quant.Type) {
	const rows, cols, t = 5, 256, 3
	w := Matrix{Rows: rows, Cols: cols, Type: typ, Data: make([]byte, rows*typ.RowBytes(cols))}
	for i := range w.Data {
		w.Data[i] = byte(mixed(i)>>24) & 0xbd // no half float beyond 2
	}
	v, row := p.zeros(cols), p.zeros(cols)
	p.be.dequantize(v, typ, w.stored(0, 0, cols))
	p.keep(0, v)
	var tmp []float32
	x, one, some := p.wave(t*cols, 1), p.zeros(rows), p.zeros(t*rows)
	p.be.rows(p.be, one, x[:cols], 1, &w, 0, rows, &tmp)
	p.be.rows(p.be, some, x, t, &w, 0, rows, &tmp)
	p.keep(1e-5, one, some)
	short, half := p.zeros(t*rows), p.zeros(len(x)/2)
	if p.be.rowsBF16 != nil {
		p.be.roundRow(half, x)
		p.be.rowsBF16(short, half, t, &w, 0, rows, &tmp)
	} else if copy(short, some); p.be != &generic {
		short = nil
	}
	p.keep(1.0/128, short)
	if p.be == &generic { // errors are relative to the sizes of what is added up, factors of 2 included
		for r := range rows {
			quant.Dequantize(row, typ, w.stored(r, 0, cols))
			size := float32(0)
			for _, a := range row {
				size += max(a, -a)
			}
			for i := len(p.steps) - 3; i < len(p.steps); i++ {
				p.steps[i].unit = max(p.steps[i].unit, size)
			}
		}
	}
}

// decoding is the steps of attention for one token, and norm's.
func (p *probe) decoding() {
	const heads, keys, d = 3, 9, 40
	q, k, scores, out, scaled := p.wave(heads*d, 1), p.wave(keys*d, 2), p.zeros(heads*keys), p.zeros(heads*d), p.zeros(d)
	p.be.dots(scores, keys, q, d, heads, k, d, keys, d)
	p.be.mix(out, d, scores, keys, heads, k, d, keys, d)
	p.be.gain(scaled, q[:d], k[:d], 0.3)
	p.keep(1e-5, scores, out, scaled)
	p.decodingHalves()
}

// decodingHalves is attention's steps on bfloat16.
func (p *probe) decodingHalves() {
	const heads, keys, d = 5, 9, 96
	q, k, scores, out := p.zeros(heads*d/2), p.zeros(keys*d/2), p.zeros(heads*keys), p.zeros(heads*d)
	roundGeneric(q, p.wave(heads*d, 3), len(q)/rowWords, rowWords)
	roundGeneric(k, p.wave(keys*d, 4), len(k)/rowWords, rowWords)
	switch {
	case p.be.dotsBF16 != nil:
		p.be.dotsBF16(scores, keys, q, d/2, heads, k, d/2, keys, d)
		p.be.mixBF16(out, d, scores, keys, heads, k, d/2, keys, d)
	case p.be == &generic:
		dotsHalvesGeneric(scores, keys, q, d/2, heads, k, d/2, keys, d)
		mixHalvesGeneric(out, d, scores, keys, heads, k, d/2, keys, d)
	default:
		scores, out = nil, nil
	}
	p.keep(1e-5, scores, out)
}

// results is the steps on result blocks and rows of float32.
func (p *probe) results() {
	const n, ld = probePanels * resultSize, 45
	ops := &p.be.ops
	c, d := p.wave(n, 1), p.wave(n, 2)
	set, add, flip, drop := p.wave(probeRows*ld, 3), p.wave(probeRows*ld, 4), p.wave(probeCols*ld, 5), p.wave(probeRows*ld, 6)
	ops.storeRows(set, nil, ld, c, probeRows, probeCols, 0.7)
	ops.storeRows(add, set, ld, c, probeRows, probeCols, 0.7)
	ops.storeRowsT(flip, ld, c, probeRows, probeCols, 0.7)
	ops.dropAdd(drop, ld, c, PanelCols, resultSize, probeKeys(), probeCols, 0.4)
	ops.capScores(c, probePanels, 0.5, 3)
	ops.capGrad(d, c, probePanels, 0.5, 3)
	p.keep(1e-5, set, add, flip, drop, c, d)
}

// softmaxes is the steps of attention on result blocks, with some columns of each row left out.
func (p *probe) softmaxes(prec Precision) {
	const n = probePanels * resultSize
	ops := &p.be.ops
	var first, seen [StripRows]int32
	for i := range first {
		first[i], seen[i] = int32(i/4), int32(probeCols-i/3)
	}
	c, again, d, dp := p.wave(n, 7), p.zeros(n), p.wave(n, 8), p.wave(n, 9)
	for i := range probePanels {
		ops.fence(c[i*resultSize:(i+1)*resultSize], i*PanelCols, &first, &seen)
	}
	copy(again, c)
	var s SoftmaxRows
	s.begin()
	tiles, grads, size := p.zeros(words(probePanels, prec)), p.zeros(words(probePanels, prec)), probePanels*blockWords
	rightProbs, rightGrads, lse := p.zeros(size), p.zeros(size), p.zeros(StripRows)
	ops.softmaxStep(tiles, c, probePanels, &s, 0.9, prec)
	ops.softmaxEnd(&s, lse)
	ops.scaleRows(d, probePanels, &s.factor)
	ops.probs(rightProbs, again, probePanels, lse, 0.9, prec)
	ops.scoreGrad(grads, rightGrads, dp, again, probePanels, lse, 0.3, prec)
	p.keep(1e-5, lse, s.factor[:], d, again)
	p.keepTiles(prec, tiles, grads)
	if prec == BF16 {
		p.keepTiles(prec, rightProbs, rightGrads)
	} else {
		p.keep(1e-5, dp)
	}
}

// probeKeys are the rows' keys of a dropout mask.
func probeKeys() []uint64 {
	keys := make([]uint64, probeRows)
	for i := range keys {
		keys[i] = uint64(i)<<40 + 99
	}
	return keys
}

// tiles is the steps that read or write tiles.
func (p *probe) tiles(prec Precision) {
	ops := &p.be.ops
	var t [10][]float32
	for i := range t {
		t[i] = p.zeros(words(probePanels, prec))
	}
	x, gain, inv := p.wave(probeRows*probeCols, 1), p.wave(probeCols, 2), p.zeros(probeRows)
	c, d := p.wave(probePanels*resultSize, 3), p.wave(probePanels*resultSize, 4)
	dx := p.zeros(len(x))
	ops.norm(t[0], t[1], inv, x, gain, probeRows, probeCols, 1e-5, prec)
	ops.normBack(dx, x, t[1], inv, gain, probeRows, probeCols, false, prec)
	ops.toTiles(t[2], x, probeCols, probeRows, probeCols, 0.5, prec)
	ops.dropTiles(t[3], t[2], probeKeys(), probeCols, 0.4, prec)
	ops.store(t[4], c, probePanels, prec, 0.7)
	ops.gated(t[5], t[6], t[7], c, d, probePanels, prec, SiLU)
	ops.gatedGrad(t[8], t[9], t[7], t[5], t[6], d, probePanels, prec, SiLU)
	dots := p.zeros(StripRows)
	p.be.lay.dots(dots, t[0], t[2], blocksOf(probeCols, prec), prec)
	p.keep([...]float32{1e-5, 1.0 / 128}[prec], inv, dx, dots)
	p.keepTiles(prec, t[:]...)
}

// act is an Act [rows,cols] of a wave.
func (p *probe) act(rows, cols, seed int, prec Precision) Act {
	a := Act{T: rows, F: cols, Prec: prec}
	a.data = p.zeros(a.Strips() * a.Blocks() * blockWords)
	toTilesGeneric(a.data, p.wave(rows*cols, seed), cols, rows, cols, 1, prec)
	return a
}

// products is products from operands of every layout: one exact, one with a pair.
func (p *probe) products(prec Precision) {
	if prec == BF16 && p.be.bf16 == nil && p.be != &generic {
		p.steps = append(p.steps, make([]step, 4)...)
		return
	}
	rows := p.zeros(probeRows * probeWide)
	x, w := p.wave(probeRows*probeDepth, 2), p.wave(probeWide*probeDepth, 3)
	c := Product{M: probeRows, N: probeWide, Prec: prec, Sink: Sink{Kind: ToRows, Rows: rows, LD: probeWide, Alpha: 2}}
	c.Add(Acts(p.act(probeRows, probeDepth, 1, prec)), Values(w, probeDepth, probeDepth, probeWide, true), false)
	c.Add(Left{f: x, ld: probeDepth}, Values(w, probeWide, probeDepth, probeWide, false), false)
	c.runOn(p.be)
	p.keep(0, rows)

	gate, up, out := p.act(probeRows, probeWide, 4, prec), p.act(probeRows, probeWide, 5, prec), p.act(probeRows, probeWide, 6, prec)
	c.Reset(probeRows, probeWide, prec)
	c.Sink = Sink{Kind: ToGated, Gate: gate, Up: up, Out: out, Act: GELUTanh}
	c.Add(Left{f: x, ld: probeRows, trans: true}, Values(w, probeWide, probeDepth, probeWide, false), false)
	c.Add(Left{f: x, ld: probeRows, trans: true}, Tokens(p.act(probeDepth, probeWide, 7, prec), Mask{}), true)
	c.runOn(p.be)
	p.keepTiles(prec, gate.data, up.data, out.data)
}
