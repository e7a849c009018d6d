package kernels

import (
	"os"
	"testing"
)

// TestPeak: assembly is faster than one operation a nanosecond, and in bfloat16 there is a rate where there are products.
func TestPeak(t *testing.T) {
	before := Backend()
	defer mustUse(t, before)
	for _, name := range Backends() {
		mustUse(t, name)
		if name == "amx" && os.Getenv("FT_AMX_EMULATED") == "1" {
			continue // not at any rate worth measuring
		}
		for _, prec := range []Precision{F32, BF16} {
			asm := name != "generic" && (prec == F32 || HasBF16())
			if got := Peak(prec); asm != (got > 1) {
				t.Errorf("%s %v: %v GFLOP/s", name, prec, got)
			}
		}
	}
}
