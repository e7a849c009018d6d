package testkit

// Gradient is the gradient of f with respect to the variables at the given places of x by central differences:
// (f(x+h) - f(x-h)) / 2h, one variable at a time. f reads x and must be computed in float64; without places all
// variables are taken. The error is about h²·f‴/6 + 1e-16·f/h, so h = 1e-5 gives eight or more digits of a smooth f.
func Gradient(f func() float64, x []float64, h float64, places ...int) []float64 {
	if places == nil {
		places = make([]int, len(x))
		for i := range places {
			places[i] = i
		}
	}
	out := make([]float64, len(places))
	for n, i := range places {
		v := x[i]
		x[i] = v + h
		up := f()
		x[i] = v - h
		down := f()
		x[i] = v
		out[n] = (up - down) / (2 * h)
	}
	return out
}
