package ia3

import (
	"fmt"
	"strings"

	"ft/nn"
	"ft/peft"
)

// Method puts fresh IA³ adapters on base models.
type Method struct {
	Config Config
}

// New is the method of a config's settings. Nothing about its start is random.
func New(c Config, _ uint64) peft.Method { return Method{Config: c} }

// Attach gives every target a vector of ones. It returns an error, and leaves the base as it was, when the settings are out of bounds
// or fit no layer.
func (m Method) Attach(h peft.Host) (peft.Adapter, error) {
	a, err := m.attach(h)
	if err != nil {
		return nil, fmt.Errorf("ia3: %w", err)
	}
	a.fill()
	return a, nil
}

func (m Method) attach(h peft.Host) (*adapter, error) {
	if err := m.Config.Validate(); err != nil {
		return nil, err
	}
	c, err := m.Config.complete(h)
	if err != nil {
		return nil, err
	}
	targets, err := c.targets().Select(h)
	if err != nil {
		return nil, err
	}
	if !m.Config.FeedForward.Empty() {
		if err := c.checkFeedForward(targets); err != nil {
			return nil, err
		}
	}
	a, err := newAdapter(c, targets)
	if err != nil {
		return nil, err
	}
	for _, m := range a.modules {
		m.allocate()
	}
	a.spell()
	return a, nil
}

// adapter is the vectors of a base model.
type adapter struct {
	config  Config
	modules []*module // in the host's order
	byName  map[string]*module
}

// module is one adapted layer.
type module struct {
	linear *nn.Linear
	input  bool      // its input is scaled, not its output
	scale  *nn.Param // [1,In] if input, else [Out,1]
}

// newAdapter works out which layers scale what. The modules have no parameters yet.
func newAdapter(c Config, targets []*nn.Linear) (*adapter, error) {
	input, err := c.scalesInput()
	if err != nil {
		return nil, err
	}
	a := &adapter{config: c, byName: map[string]*module{}}
	for _, l := range targets {
		m := &module{linear: l}
		if m.input, err = input(l); err != nil {
			return nil, err
		}
		a.modules = append(a.modules, m)
		a.byName[l.Name] = m
	}
	return a, nil
}

func (m *module) name() string      { return m.linear.Name + ".ia3_l" }
func (m *module) layer() *nn.Linear { return m.linear }

// shape is that of the vector.
func (m *module) shape() []int {
	if m.input {
		return []int{1, m.linear.In()}
	}
	return []int{m.linear.Out(), 1}
}

// allocate gives the module a vector of ones.
func (m *module) allocate() {
	m.scale = nn.NewParam(m.name(), m.shape()...)
	for i := range m.scale.Data {
		m.scale.Data[i] = 1
	}
}

// fill puts every vector into its layer's slot.
func (a *adapter) fill() {
	for _, m := range a.modules {
		if m.input {
			m.linear.SetInScale(m.scale)
		} else {
			m.linear.SetOutScale(m.scale, true)
		}
	}
}

// Params are the vectors, in the host's order.
func (a *adapter) Params() []*nn.Param {
	var ps []*nn.Param
	for _, m := range a.modules {
		ps = append(ps, m.scale)
	}
	return ps
}

// Targets are the adapted modules' paths in the host's order.
func (a *adapter) Targets() []string {
	var names []string
	for _, m := range a.modules {
		names = append(names, m.linear.Name)
	}
	return names
}

// Merge scales the rows of w, or its columns where the input is scaled, or the bias.
func (a *adapter) Merge(tensor string, w []float32, out, in int) (bool, error) {
	name, bias := strings.CutSuffix(tensor, ".bias")
	if !bias {
		name = strings.TrimSuffix(tensor, ".weight")
	}
	m, ok := a.byName[name]
	if !ok || bias && m.input {
		return false, nil
	}
	wantIn := m.linear.In()
	if bias {
		wantIn = 1
	}
	if err := peft.Sized(w, out, in, m.linear.Out(), wantIn); err != nil {
		return false, fmt.Errorf("ia3: merging %s: %w", tensor, err)
	}
	for r := range out {
		row := w[r*in : (r+1)*in]
		for c := range row {
			if m.input {
				row[c] *= m.scale.Data[c]
			} else {
				row[c] *= m.scale.Data[r]
			}
		}
	}
	return true, nil
}
