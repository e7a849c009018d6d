package prompttuning

import "math"

// fillNormal fills x with draws from N(0,1), PyTorch's start of an embedding (Box and Muller 1958).
func fillNormal(x []float32, seed uint64, name string) {
	d := newDraw(seed, name)
	for i := range x {
		x[i] = float32(math.Sqrt(-2*math.Log(d.unit())) * math.Cos(2*math.Pi*d.unit()))
	}
}

// fillUniform fills x with draws from U(±1/√n), PyTorch's start of a layer with n inputs, or of an LSTM with n hidden units.
func fillUniform(x []float32, n int, seed uint64, name string) {
	d, bound := newDraw(seed, name), 1/math.Sqrt(float64(n))
	for i := range x {
		x[i] = float32((2*d.unit() - 1) * bound)
	}
}
