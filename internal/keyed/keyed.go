// Package keyed makes random numbers that are functions of a key and a counter and of nothing else: what is drawn
// does not depend on what was drawn before, so packing, threads and resumption cannot change it.
package keyed

import "hash/fnv"

// Increment is what SplitMix64 adds to its state at every step.
const Increment = 0x9e3779b97f4a7c15

// Mix is the output function of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
// generators", with the constants that are in common use).
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Name is the key of a name: its 64-bit FNV-1a hash.
func Name(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}
