package lora

import (
	"slices"
	"strings"

	"ft/internal/kernels"
	"ft/nn"
	"ft/peft"
)

// leaf is a part of the base that holds tensors: the embedding, a linear layer or a norm.
type leaf struct {
	path   string
	matrix *kernels.Matrix // the weight, or
	gain   []float32
	bias   []float32 // or nil

	transposed bool // the file has the matrix [in,out]
	setWeight  func(*nn.Param)
	setBias    func(*nn.Param)
}

// leavesOf are the modules that hold tensors: the embedding, the linear layers in the order of the host, and the norms.
func leavesOf(h peft.Host) []leaf {
	s := h.Stack()
	list := []leaf{{path: s.Embed.Name, matrix: s.Embed.Table(), setWeight: s.Embed.SetWeight}}
	for _, l := range h.Linears() {
		list = append(list, ofLinear(l))
	}
	for _, n := range s.Norms() {
		list = append(list, ofNorm(n))
	}
	return list
}

func ofLinear(l *nn.Linear) leaf {
	return leaf{path: l.Name, matrix: l.Weight(), bias: l.Bias(), transposed: l.Transposed, setWeight: l.SetWeight, setBias: l.SetBias}
}

func ofNorm(n *nn.Norm) leaf {
	return leaf{path: n.Name, gain: n.Gain(), bias: n.Bias(), setWeight: n.SetGain, setBias: n.SetBias}
}

// saved reports whether the module, or one around it, has a path that ends as a name does, which is how PEFT finds modules_to_save:
// "norm" takes input_layernorm too.
func (m leaf) saved(names []string) bool {
	for path := m.path; ; {
		if slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(path, name) }) {
			return true
		}
		dot := strings.LastIndexByte(path, '.')
		if dot < 0 {
			return false
		}
		path = path[:dot]
	}
}

// firstPaths are some modules, for a message.
func firstPaths(h peft.Host) string {
	var paths []string
	for _, m := range leavesOf(h) {
		if len(paths) < 4 {
			paths = append(paths, m.path)
		}
	}
	return strings.Join(paths, ", ")
}

// whole is a trained copy of one module's weight.
type whole struct {
	leaf
	weight *nn.Param
}

// addWhole makes the copies of modules_to_save.
func (a *adapter) addWhole(h peft.Host) {
	for _, m := range leavesOf(h) {
		if !m.saved(a.settings.saved) {
			continue
		}
		w := &whole{leaf: m}
		switch {
		case m.matrix == nil:
			w.weight = nn.NewParam(m.path+endWeight, len(m.gain))
			w.weight.NoDecay = true
		default:
			w.weight = nn.NewParam(m.path+endWeight, m.matrix.Rows, m.matrix.Cols)
		}
		a.parts = append(a.parts, w)
		if m.bias != nil {
			a.parts = append(a.parts, newBias(m, m.path+endBias))
		}
	}
}

func (w *whole) path() string        { return w.leaf.path }
func (w *whole) tensors() []string   { return []string{w.path() + endWeight} }
func (w *whole) params() []*nn.Param { return []*nn.Param{w.weight} }

// start copies the base's weight.
func (w *whole) start(string, uint64) {
	if w.matrix == nil {
		copy(w.weight.Data, w.gain)
		return
	}
	rows, cols := w.matrix.Rows, w.matrix.Cols
	kernels.Parallel(rows, func(r int) { w.matrix.Row(w.weight.Data[r*cols:(r+1)*cols], r) })
}

func (w *whole) fill(*nn.Stack) { w.setWeight(w.weight) }

func (w *whole) merge(_ string, v []float32, out, in int) error { return replace(v, out, in, w.weight) }

// replace puts a trained tensor in the place of the base's, whose vectors are [out,1].
func replace(v []float32, out, in int, p *nn.Param) error {
	columns := 1
	if len(p.Shape) > 1 {
		columns = p.Shape[1]
	}
	if err := peft.Sized(v, out, in, p.Shape[0], columns); err != nil {
		return err
	}
	copy(v, p.Data)
	return nil
}

// bias is a trained bias of the base.
type bias struct {
	leaf
	value  *nn.Param
	shared bool // what derives the bias in use from this one fills the slot
}

func newBias(m leaf, name string) *bias {
	b := &bias{leaf: m, value: nn.NewParam(name, len(m.bias))}
	b.value.NoDecay = true
	return b
}

// addBiases makes the biases that train: PEFT keeps those of targets under base_layer. Modules with a whole copy have theirs there.
func (a *adapter) addBiases(h peft.Host) {
	if a.settings.bias == biasNone {
		return
	}
	for _, m := range leavesOf(h) {
		if m.bias == nil || m.saved(a.settings.saved) {
			continue
		}
		i := slices.IndexFunc(a.modules, func(l *lowRank) bool { return l.path() == m.path })
		switch {
		case i >= 0:
			b := newBias(m, m.path+".base_layer"+endBias)
			if a.modules[i].bias != nil {
				a.modules[i].base, b.shared = b.value, true
			}
			a.parts = append(a.parts, b)
		case a.settings.bias == biasAll:
			a.parts = append(a.parts, newBias(m, m.path+endBias))
		}
	}
}

func (b *bias) path() string         { return b.leaf.path }
func (b *bias) tensors() []string    { return []string{b.path() + endBias} }
func (b *bias) params() []*nn.Param  { return []*nn.Param{b.value} }
func (b *bias) start(string, uint64) { copy(b.value.Data, b.leaf.bias) }

func (b *bias) fill(*nn.Stack) {
	if !b.shared {
		b.setBias(b.value)
	}
}

func (b *bias) merge(_ string, v []float32, out, in int) error { return replace(v, out, in, b.value) }
