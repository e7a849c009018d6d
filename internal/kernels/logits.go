package kernels

import (
	"fmt"
	"math"
)

// CrossEntropyRow returns the loss in nats, log(sum of exp(logits)) - logits[label], and replaces logits by
// the loss's gradient times scale: (softmax - onehot(label))·scale.
//
// It goes twice over the row: exponentials relative to the greatest logit of their piece, which the nearest cache
// holds, then the factor that puts all pieces on one footing.
func CrossEntropyRow(logits []float32, label int, scale float32) (loss float64) {
	if label < 0 || label >= len(logits) {
		panic(fmt.Sprintf("kernels: CrossEntropyRow: label %d of %d", label, len(logits)))
	}
	const piece = 4096
	vec := &active.Load().vec
	at := float64(logits[label])
	parts := make([]struct{ top, sum float64 }, 0, 64)
	top, sum := math.Inf(-1), 0.0
	for lo := 0; lo < len(logits); lo += piece {
		x := logits[lo:min(lo+piece, len(logits))]
		most := vec.maximum(x)
		sub := most
		if math.IsInf(float64(most), -1) {
			sub = 0 // nothing to add, unless there is a NaN
		}
		parts = append(parts, struct{ top, sum float64 }{float64(most), float64(vec.expSum(x, x, sub))})
		top = max(top, float64(most))
	}
	for _, p := range parts {
		sum += p.sum * math.Exp(p.top-top)
	}
	for i, p := range parts {
		x := logits[i*piece : min((i+1)*piece, len(logits))]
		vec.scale(x, float32(math.Exp(p.top-top)/sum*float64(scale)))
	}
	logits[label] -= scale
	return top - at + math.Log(sum)
}

// Exp replaces x by its exponentials, to 1e-6 of each.
func Exp(x []float32) { active.Load().vec.expSum(x, x, 0) }

// Argmax is the index of the largest value, the lowest on a tie, of at least one. With a NaN in x it is any index.
func Argmax(x []float32) int {
	const piece = 512
	be := active.Load()
	best, at := x[0], 0
	for lo := 0; lo < len(x); lo += piece {
		part := x[lo:min(len(x), lo+piece)]
		if top := be.vec.maximum(part); top <= best {
			continue
		}
		for i, v := range part {
			if v > best {
				best, at = v, lo+i
			}
		}
	}
	return at
}
