package full

import (
	"errors"
	"fmt"
	"slices"

	"ft/internal/kernels"
	"ft/internal/quant"
	"ft/nn"
	"ft/peft"
)

// Attach puts a master of every tensor in its slot.
func (c Full) Attach(h peft.Host) (peft.Adapter, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("full: %w", err)
	}
	return attach(h, c.Weights, func(*tensor) bool { return true })
}

// Attach puts a master of every tensor of the last blocks, and of the extra parts, in its slot. It returns an error if the base has
// fewer blocks.
func (c Freeze) Attach(h peft.Host) (peft.Adapter, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("freeze: %w", err)
	}
	s := h.Stack()
	first := len(s.Blocks) - c.Blocks
	if first < 0 {
		return nil, fmt.Errorf("freeze: blocks: the base has %d blocks, got %d", len(s.Blocks), c.Blocks)
	}
	extra := c.Extra
	if s.Head.Tied && slices.Contains(extra, "head") {
		extra = append(slices.Clone(extra), "embedding")
	}
	return attach(h, c.Weights, func(t *tensor) bool {
		if t.part != "" {
			return slices.Contains(extra, t.part)
		}
		return t.block >= first
	})
}

// Attach puts a master of every bias in its slot. It returns an error if the base has none.
func (c BitFit) Attach(h peft.Host) (peft.Adapter, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("bitfit: %w", err)
	}
	a, err := attach(h, c.Weights, func(t *tensor) bool { return t.bias })
	if err == nil && len(a.masters) == 0 {
		return nil, fmt.Errorf("bitfit: this base (model type %s) has no biases, so there is nothing to train; "+
			"method.kind ia3 trains as few parameters and needs none, lora more", h.ModelType())
	}
	return a, err
}

// adapter is the masters of some tensors of a base.
type adapter struct {
	typ     quant.Type
	masters []*nn.Param
	modules []string // of masters
	byName  map[string]*nn.Param
	rounded []rounded
}

// attach fills the slots of the tensors that picks picks.
func attach(h peft.Host, weights string, picks func(*tensor) bool) (*adapter, error) {
	a := &adapter{typ: types[weights], byName: map[string]*nn.Param{}}
	for _, t := range tensors(h.Stack()) {
		if !picks(&t) {
			continue
		}
		p := t.param()
		a.masters, a.modules, a.byName[t.name] = append(a.masters, p), append(a.modules, t.module), p
		switch {
		case t.matrix == nil:
			t.fill(p, nil)
		case a.typ == quant.F32:
			t.fill(p, kernels.FromFloat32(t.matrix.Rows, t.matrix.Cols, p.Data))
		default:
			r, err := round(p, a.typ)
			if err != nil {
				return nil, err
			}
			a.rounded = append(a.rounded, r)
			t.fill(p, r.values)
		}
	}
	if len(a.rounded) > 0 {
		h.Stack().Derive(a)
	}
	return a, nil
}

// Params are the masters, in the order of the Hugging Face model.
func (a *adapter) Params() []*nn.Param { return a.masters }

// Targets are the paths of the modules with masters.
func (a *adapter) Targets() []string { return slices.Compact(slices.Clone(a.modules)) }

// Merge puts the master in the place of the base's tensor.
func (a *adapter) Merge(tensor string, w []float32, out, in int) (bool, error) {
	p, ok := a.byName[tensor]
	if !ok {
		return false, nil
	}
	shape := []int{out, in}
	if len(p.Shape) == 1 && in == 1 {
		shape = shape[:1]
	}
	if !slices.Equal(shape, p.Shape) || len(w) != len(p.Data) {
		return false, fmt.Errorf("merging %s: it is [%d,%d] with %d values, the trained tensor is %v", tensor, out, in, len(w), p.Shape)
	}
	copy(w, p.Data)
	return true, nil
}

// State is an error: what was trained is saved as a whole model.
func (a *adapter) State() (peft.State, error) {
	return peft.State{}, errors.New("tensors of the base are saved as a whole model, not as an adapter")
}

// WeightType is the number type of matrices.
func (a *adapter) WeightType() quant.Type { return a.typ }

// CopyFrom sets the masters to the values of another model's tensors.
func (a *adapter) CopyFrom(h peft.Host) error {
	left := len(a.masters)
	for _, t := range tensors(h.Stack()) {
		p, ok := a.byName[t.name]
		if !ok {
			continue
		}
		n := len(t.vector)
		if t.matrix != nil {
			n = t.matrix.Rows * t.matrix.Cols
		}
		if n != len(p.Data) {
			return fmt.Errorf("%s has %d values, the trained tensor is %v", t.name, n, p.Shape)
		}
		t.read(p.Data)
		left--
	}
	if left > 0 {
		return fmt.Errorf("the model lacks %d of %d trained tensors", left, len(a.masters))
	}
	return nil
}
