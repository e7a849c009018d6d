package full

import (
	"ft/internal/kernels"
	"ft/nn"
)

// tensor is one tensor of a base and the slots that stand for it.
type tensor struct {
	module, name string // Hugging Face's module path, and the tensor's name
	part         string // embedding, norm or head; empty in a block
	block        int    // of which block it is
	bias         bool

	matrix *kernels.Matrix // the base's values; nil for vectors
	vector []float32

	// fill puts p in the slots; values is what products read of a matrix.
	fill func(p *nn.Param, values *kernels.Matrix)
}

// tensors are all of a decoder's, a tied head's weight being the embedding's, in the order of the Hugging Face model.
func tensors(s *nn.Stack) []tensor {
	e := s.Embed
	list := []tensor{{
		module: e.Name, name: e.Name + ".weight", part: "embedding", matrix: e.Table(),
		fill: func(p *nn.Param, values *kernels.Matrix) {
			e.SetWeightAs(p, values)
			if s.Head.Tied {
				s.Head.SetWeightAs(p, values)
			}
		},
	}}
	for i, b := range s.Blocks {
		for _, l := range b.Linears() {
			list = append(list, ofLinear(l, "", i)...)
		}
		for _, n := range b.Norms() {
			list = append(list, ofNorm(n, "", i)...)
		}
	}
	list = append(list, ofNorm(s.Norm, "norm", 0)...)
	return append(list, ofLinear(s.Head, "head", 0)...)
}

func ofLinear(l *nn.Linear, part string, block int) []tensor {
	var list []tensor
	if !l.Tied {
		list = append(list, tensor{
			module: l.Name, name: l.Name + ".weight", part: part, block: block, matrix: l.Weight(), fill: l.SetWeightAs,
		})
	}
	if l.Bias() != nil {
		list = append(list, tensor{
			module: l.Name, name: l.Name + ".bias", part: part, block: block, bias: true, vector: l.Bias(),
			fill: func(p *nn.Param, _ *kernels.Matrix) { l.SetBias(p) },
		})
	}
	return list
}

func ofNorm(n *nn.Norm, part string, block int) []tensor {
	return []tensor{{
		module: n.Name, name: n.Name + ".weight", part: part, block: block, vector: n.Gain(),
		fill: func(p *nn.Param, _ *kernels.Matrix) { n.SetGain(p) },
	}}
}

// param makes a master of the tensor with the base's values.
func (t *tensor) param() *nn.Param {
	var p *nn.Param
	if t.matrix != nil {
		p = nn.NewParam(t.name, t.matrix.Rows, t.matrix.Cols)
	} else {
		p = nn.NewParam(t.name, len(t.vector))
	}
	t.read(p.Data)
	return p
}

// read writes the base's values to dst.
func (t *tensor) read(dst []float32) {
	if t.matrix == nil {
		copy(dst, t.vector)
		return
	}
	n := t.matrix.Cols
	kernels.Parallel(t.matrix.Rows, func(r int) { t.matrix.Row(dst[r*n:(r+1)*n], r) })
}
