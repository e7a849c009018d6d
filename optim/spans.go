package optim

// spanSize is the number of elements one task takes. It is a constant, not a share of
// the work, so that partial sums are the same with any number of threads.
const spanSize = 1 << 15

// span is the part [lo, hi) of tensor number tensor.
type span struct{ tensor, lo, hi int }

// spansOf cuts tensors of the given sizes into spans of at most spanSize elements, in order.
func spansOf(sizes []int) []span {
	var out []span
	for t, n := range sizes {
		for lo := 0; lo < n; lo += spanSize {
			out = append(out, span{t, lo, min(lo+spanSize, n)})
		}
	}
	return out
}
