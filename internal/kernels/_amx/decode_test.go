//go:build linux && amd64

package main

import (
	"encoding/hex"
	"testing"
)

// TestDecodeTile: the bytes are GNU as's.
func TestDecodeTile(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		text, code string
		want       tileInstruction
	}{
		{"ldtilecfg (%rax)", "c4e2784900", tileInstruction{op: loadConfig, memory: memory{0, none, 0, 0}}},
		{"ldtilecfg 64(%r13,%r9,4)", "c4827849448d40", tileInstruction{op: loadConfig, memory: memory{13, 9, 2, 64}}},
		{"ldtilecfg 256(%rip)", "c4e278490500010000", tileInstruction{op: loadConfig, memory: memory{ripBase, none, 0, 256}}},
		{"tilerelease", "c4e27849c0", tileInstruction{op: tileRelease}},
		{"tilezero %tmm5", "c4e27b49e8", tileInstruction{op: tileZero, reg: 5}},
		{"tileloadd (%rsi,%rax,1), %tmm4", "c4e27b4b2406", tileInstruction{op: tileLoad, reg: 4, memory: memory{6, 0, 0, 0}}},
		{"tileloadd 2112(%rdi,%rcx,1), %tmm3", "c4e27b4b9c0f40080000", tileInstruction{op: tileLoad, reg: 3, memory: memory{7, 1, 0, 2112}}},
		{"tileloadd -64(%r8,%r15,2), %tmm1", "c4827b4b4c78c0", tileInstruction{op: tileLoad, reg: 1, memory: memory{8, 15, 1, -64}}},
		{"tileloadd 16(,%rdx,1), %tmm0", "c4e27b4b041510000000", tileInstruction{op: tileLoad, memory: memory{none, 2, 0, 16}}},
		{"tileloadd (%r12), %tmm2", "c4c27b4b1424", tileInstruction{op: tileLoad, reg: 2, memory: memory{12, none, 0, 0}}},
		{"tileloadd 0(%rbp,%r12,8), %tmm2", "c4a27b4b54e500", tileInstruction{op: tileLoad, reg: 2, memory: memory{5, 12, 3, 0}}},
		{"tileloaddt1 1024(%rbx,%rax,1), %tmm7", "c4e2794bbc0300040000", tileInstruction{op: tileLoad, reg: 7, memory: memory{3, 0, 0, 1024}}},
		{"tilestored %tmm6, (%r10,%r11,1)", "c4827a4b341a", tileInstruction{op: tileStore, reg: 6, memory: memory{10, 11, 0, 0}}},
		{"tdpbf16ps %tmm6,%tmm4,%tmm0", "c4e24a5cc4", tileInstruction{op: tileMultiply, reg: 0, rm: 4, v: 6}},
		{"tdpbf16ps %tmm1,%tmm2,%tmm7", "c4e2725cfa", tileInstruction{op: tileMultiply, reg: 7, rm: 2, v: 1}},
	} {
		code, err := hex.DecodeString(c.code)
		if err != nil {
			t.Fatal(err)
		}
		in, ok := decodeTile(append(code, 0x90, 0x90))
		if in.op != tileMultiply && in.op != tileRelease && in.op != tileZero {
			in.rm = 0 // -1: memory
		} else {
			in.memory = memory{}
		}
		c.want.size = len(code)
		if !ok || in != c.want {
			t.Errorf("%s: %+v (%v), want %+v", c.text, in, ok, c.want)
		}
		for n := range code {
			if _, ok := decodeTile(code[:n]); ok {
				t.Errorf("%s: %d of its %d bytes pass", c.text, n, len(code))
			}
		}
	}
	for text, code := range map[string]string{
		"sttilecfg (%rax)":            "c4e2794900",
		"tdpbssd %tmm6,%tmm4,%tmm0":   "c4e24b5ec4",
		"vxorps %xmm0,%xmm0,%xmm0":    "c5f857c0",
		"vpshufb %xmm1,%xmm2,%xmm3":   "c4e26900d9",
		"tileloadd without SIB":       "c4e27b4b20",
		"tileloadd with VEX.W":        "c4e2fb4b2406",
		"tilezero with a second tile": "c4e27349e8",
	} {
		b, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		if in, ok := decodeTile(append(b, make([]byte, 8)...)); ok {
			t.Errorf("%s passes as %+v", text, in)
		}
	}
}
