package dataset

import "math/bits"

// searchSteps bounds the search for what fills one bin.
const searchSteps = 1000

// leastSlack fills bins one by one, each with the largest size left and with those that leave the least room beside it, as far as the search
// gets; order has the largest first.
func leastSlack(sizes, order []int, room int) (bin []int, n int) {
	bin = make([]int, len(sizes))
	s := &slack{left: make([][]int, room+1), any: make([]uint64, room/64+1)}
	for k := len(order) - 1; k >= 0; k-- { // the first of equals is taken first
		switch i := order[k]; {
		case sizes[i] > room:
			bin[i] = n
			n++
		default:
			size := max(sizes[i], 1)
			s.left[size] = append(s.left[size], i)
			s.any[size/64] |= 1 << (size % 64)
		}
	}
	for largest := s.atMost(room); largest > 0; largest = s.atMost(room) {
		bin[s.take(largest)] = n
		s.path, s.best, s.free, s.steps = s.path[:0], s.best[:0], room-largest, searchSteps
		s.search(room-largest, largest)
		for _, size := range s.best {
			bin[s.take(size)] = n
		}
		n++
	}
	return bin, n
}

// slack is a search for the sizes that fill a bin.
type slack struct {
	left [][]int  // size → indices that have no bin
	any  []uint64 // a bit for each size that is left

	path  []int
	best  []int // the path that leaves the least room
	free  int   // which is this
	steps int   // that the search may still make
}

// atMost is the largest size left that is not above n; 0 if there is none.
func (s *slack) atMost(n int) int {
	if n <= 0 {
		return 0
	}
	word := n / 64
	have := s.any[word] & (1<<(n%64)<<1 - 1)
	for have == 0 {
		if word--; word < 0 {
			return 0
		}
		have = s.any[word]
	}
	return word*64 + 63 - bits.LeadingZeros64(have)
}

// take removes an index of that size.
func (s *slack) take(size int) int {
	list := s.left[size]
	i := list[len(list)-1]
	if s.left[size] = list[:len(list)-1]; len(list) == 1 {
		s.any[size/64] &^= 1 << (size % 64)
	}
	return i
}

// search adds sizes that are not above most to the path, the larger ones first, and reports whether one fills the room.
func (s *slack) search(room, most int) bool {
	if room < s.free {
		s.free, s.best = room, append(s.best[:0], s.path...)
	}
	if room == 0 {
		return true
	}
	for size := s.atMost(min(room, most)); size > 0 && s.steps > 0; size = s.atMost(size - 1) {
		taken := 0
		for k := len(s.path) - 1; k >= 0 && s.path[k] == size; k-- {
			taken++
		}
		if taken == len(s.left[size]) {
			continue
		}
		s.steps--
		s.path = append(s.path, size)
		if s.search(room-size, size) {
			return true
		}
		s.path = s.path[:len(s.path)-1]
	}
	return false
}
