package model

import (
	"fmt"
	"math"
	"slices"
)

// Rope says how fast each feature pair turns with the position, and how that is stretched for long contexts.
// The kinds and their formulas are those of transformers' modeling_rope_utils.
type Rope struct {
	Kind            string  // default, linear, dynamic, llama3, yarn or longrope
	Theta           float64 // base of the frequencies
	Factor          float64 // how many times longer than Original the context becomes
	Original        int     // positions of the pre-trained model
	LowFreqFactor   float64 // llama3
	HighFreqFactor  float64 // llama3
	BetaFast        float64 // yarn
	BetaSlow        float64 // yarn
	AttentionFactor float64 // yarn, longrope; 0 = from Factor
	MScale          float64 // yarn
	MScaleAllDim    float64 // yarn
	NoTruncate      bool    // yarn: correction range is not rounded to whole dimensions
	Divisors        []float32
	Short, Long     []float64 // longrope: divisors of the frequencies, up to Original positions and beyond
}

// NoRope is the Kind of a family without rotary embeddings.
const NoRope = "none"

// RopeKinds are the scalings that ft computes.
var RopeKinds = []string{"default", "linear", "dynamic", "llama3", "yarn", "longrope"}

func (r *Rope) check() error {
	if !(r.Theta > 0) || math.IsInf(r.Theta, 0) {
		return fmt.Errorf("model: rope_theta is %g, expected a positive number", r.Theta)
	}
	switch r.Kind {
	case "default":
		return nil
	case "linear", "dynamic":
		if r.Factor < 1 {
			return fmt.Errorf("model: rope scaling %q: factor is %g, expected at least 1", r.Kind, r.Factor)
		}
		return nil
	case "llama3":
		if r.Factor < 1 || r.Original < 1 || r.LowFreqFactor <= 0 || r.HighFreqFactor <= r.LowFreqFactor {
			return fmt.Errorf("model: rope scaling \"llama3\" needs factor >= 1, original_max_position_embeddings and high_freq_factor > low_freq_factor > 0")
		}
		return nil
	case "yarn":
		if r.Factor < 1 || r.Original < 1 || r.Theta == 1 || r.BetaFast <= 0 || r.BetaSlow <= 0 {
			return fmt.Errorf("model: rope scaling \"yarn\" needs factor >= 1 and original_max_position_embeddings")
		}
		return nil
	}
	if r.Kind == "longrope" {
		if !(r.Factor > 0) || r.Original < 2 || len(r.Short) == 0 || slices.Min(r.Short) <= 0 {
			return fmt.Errorf("model: rope scaling \"longrope\" needs positive short_factor and original_max_position_embeddings")
		}
		return nil
	}
	return fmt.Errorf("model: rope scaling %q is not supported (have: %v)", r.Kind, RopeKinds)
}

// frequencies gives radians per position of each feature pair, [headDim/2], and the factor on cosine and sine.
// Arithmetic is float64; the reference rounds to float32 on the way, which differs by about 1e-7 relative.
func (r *Rope) frequencies(headDim int) ([]float64, float64) {
	f := make([]float64, headDim/2)
	for i := range f {
		f[i] = math.Pow(r.Theta, -float64(2*i)/float64(headDim))
	}
	factor := 1.0
	switch r.Kind {
	case "linear":
		for i := range f {
			f[i] /= r.Factor
		}
	case "llama3":
		for i := range f {
			f[i] = r.llama3(f[i])
		}
	case "yarn":
		r.yarn(f, headDim)
		factor = r.yarnAttention()
	case "longrope": // as it is up to Original positions, which is as far as ft lets it go
		for i := range f {
			f[i] /= r.Short[i]
		}
		factor = r.longAttention()
	}
	// dynamic changes nothing up to the model's own context, which is as far as ft lets it go.
	for i, d := range r.Divisors {
		f[i] /= float64(d)
	}
	return f, factor
}

// llama3 leaves short wavelengths, divides long ones by Factor, and blends in between.
func (r *Rope) llama3(f float64) float64 {
	wavelength := 2 * math.Pi / f
	ctx := float64(r.Original)
	switch {
	case wavelength < ctx/r.HighFreqFactor:
		return f
	case wavelength > ctx/r.LowFreqFactor:
		return f / r.Factor
	}
	s := (ctx/wavelength - r.LowFreqFactor) / (r.HighFreqFactor - r.LowFreqFactor)
	return (1-s)*f/r.Factor + s*f
}

// yarn is "NTK by parts" (Peng et al. 2023, arXiv:2309.00071, §3.2).
func (r *Rope) yarn(f []float64, headDim int) {
	dimOf := func(rotations float64) float64 {
		return float64(headDim) * math.Log(float64(r.Original)/(rotations*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low, high := dimOf(r.BetaFast), dimOf(r.BetaSlow)
	if !r.NoTruncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(headDim-1))
	if low == high {
		high += 0.001
	}
	for i := range f {
		ramp := min(max((float64(i)-low)/(high-low), 0), 1)
		f[i] = f[i]/r.Factor*ramp + f[i]*(1-ramp)
	}
}

// longAttention is the factor on cosine and sine of LongRoPE (Ding et al. 2024, arXiv:2402.13753).
func (r *Rope) longAttention() float64 {
	switch {
	case r.AttentionFactor != 0:
		return r.AttentionFactor
	case r.Factor <= 1:
		return 1
	}
	return math.Sqrt(1 + math.Log(r.Factor)/math.Log(float64(r.Original)))
}

func (r *Rope) yarnAttention() float64 {
	scale := func(m float64) float64 {
		if r.Factor <= 1 {
			return 1
		}
		return 0.1*m*math.Log(r.Factor) + 1
	}
	switch {
	case r.AttentionFactor != 0:
		return r.AttentionFactor
	case r.MScale != 0 && r.MScaleAllDim != 0:
		return scale(r.MScale) / scale(r.MScaleAllDim)
	}
	return scale(1)
}
