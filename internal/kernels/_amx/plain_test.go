//go:build linux && amd64

package main

import (
	"encoding/hex"
	"testing"
)

// plainCases are what a CPU made of RDI, given RSI and the flags; the code is GNU as's.
var plainCases = []struct {
	text, code         string
	rdi, rsi, flags    uint64
	wantRDI, wantFlags uint64
}{
	{"addq $2048,%rdi", "4881c700080000", 0x64, 0xffffffffffffffff, 0xad7, 0x864, 0x202},
	{"addq $2048,%rdi", "4881c700080000", 0x80000000, 0xf, 0xad7, 0x80000800, 0x206},
	{"addq $-1,%rdi", "4883c7ff", 0x10, 0x7, 0xad7, 0xf, 0x207},
	{"addq $-1,%rdi", "4883c7ff", 0x0, 0xffffffff, 0x202, 0xffffffffffffffff, 0x286},
	{"subq $100,%rdi", "4883ef64", 0x7, 0x0, 0x202, 0xffffffffffffffa3, 0x287},
	{"subq $100,%rdi", "4883ef64", 0x1, 0x80000000, 0x203, 0xffffffffffffff9d, 0x293},
	{"addl $64,%edi", "83c740", 0x8000000000000000, 0x7fffffff, 0xad7, 0x40, 0x202},
	{"addl $64,%edi", "83c740", 0x1, 0x64, 0x202, 0x41, 0x206},
	{"addq %rsi,%rdi", "4801f7", 0x0, 0x0, 0x202, 0x0, 0x246},
	{"addq %rsi,%rdi", "4801f7", 0x7fffffff, 0xffffffffffffffff, 0x202, 0x7ffffffe, 0x213},
	{"subq %rsi,%rdi", "4829f7", 0xf, 0xf, 0x202, 0x0, 0x246},
	{"subq %rsi,%rdi", "4829f7", 0xf, 0xf, 0x202, 0x0, 0x246},
	{"cmpq %rsi,%rdi", "4839f7", 0x7fffffffffffffff, 0x7fffffffffffffff, 0xad7, 0x7fffffffffffffff, 0x246},
	{"cmpq %rsi,%rdi", "4839f7", 0xffffffff, 0x7fffffffffffffff, 0x202, 0xffffffff, 0x287},
	{"cmpl %esi,%edi", "39f7", 0x0, 0x0, 0x202, 0x0, 0x246},
	{"cmpl %esi,%edi", "39f7", 0xf, 0x8000000000000000, 0x202, 0xf, 0x206},
	{"cmpq $7,%rdi", "4883ff07", 0x7fffffffffffffff, 0xffffffffffffffff, 0x203, 0x7fffffffffffffff, 0x202},
	{"cmpq $7,%rdi", "4883ff07", 0x8000000000000000, 0x123456789abcdef0, 0xad7, 0x8000000000000000, 0xa16},
	{"decq %rdi", "48ffcf", 0x7, 0x8000000000000000, 0x202, 0x6, 0x206},
	{"decq %rdi", "48ffcf", 0x10, 0x8000000000000000, 0x203, 0xf, 0x217},
	{"incq %rdi", "48ffc7", 0xffffffffffffffff, 0x0, 0x203, 0x0, 0x257},
	{"incq %rdi", "48ffc7", 0x7fffffff, 0x7fffffffffffffff, 0x202, 0x80000000, 0x216},
	{"decl %edi", "ffcf", 0xffffffffffffffff, 0x1, 0x203, 0xfffffffe, 0x283},
	{"decl %edi", "ffcf", 0xffffffffffffffff, 0x64, 0xad7, 0xfffffffe, 0x283},
	{"xorl %edi,%edi", "31ff", 0x0, 0x64, 0xad7, 0x0, 0x246},
	{"xorl %edi,%edi", "31ff", 0x10, 0x80000000, 0x202, 0x0, 0x246},
	{"xorq %rsi,%rdi", "4831f7", 0xffffffffffffffff, 0xffffffffffffffff, 0x203, 0x0, 0x246},
	{"xorq %rsi,%rdi", "4831f7", 0xffffffff, 0x10, 0x203, 0xffffffef, 0x202},
	{"andq %rsi,%rdi", "4821f7", 0x7fffffffffffffff, 0x7fffffffffffffff, 0x203, 0x7fffffffffffffff, 0x206},
	{"andq %rsi,%rdi", "4821f7", 0x10, 0x7fffffffffffffff, 0x202, 0x10, 0x202},
	{"orl %esi,%edi", "09f7", 0xffffffffffffffff, 0xffffffffffffffff, 0xad7, 0xffffffff, 0x286},
	{"orl %esi,%edi", "09f7", 0x80000000, 0x7fffffff, 0x202, 0xffffffff, 0x286},
	{"testl %esi,%edi", "85f7", 0x123456789abcdef0, 0x123456789abcdef0, 0x203, 0x123456789abcdef0, 0x286},
	{"testl %esi,%edi", "85f7", 0x80000000, 0x7fffffff, 0xad7, 0x80000000, 0x246},
	{"testq %rdi,%rdi", "4885ff", 0x0, 0xffffffff, 0x202, 0x0, 0x246},
	{"testq %rdi,%rdi", "4885ff", 0x10, 0x7fffffffffffffff, 0xad7, 0x10, 0x202},
	{"movq %rsi,%rdi", "4889f7", 0x8000000000000000, 0x8000000000000000, 0x202, 0x8000000000000000, 0x202},
	{"movq %rsi,%rdi", "4889f7", 0xffffffff, 0x80000000, 0xad7, 0x80000000, 0xad7},
	{"movl %esi,%edi", "89f7", 0x80000000, 0x80000000, 0x203, 0x80000000, 0x203},
	{"movl %esi,%edi", "89f7", 0xf, 0xffffffff, 0x202, 0xffffffff, 0x202},
	{"leaq 16(%rdi,%rsi,4),%rdi", "488d7cb710", 0x64, 0x64, 0x203, 0x204, 0x203},
	{"leaq 16(%rdi,%rsi,4),%rdi", "488d7cb710", 0xffffffffffffffff, 0x0, 0x203, 0xf, 0x203},
	{"leal (%rdi,%rsi),%edi", "8d3c37", 0x1, 0x1, 0x203, 0x2, 0x203},
	{"leal (%rdi,%rsi),%edi", "8d3c37", 0x123456789abcdef0, 0x64, 0x203, 0x9abcdf54, 0x203},
	{"leaq -8(%rsi),%rdi", "488d7ef8", 0x7fffffffffffffff, 0x7fffffffffffffff, 0x203, 0x7ffffffffffffff7, 0x203},
	{"leaq -8(%rsi),%rdi", "488d7ef8", 0x10, 0x123456789abcdef0, 0x202, 0x123456789abcdee8, 0x202},
	{"prefetcht1 64(%rdi)", "0f185740", 0x1000, 0x7, 0x203, 0x1000, 0x203},
	{"prefetcht1 64(%rdi)", "0f185740", 0x1000, 0x7fffffffffffffff, 0x202, 0x1000, 0x202},
	{"nopl 0(%rax)", "0f1f00", 0x7, 0x7fffffffffffffff, 0xad7, 0x7, 0xad7},
	{"nopl 0(%rax)", "0f1f00", 0x10, 0xffffffffffffffff, 0x203, 0x10, 0x203},
	{"subl $1000,%edi", "81efe8030000", 0x7fffffffffffffff, 0x10, 0x202, 0xfffffc17, 0x286},
	{"subl $1000,%edi", "81efe8030000", 0x1, 0x64, 0xad7, 0xfffffc19, 0x293},
	{"addq %rsi,%rdi, other form", "4803fe", 0xffffffffffffffff, 0xffffffff, 0xad7, 0xfffffffe, 0x213},
	{"addq %rsi,%rdi, other form", "4803fe", 0x7fffffff, 0x7fffffffffffffff, 0x202, 0x800000007ffffffe, 0xa92},
	{"subq %rsi,%rdi, other form", "482bfe", 0x7, 0x0, 0x203, 0x7, 0x202},
	{"subq %rsi,%rdi, other form", "482bfe", 0x80000000, 0x8000000000000000, 0x202, 0x8000000080000000, 0xa87},
	{"cmpq %rsi,%rdi, other form", "483bfe", 0x10, 0x64, 0x202, 0x10, 0x297},
	{"cmpq %rsi,%rdi, other form", "483bfe", 0x7, 0xf, 0x203, 0x7, 0x293},
	{"movq %rsi,%rdi, other form", "488bfe", 0x1, 0x7fffffffffffffff, 0x203, 0x7fffffffffffffff, 0x203},
	{"movq %rsi,%rdi, other form", "488bfe", 0x80000000, 0x7fffffffffffffff, 0x202, 0x7fffffffffffffff, 0x202},
}

// padded is an instruction with others behind it.
func padded(t *testing.T, code string) []byte {
	t.Helper()
	b, err := hex.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, make([]byte, longest)...)
}

func TestPlain(t *testing.T) {
	for _, c := range plainCases {
		th := newThread(0, false)
		th.regs.Rip, th.regs.Rdi, th.regs.Rsi, th.regs.Eflags = 0x1000, c.rdi, c.rsi, c.flags
		ok := th.plain(padded(t, c.code))
		if !ok || th.regs.Rip != 0x1000+uint64(len(c.code)/2) {
			t.Errorf("%s (%s): done %v, at %#x", c.text, c.code, ok, th.regs.Rip)
			continue
		}
		if th.regs.Rdi != c.wantRDI || th.regs.Rsi != c.rsi || th.regs.Eflags != c.wantFlags {
			t.Errorf("%s of %#x and %#x, flags %#x: %#x, flags %#x, want %#x, %#x", c.text, c.rdi, c.rsi, c.flags, th.regs.Rdi, th.regs.Eflags, c.wantRDI, c.wantFlags)
		}
	}
}

func TestPlain_jumps(t *testing.T) {
	for _, c := range []struct {
		text, code string
		flags      uint64
		jumps      bool
	}{
		{"jmp", "eb03", 0, true},
		{"jmp, far", "e903000000", flags, true},
		{"jo", "7003", flagO, true}, {"jo", "7003", flags &^ flagO, false},
		{"jno", "7103", flagO, false}, {"jno", "7103", 0, true},
		{"jc", "7203", flagC, true}, {"jc", "7203", 0, false},
		{"jnc", "7303", flagC, false}, {"jnc", "7303", 0, true},
		{"jz", "7403", flagZ, true}, {"jz", "7403", 0, false},
		{"jnz", "7503", flagZ, false}, {"jnz", "7503", 0, true},
		{"jnz, far", "0f8503000000", 0, true}, {"jnz, far", "0f8503000000", flagZ, false},
		{"jbe", "7603", flagC, true}, {"jbe", "7603", flagZ, true}, {"jbe", "7603", 0, false},
		{"ja", "7703", flagZ, false}, {"ja", "7703", 0, true},
		{"js", "7803", flagS, true}, {"js", "7803", 0, false},
		{"jp", "7a03", flagP, true}, {"jp", "7a03", 0, false},
		{"jl", "7c03", flagS, true}, {"jl", "7c03", flagS | flagO, false}, {"jl", "7c03", flagZ, false},
		{"jge", "7d03", flagO, false}, {"jge", "7d03", flagS | flagO, true},
		{"jle", "7e03", flagZ, true}, {"jle", "7e03", flagO, true}, {"jle", "7e03", 0, false},
		{"jg", "7f03", 0, true}, {"jg", "7f03", flagZ, false},
	} {
		th := newThread(0, false)
		th.regs.Rip, th.regs.Eflags = 0x1000, c.flags
		want := 0x1000 + uint64(len(c.code)/2)
		if c.jumps {
			want += 3
		}
		if ok := th.plain(padded(t, c.code)); !ok || th.regs.Rip != want {
			t.Errorf("%s, flags %#x: done %v, at %#x, want %#x", c.text, c.flags, ok, th.regs.Rip, want)
		}
	}
	th := newThread(0, false)
	th.regs.Rip = 0x1000
	if !th.plain(padded(t, "ebf0")) || th.regs.Rip != 0x1002-16 {
		t.Errorf("a jump back ends at %#x", th.regs.Rip)
	}
}

// TestPlain_left: other instructions are left to the CPU.
func TestPlain_left(t *testing.T) {
	for text, code := range map[string]string{
		"ret":              "c3",
		"movq (%rsi),%rdi": "488b3e",
		"addq %rsi,(%rdi)": "480137",
		"sbb %rsi,%rdi":    "4819f7",
		"adc $1,%rdi":      "4883d701",
		"call *%rdi":       "ffd7",
		"push %rdi":        "57",
		"vzeroupper":       "c5f877",
		"lock prefix":      "f0480137",
	} {
		th := newThread(0, false)
		th.regs.Rip, th.regs.Rdi = 0x1000, 5
		before := th.regs
		if th.plain(padded(t, code)) || th.regs != before {
			t.Errorf("%s is done", text)
		}
	}
}
