package keyed

import "testing"

// TestMix: the first outputs of SplitMix64 from the state 1234567, as its authors' program gives them.
func TestMix(t *testing.T) {
	state := uint64(1234567)
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		state += Increment
		if got := Mix(state); got != want {
			t.Errorf("output %d is %d, want %d", i, got, want)
		}
	}
}

// TestName: published values of 64-bit FNV-1a.
func TestName(t *testing.T) {
	for name, want := range map[string]uint64{"": 0xcbf29ce484222325, "a": 0xaf63dc4c8601ec8c, "foobar": 0x85944171f73967e8} {
		if got := Name(name); got != want {
			t.Errorf("Name(%q) = %#x, want %#x", name, got, want)
		}
	}
}
