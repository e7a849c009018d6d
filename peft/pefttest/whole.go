package pefttest

import (
	"testing"

	"ft/internal/testkit"
	"ft/model"
	"ft/peft"
	"ft/weights"
)

// savedWhole asks for the same bits of the model that is made, and of parameters that are read back from it.
func (s Subject) savedWhole(t *testing.T) {
	m, a := s.attach(t, true)
	want := logits(t, m)
	made := Merged(t, s.dir(t), a.Merge)
	same(t, logits(t, made), want, 0)
	m, a = s.attach(t, false)
	if err := a.(peft.Standalone).CopyFrom(made); err != nil {
		t.Fatal(err)
	}
	same(t, logits(t, m), want, 0)
	if _, err := a.State(); err == nil {
		t.Error("it has a state to save as an adapter, too")
	}
}

// wholeFile is in the cases of methods that make a whole model.
const wholeFile = "final/model.safetensors"

// tensors reads one of the reference's files; weights that Hugging Face stores [in,out] become [out,in].
func (c *goldenCase) tensors(t *testing.T, file string) map[string]testkit.Tensor {
	t.Helper()
	out := testkit.Tensors(t, c.path(file))
	f := familyOf(t, c.base)
	for name, x := range out {
		if c.Whole && f.IsTransposed(name) {
			x.Data = weights.Transposed(x.Data, x.Shape[0], x.Shape[1])
			out[name] = x
		}
	}
	return out
}

// compareWhole compares what was trained with the reference's model, and its logits, merged into the base's files too.
func (c *goldenCase) compareWhole(t *testing.T, m *model.Model, a peft.Adapter) {
	t.Helper()
	want := c.tensors(t, wholeFile)
	for _, p := range a.Params() {
		if _, noisy := c.ref.Shadow.Noisy[p.Name]; !noisy {
			testkit.Near(t, p.Name, p.Data, want[p.Name].Data, 1e-4, 1e-4)
		}
	}
	c.probe(t, m)
	c.probe(t, Merged(t, c.base, a.Merge))
}

// finalWhole takes the reference's model as it is, and as the values of an adapter.
func (c *goldenCase) finalWhole(t *testing.T) {
	t.Helper()
	final := Open(t, c.path("final"))
	c.probe(t, final)
	m, a := c.begin(t)
	if err := a.(peft.Standalone).CopyFrom(final); err != nil {
		t.Fatal(err)
	}
	c.probe(t, m)
}
