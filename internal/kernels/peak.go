package kernels

import (
	"time"

	"ft/internal/quant"
)

// peak is one round of multiplications with all operands in registers.
type peak struct {
	run        func(x *float32, n int) // n rounds, of the values in 1,024 words
	operations int                     // multiplications and additions in a round
	rounds     int                     // of about a quarter of a millisecond
}

// Peak measures the rate of multiplications and additions that the backend in use reaches on all threads with operands in
// registers, in 10⁹ a second: what products are to be compared with. It takes 50 milliseconds, and is 0 where the backend
// leaves prec to Go.
func Peak(prec Precision) float64 {
	p := active.Load().peaks[prec]
	if p.run == nil {
		return 0
	}
	x, _ := onHeap(2 * blockWords)
	for i, h := 0, halves(x); i < len(h); i++ {
		h[i] = quant.BF16Bits(float32(mixed(i)>>16)/65536 - 0.5) // as float32 they are such values too; zeros would need less power
	}
	best, threads := time.Hour, Threads()
	for first := time.Now(); time.Since(first) < 50*time.Millisecond; { // so long that all threads had their turn together
		begun := time.Now()
		Parallel(threads, func(int) { p.run(&x[0], p.rounds) })
		best = min(best, time.Since(begun))
	}
	return float64(p.operations*p.rounds*threads) / float64(best.Nanoseconds())
}
