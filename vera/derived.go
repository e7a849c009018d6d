package vera

import "ft/internal/kernels"

// Forward computes every layer's B from the vectors. It serves nn.Derived.
func (a *adapter) Forward() { kernels.ParallelTasks(len(a.modules), (*derivation)(a)) }

// Backward takes the gradients of every layer's B to the vectors.
func (a *adapter) Backward() { kernels.ParallelTasks(len(a.modules), (*propagation)(a)) }

type (
	derivation  adapter
	propagation adapter
)

func (a *derivation) Task(i int)  { a.modules[i].derive(a.b.Data) }
func (a *propagation) Task(i int) { a.modules[i].propagate(a.b.Data) }

// derive computes right = diag(b)·B·diag(d); shared is B.
func (m *module) derive(shared []float32) {
	d := m.d.Data
	for o, b := range m.b.Data {
		row, to := shared[o*len(d):(o+1)*len(d)], m.right.Data[o*len(d):(o+1)*len(d)]
		for k, v := range row {
			to[k] = b * v * d[k]
		}
	}
}

// propagate adds the gradients of b and d that follow from right's, which it clears.
func (m *module) propagate(shared []float32) {
	d := m.d.Data
	clear(m.sums)
	for o, b := range m.b.Data {
		row, grad := shared[o*len(d):(o+1)*len(d)], m.right.Grad[o*len(d):(o+1)*len(d)]
		sum := 0.0
		for k, v := range row {
			g := float64(grad[k] * v)
			sum += g * float64(d[k])
			m.sums[k] += g * float64(b)
		}
		m.b.Grad[o] += float32(sum)
		clear(grad)
	}
	for k, sum := range m.sums {
		m.d.Grad[k] += float32(sum)
	}
}
