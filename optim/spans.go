package optim

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// spanSize is the number of elements one worker takes at a time. It is a constant, not a share of
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

// forEach calls fn once for every span, from several goroutines if there are several spans.
func forEach(spans []span, fn func(i int, s span)) {
	workers := min(runtime.GOMAXPROCS(0), len(spans))
	if workers <= 1 {
		for i, s := range spans {
			fn(i, s)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(spans); i = int(next.Add(1)) - 1 {
				fn(i, spans[i])
			}
		})
	}
	wg.Wait()
}
