package chart

// Smooth is the mean of each value and the reach ones before and behind it; towards the ends fewer, as many before as behind, so that the
// mean stays that of its place. It needs the sum of a run of values, so values must be finite.
func Smooth(points []Point, reach int) []Point {
	sums := make([]float64, len(points)+1)
	for i, p := range points {
		sums[i+1] = sums[i] + p.Y
	}
	out := make([]Point, len(points))
	for i, p := range points {
		r := min(reach, i, len(points)-1-i)
		out[i] = Point{p.X, (sums[i+r+1] - sums[i-r]) / float64(2*r+1)}
	}
	return out
}

// Thin picks at most most points of a curve, most at least 4: its first and last, and the lowest and highest of each stretch between, so that no spike is lost. The
// result is their places, in order; all of them if there are few enough.
func Thin(points []Point, most int) []int {
	n := len(points)
	if n <= most {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return all
	}
	out := []int{0}
	stretches := (most - 2) / 2
	inner := n - 2
	for s := range stretches {
		from, to := 1+s*inner/stretches, 1+(s+1)*inner/stretches
		low, high := from, from
		for i := from; i < to; i++ {
			if points[i].Y < points[low].Y {
				low = i
			}
			if points[i].Y > points[high].Y {
				high = i
			}
		}
		out = append(out, min(low, high))
		if low != high {
			out = append(out, max(low, high))
		}
	}
	return append(out, n-1)
}

// Pick is the points at the places at.
func Pick(points []Point, at []int) []Point {
	out := make([]Point, len(at))
	for i, k := range at {
		out[i] = points[k]
	}
	return out
}

// Stretches is the mean of n or fewer stretches of points, so that noisy curves can be told apart.
func Stretches(points []Point, n int) []Point {
	width := (len(points) + n - 1) / n
	if width <= 1 {
		return points
	}
	var out []Point
	for i := 0; i < len(points); i += width {
		part := points[i:min(i+width, len(points))]
		sum := 0.0
		for _, p := range part {
			sum += p.Y
		}
		out = append(out, Point{part[len(part)/2].X, sum / float64(len(part))})
	}
	return out
}
