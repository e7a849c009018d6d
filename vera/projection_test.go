package vera

import "testing"

// TestMT19937: the 10,000th output from the seed 5489, which the C++ standard gives for its mt19937, and the first from others.
func TestMT19937(t *testing.T) {
	g := newMT19937(5489)
	for range 9999 {
		g.word()
	}
	if got := g.word(); got != 4123659995 {
		t.Errorf("output 10,000 is %d, want 4123659995", got)
	}
	if got := newMT19937(5489).word(); got != 3499211612 {
		t.Errorf("the first output is %d, want 3499211612", got)
	}
}
