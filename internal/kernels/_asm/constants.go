package main

import "math"

// formatConstants writes the constants of the formats, 64 bytes each, or 128 where 32 lanes are told apart.
func formatConstants(f *file) {
	all := func(v uint32) func(int) uint32 { return func(int) uint32 { return v } }
	four := func(v ...uint32) func(int) uint32 { return func(i int) uint32 { return v[i%4] } }
	float := func(from int) func(int) uint32 {
		return func(i int) uint32 { return math.Float32bits(float32(i + from)) }
	}
	for _, c := range []struct {
		name  string
		lanes int
		value func(lane int) uint32
	}{
		{"count", 16, float(0)},
		{"above", 16, float(16)},
		{"minus8", 16, float(-8)},
		{"minus16", 16, float(-16)},
		{"lane", 32, func(i int) uint32 { return uint32(i) }},
		{"three", 16, all(3)},
		{"four", 16, all(4)},
		{"eight", 16, all(8)},
		{"fifteen", 16, all(15)},
		{"sixteen", 16, all(16)},
		{"thirtyTwo", 16, all(32)},
		{"fortyEight", 16, all(48)},
		{"fifteenBytes", 16, all(0x0f0f0f0f)},
		{"topBytes", 16, all(0x30303030)},
		{"halfBytes", 16, all(0x20202020)},
		{"evens", 16, four(0, 2, 4, 6)},
		{"lastFour", 16, four(0, 0, 0, 4)},
		{"scaleLow", 16, four(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f)},
		{"scaleHigh", 16, four(0, 0x30303030, 0, 0x30303030)},
		{"spread", 16, func(i int) uint32 { return uint32(i%8*2 | (i%8*2+1)<<16) }},
		{"upper", 16, func(i int) uint32 { return []uint32{0, 0x00040004}[i/8] }},
	} {
		for i := range c.lanes {
			f.line("DATA %s<>+%d(SB)/4, $0x%08x", c.name, 4*i, c.value(i))
		}
		f.line("GLOBL %s<>(SB), RODATA|NOPTR, $%d", c.name, 4*c.lanes)
	}
}
