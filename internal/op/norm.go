package op

// Norm is a normalisation with its gain: RMS norm (Zhang and Sennrich 2019, arXiv:1910.07467).
type Norm struct {
	Gain  []float32 // [D]
	DGain []float32 // [D] gradient sink, or nil: the gain is frozen
	Eps   float32
}
