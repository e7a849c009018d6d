package kernels

import "fmt"

// RoPE rotates x [t, heads·headDim], rows stride apart, in place by the rotary position embedding (Su et al.
// 2021, arXiv:2104.09864) in Hugging Face's half-split order: element i of a head pairs with i+headDim/2.
// Token i has position pos[i]; cos and sin are tables [positions, headDim/2], headDim even. inverse rotates
// back, which is the backward pass.
func RoPE(x []float32, t, heads, headDim, stride int, pos []int32, cos, sin []float32, inverse bool) {
	half, width := headDim/2, heads*headDim
	if t < 0 || heads < 0 || headDim <= 0 || headDim%2 != 0 || len(pos) != t || len(cos) != len(sin) || len(cos)%half != 0 ||
		stride < width || t > 0 && len(x) < (t-1)*stride+width {
		panic(fmt.Sprintf("kernels: RoPE: x %d values for [%d,%d·%d] with row distance %d, %d positions, tables of %d and %d",
			len(x), t, heads, headDim, stride, len(pos), len(cos), len(sin)))
	}
	rope := active.Load().ops.rope
	for i, p := range pos {
		at := int(p) * half
		if p < 0 || at >= len(cos) {
			panic(fmt.Sprintf("kernels: RoPE: position %d, tables have %d", p, len(cos)/half))
		}
		rope(x[i*stride:i*stride+width], heads, half, cos[at:at+half], sin[at:at+half], inverse)
	}
}

// rotate turns the pairs (a,b) by the angles with cosines c and sines s, or back.
func rotate(a, b, c, s []float32, inverse bool) {
	b, c, s = b[:len(a)], c[:len(a)], s[:len(a)]
	if inverse {
		for i, u := range a {
			v := b[i]
			a[i], b[i] = float32(u*c[i])+float32(v*s[i]), float32(v*c[i])-float32(u*s[i])
		}
		return
	}
	for i, u := range a {
		v := b[i]
		a[i], b[i] = float32(u*c[i])-float32(v*s[i]), float32(v*c[i])+float32(u*s[i])
	}
}
