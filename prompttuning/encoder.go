package prompttuning

import (
	"math"

	"ft/internal/kernels"
	"ft/nn"
)

// encoder is the network that makes a prompt of an embedding [n,·]: an LSTM or none, then layers with an activation between them. It is an
// nn.Derived: the prompt is the value that follows.
type encoder struct {
	out       *nn.Param // [n,·] the prompt
	embedding *nn.Param // [n,·]
	lstm      []*lstmLayer
	layers    []*linear
	act       activation
	width     int // of what the next part reads
}

// activation is a function and its derivative as a function of its result.
type activation struct {
	f, slope func(float64) float64
}

var (
	relu = activation{func(x float64) float64 { return max(x, 0) }, func(y float64) float64 {
		if y > 0 {
			return 1
		}
		return 0
	}}
	tanh = activation{math.Tanh, func(y float64) float64 { return 1 - y*y }}
)

// encoderName begins the names of PEFT's encoder.
const encoderName = "prompt_encoder."

func newEncoder(out *nn.Param, width int, act activation) *encoder {
	return &encoder{
		out: out, act: act, width: width, embedding: nn.NewParam(encoderName+"embedding.weight", out.Shape[0], width),
	}
}

// add adds a layer.
func (e *encoder) add(name string, out int) {
	e.layers = append(e.layers, &linear{
		w: nn.NewParam(encoderName+name+".weight", out, e.width), b: nn.NewParam(encoderName+name+".bias", out),
	})
	e.width = out
}

// begin gives the parameters PyTorch's random start, with other draws.
func (e *encoder) begin(seed uint64) {
	fillNormal(e.embedding.Data, seed, e.embedding.Name)
	for _, l := range e.lstm {
		for _, p := range l.params() {
			fillUniform(p.Data, l.hidden, seed, p.Name)
		}
	}
	for _, l := range e.layers {
		for _, p := range []*nn.Param{l.w, l.b} {
			fillUniform(p.Data, l.w.Shape[1], seed, p.Name)
		}
	}
}

func (e *encoder) params() []*nn.Param {
	ps := []*nn.Param{e.embedding}
	for _, l := range e.lstm {
		ps = append(ps, l.params()...)
	}
	for _, l := range e.layers {
		ps = append(ps, l.w, l.b)
	}
	return ps
}

// Forward computes the prompt.
func (e *encoder) Forward() {
	x := e.embedding.Data
	for _, l := range e.lstm {
		x = l.forward(x, e.out.Shape[0])
	}
	for i, l := range e.layers {
		last := i == len(e.layers)-1
		if last {
			l.y = e.out.Data
		}
		x = l.forward(x, e.out.Shape[0])
		if !last {
			for j, v := range x {
				x[j] = float32(e.act.f(float64(v)))
			}
		}
	}
}

// Backward adds the gradients that follow from the prompt's, and clears that.
func (e *encoder) Backward() {
	d := e.out.Grad
	for i := len(e.layers) - 1; i >= 0; i-- {
		l := e.layers[i]
		if i < len(e.layers)-1 {
			for j, y := range l.y {
				d[j] *= float32(e.act.slope(float64(y)))
			}
		}
		d = l.backward(d)
	}
	for i := len(e.lstm) - 1; i >= 0; i-- {
		d = e.lstm[i].backward(d)
	}
	kernels.Add(e.embedding.Grad, d)
	e.out.ZeroGrad()
}

// linear is y = x·Wᵀ + b, with what its backward pass needs.
type linear struct {
	w, b *nn.Param // [out,in], [out]

	x, y, dx []float32 // [n,in], [n,out], [n,in]
}

// forward computes y for n rows of x. x must stay as it is until backward.
func (l *linear) forward(x []float32, n int) []float32 {
	out, in := l.w.Shape[0], l.w.Shape[1]
	l.x, l.y = x, kernels.Grow(l.y, n*out)
	for i := range n {
		copy(l.y[i*out:(i+1)*out], l.b.Data)
	}
	kernels.Gemm(l.y, out, x, in, false, l.w.Data, in, true, n, out, in, 1, true)
	return l.y
}

// backward adds the gradients of weight and bias from that of y, and returns that of x.
func (l *linear) backward(dy []float32) []float32 {
	out, in := l.w.Shape[0], l.w.Shape[1]
	n := len(l.x) / in
	for i := range n {
		kernels.Add(l.b.Grad, dy[i*out:(i+1)*out])
	}
	kernels.Gemm(l.w.Grad, in, dy, out, true, l.x, in, false, out, in, n, 1, true)
	l.dx = kernels.Grow(l.dx, n*in)
	kernels.Gemm(l.dx, in, dy, out, false, l.w.Data, in, false, n, in, out, 1, false)
	return l.dx
}
