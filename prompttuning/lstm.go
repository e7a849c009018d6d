package prompttuning

import (
	"fmt"
	"math"

	"ft/internal/kernels"
	"ft/nn"
)

// lstmLayer is a bidirectional LSTM layer (Hochreiter and Schmidhuber 1997) in PyTorch's form: gates i, f, g, o in this order, with two biases
// each. Its output is that of both directions side by side, [n,2·hidden].
type lstmLayer struct {
	hidden    int
	ways      [2]*lstmWay // from the first row on, and from the last
	y, dx, dy []float32
}

// addLSTM adds bidirectional layers.
func (e *encoder) addLSTM(name string, layers, hidden int) {
	for i := range layers {
		l := &lstmLayer{hidden: hidden}
		for w := range l.ways {
			end := fmt.Sprintf("_l%d", i)
			if w == 1 {
				end += "_reverse"
			}
			p := func(what string, shape ...int) *nn.Param {
				return nn.NewParam(encoderName+name+"."+what+end, shape...)
			}
			l.ways[w] = &lstmWay{
				in: linear{w: p("weight_ih", 4*hidden, e.width), b: p("bias_ih", 4*hidden)},
				w:  p("weight_hh", 4*hidden, hidden), b: p("bias_hh", 4*hidden), hidden: hidden, reverse: w == 1,
			}
		}
		e.lstm = append(e.lstm, l)
		e.width = 2 * hidden
	}
}

func (l *lstmLayer) params() (ps []*nn.Param) {
	for _, w := range l.ways {
		ps = append(ps, w.in.w, w.w, w.in.b, w.b)
	}
	return ps
}

func (l *lstmLayer) forward(x []float32, n int) []float32 {
	l.y = kernels.Grow(l.y, n*2*l.hidden)
	for i, w := range l.ways {
		h := w.forward(x, n)
		for t := range n {
			copy(l.y[(2*t+i)*l.hidden:(2*t+i+1)*l.hidden], h[t*l.hidden:])
		}
	}
	return l.y
}

// backward adds the gradients of the parameters from that of the output, and returns that of the input.
func (l *lstmLayer) backward(dy []float32) []float32 {
	n := len(dy) / (2 * l.hidden)
	l.dy = kernels.Grow(l.dy, n*l.hidden)
	for i, w := range l.ways {
		for t := range n {
			copy(l.dy[t*l.hidden:(t+1)*l.hidden], dy[(2*t+i)*l.hidden:])
		}
		dx := w.backward(l.dy, n)
		if i == 0 {
			l.dx = append(l.dx[:0], dx...)
			continue
		}
		kernels.Add(l.dx, dx)
	}
	return l.dx
}

// lstmWay is one direction of a layer.
type lstmWay struct {
	in      linear    // x's part of the gates
	w, b    *nn.Param // the part of the state before, [4·hidden,hidden], [4·hidden]
	hidden  int
	reverse bool

	gates, before  []float32 // [n,4·hidden] after their functions, [n,hidden] the state that each step began with
	c, h           []float32 // [n,hidden]
	zero           []float32 // [hidden]
	dGates, dh, dc []float32 // [n,4·hidden], [hidden], [hidden]
}

// at is the row of step t.
func (w *lstmWay) at(t, n int) int {
	if w.reverse {
		return n - 1 - t
	}
	return t
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func (w *lstmWay) forward(x []float32, n int) []float32 {
	m := w.hidden
	w.gates = w.in.forward(x, n)
	w.before, w.c, w.h = kernels.Grow(w.before, n*m), kernels.Grow(w.c, n*m), kernels.Grow(w.h, n*m)
	w.zero = kernels.Grow(w.zero, m)
	clear(w.zero)
	last := w.zero // the cell before
	for t := range n {
		r := w.at(t, n)
		before, gates := w.before[r*m:(r+1)*m], w.gates[r*4*m:(r+1)*4*m]
		if t == 0 {
			clear(before)
		} else {
			at := w.at(t-1, n) * m
			copy(before, w.h[at:at+m])
			last = w.c[at : at+m]
		}
		kernels.Add(gates, w.b.Data)
		kernels.Gemm(gates, 4*m, before, m, false, w.w.Data, m, true, 1, 4*m, m, 1, true)
		for j := range m {
			i, f := sigmoid(float64(gates[j])), sigmoid(float64(gates[m+j]))
			g, o := math.Tanh(float64(gates[2*m+j])), sigmoid(float64(gates[3*m+j]))
			c := f*float64(last[j]) + i*g
			gates[j], gates[m+j], gates[2*m+j], gates[3*m+j] = float32(i), float32(f), float32(g), float32(o)
			w.c[r*m+j], w.h[r*m+j] = float32(c), float32(o*math.Tanh(c))
		}
	}
	return w.h
}

func (w *lstmWay) backward(dy []float32, n int) []float32 {
	m := w.hidden
	w.dGates = kernels.Grow(w.dGates, n*4*m)
	w.dh, w.dc = kernels.Grow(w.dh, m), kernels.Grow(w.dc, m)
	clear(w.dh)
	clear(w.dc)
	for t := n - 1; t >= 0; t-- {
		r := w.at(t, n)
		kernels.Add(w.dh, dy[r*m:(r+1)*m])
		w.stepBack(t, n)
		d := w.dGates[r*4*m : (r+1)*4*m]
		kernels.Add(w.b.Grad, d)
		kernels.Gemm(w.dh, m, d, 4*m, false, w.w.Data, m, false, 1, m, 4*m, 1, false)
	}
	kernels.Gemm(w.w.Grad, m, w.dGates, 4*m, true, w.before, m, false, 4*m, m, n, 1, true)
	return w.in.backward(w.dGates)
}

// stepBack turns dh and dc, the gradients of step t's state and cell, into those of its gates before their functions, and dc into that of the cell
// before.
func (w *lstmWay) stepBack(t, n int) {
	m, r := w.hidden, w.at(t, n)
	gates, d := w.gates[r*4*m:(r+1)*4*m], w.dGates[r*4*m:(r+1)*4*m]
	for j := range m {
		i, f, g, o := float64(gates[j]), float64(gates[m+j]), float64(gates[2*m+j]), float64(gates[3*m+j])
		last := 0.0
		if t > 0 {
			last = float64(w.c[w.at(t-1, n)*m+j])
		}
		tc, dh := math.Tanh(float64(w.c[r*m+j])), float64(w.dh[j])
		dc := float64(w.dc[j]) + dh*o*(1-tc*tc)
		d[j] = float32(dc * g * i * (1 - i))
		d[m+j] = float32(dc * last * f * (1 - f))
		d[2*m+j] = float32(dc * i * (1 - g*g))
		d[3*m+j] = float32(dh * tc * o * (1 - o))
		w.dc[j] = float32(dc * f)
	}
}
