package near

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"

	"ft/internal/workers"
)

// Pair is two texts, by their indices, A before B, and their similarity.
type Pair struct {
	A, B       int32
	Similarity float64
}

// Limits of the search.
const (
	bands     = 40
	recall    = 0.999 // wanted of pairs at the threshold
	keyMemory = 64 << 20
	// sketch is the number of MinHashes, a byte of each, by which candidates are judged before they are compared.
	sketch = 64
	// keptSets is the number of texts up to which sets of features are kept, and keptFeatures how many in all.
	keptSets, keptFeatures = 100_000, 8 << 20
	// window is how many of the texts behind it in a bucket one is compared with, at most. Where more texts than that are alike,
	// chains of pairs connect them.
	window = 64
	// Bounds for many texts: so many pairs and comparisons in all, shared out among the texts, of each at least the next.
	allPairs, leastPairs       = 8 << 20, 8
	allCompared, leastCompared = 16 << 20, 16
	mostCompared               = 512
	// candidates are compared in batches of at least so many.
	batch = 1 << 18
	// stretch is how many places of a band's order give candidates at one time.
	stretch = 1 << 15
)

// rowsPerBand is how many MinHashes make a band: the most with which a pair at the threshold still shares one of the bands with
// probability recall.
func rowsPerBand(threshold float64) int {
	r := 1
	for ; r < 8; r++ {
		if 1-math.Pow(1-math.Pow(threshold, float64(r+1)), bands) < recall {
			break
		}
	}
	return r
}

// Pairs finds the pairs of n texts whose similarity is at least threshold, sorted by A and B. features appends those of text i to a
// slice; it is called from several goroutines, and several times for a text. A text without features is in no pair.
//
// Candidates come from MinHash with locality-sensitive hashing (Broder 1997; Indyk and Motwani 1998): texts that agree in one of
// 40 bands of MinHashes. All of a text's MinHashes are made with one pass over its features (one-permutation hashing with
// optimal densification, Shrivastava 2017, arXiv:1703.04664). Candidates that 64 other MinHashes find far below the threshold (by four standard
// deviations) are passed over; all others are compared exactly, so that what is returned is as
// similar as it says. Of the pairs at the threshold 1 in 1,000 is expected to be missed, of more similar ones fewer. The bands are gone through
// in as many passes as keep their keys within 64 MiB. Where many texts are alike, not all pairs are compared (see the limits above), and chains of
// pairs connect them.
func Pairs(n int, threshold float64, features func(i int, to []uint64) ([]uint64, error)) ([]Pair, error) {
	s := &search{n: n, threshold: threshold, rows: rowsPerBand(threshold), features: features, sketches: make([]uint8, n*sketch)}
	s.least = int(sketch * (threshold - 4*math.Sqrt(threshold*(1-threshold)/sketch)))
	s.pairs, s.most = make([]uint8, n), uint8(min(window, max(leastPairs, allPairs/max(n, 1))))
	s.compared, s.mostCompared = make([]uint16, n), uint16(min(mostCompared, max(leastCompared, allCompared/max(n, 1))))
	s.window = min(window, max(leastCompared, allCompared/max(n, 1)))
	if n <= keptSets {
		s.sets = make([]atomic.Pointer[[]uint64], n)
	}
	perPass := min(bands, max(1, keyMemory/(4*max(n, 1))))
	for lo := 0; lo < bands; lo += perPass {
		if err := s.pass(lo, min(bands, lo+perPass)); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.found, func(a, b Pair) int { return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B)) })
	return slices.Compact(s.found), nil
}

type search struct {
	n         int
	threshold float64
	rows      int // MinHashes a band
	features  func(i int, to []uint64) ([]uint64, error)
	found     []Pair

	sketches []uint8 // [n, sketch]
	least    int     // equal bytes of sketches of candidates that are compared
	sets     []atomic.Pointer[[]uint64]
	kept     atomic.Int64 // features in sets
	pairs    []uint8      // found of each text as the first of the two
	most     uint8
	compared []uint16 // candidates of each text as the first of the two
	window   int

	mostCompared uint16
}

// pass compares the texts that agree in one of the bands lo to hi.
func (s *search) pass(lo, hi int) error {
	width := hi - lo
	keys := make([]uint32, s.n*width) // [n, width]; 0: no features
	err := workers.Do(s.n, 64, func() func(int) error {
		m := newMinHashes(bands*s.rows + sketch)
		var f []uint64
		return func(i int) (err error) {
			if f, err = s.features(i, f[:0]); err != nil || len(f) == 0 {
				return err
			}
			m.of(f)
			for j, v := range m.all[bands*s.rows:] {
				s.sketches[i*sketch+j] = uint8(mix(v))
			}
			for b := range width {
				keys[i*width+b] = m.band(lo+b, s.rows)
			}
			return nil
		}
	})
	if err != nil {
		return err
	}
	var chosen [][2]int32
	order := make([]uint64, 0, s.n)
	for b := range width {
		order = order[:0]
		for i := range s.n {
			if k := keys[i*width+b]; k != 0 {
				order = append(order, uint64(k)<<32|uint64(i))
			}
		}
		slices.Sort(order)
		for from := 0; from < len(order); from += stretch {
			chosen = s.candidates(chosen, order, from, min(len(order), from+stretch), keys, width, b)
			if len(chosen) < batch {
				continue
			}
			if err := s.compare(chosen); err != nil {
				return err
			}
			chosen = chosen[:0]
		}
		s.forget(order, keys, width, b)
	}
	return s.compare(chosen)
}

// candidates appends the pairs worth comparing whose first text is order[from:to], in order. A text is the first of pairs in one
// place of a band's order only, so that places can be shared out and nothing depends on who comes first.
func (s *search) candidates(chosen [][2]int32, order []uint64, from, to int, keys []uint32, width, b int) [][2]int32 {
	const grain = 1 << 10
	parts := make([][][2]int32, (to-from+grain-1)/grain)
	workers.Each(len(parts), 1, func(p int) {
		for x := from + p*grain; x < min(to, from+(p+1)*grain); x++ {
			for y := x + 1; y < len(order) && y <= x+s.window && order[y]>>32 == order[x]>>32; y++ {
				i, j := int(uint32(order[x])), int(uint32(order[y]))
				if s.pairs[i] >= s.most || s.compared[i] >= s.mostCompared {
					break
				}
				if !s.promising(i, j) || shared(keys[i*width:i*width+b], keys[j*width:j*width+b]) {
					continue // not alike, or compared already
				}
				s.compared[i]++
				parts[p] = append(parts[p], [2]int32{int32(i), int32(j)})
			}
		}
	})
	for _, p := range parts {
		chosen = append(chosen, p...)
	}
	return chosen
}

// forget takes a band's key from texts in buckets that are larger than the window: not all pairs of them were compared.
func (s *search) forget(order []uint64, keys []uint32, width, b int) {
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && order[to]>>32 == order[from]>>32 {
			to++
		}
		if to-from > s.window+1 {
			for _, o := range order[from:to] {
				keys[int(uint32(o))*width+b] = 0
			}
		}
		from = to
	}
}

// shared reports whether two texts agree in one of these bands.
func shared(a, b []uint32) bool {
	for i := range a {
		if a[i] == b[i] && a[i] != 0 {
			return true
		}
	}
	return false
}

// compare keeps those of the candidates that are similar.
func (s *search) compare(chosen [][2]int32) error {
	similarity := make([]float64, len(chosen))
	err := workers.Do(len(chosen), 256, func() func(int) error {
		var a, b []uint64
		var spareA, spareB []uint64
		last := int32(-1) // whose set a is
		return func(x int) (err error) {
			if i := chosen[x][0]; i != last {
				if a, err = s.set(int(i), &spareA); err != nil {
					return err
				}
				last = i
			}
			if b, err = s.set(int(chosen[x][1]), &spareB); err != nil {
				return err
			}
			similarity[x] = jaccard(a, b, s.threshold)
			return nil
		}
	})
	for x, v := range similarity {
		if a := chosen[x][0]; v >= s.threshold && s.pairs[a] < s.most {
			s.pairs[a]++
			s.found = append(s.found, Pair{a, chosen[x][1], v})
		}
	}
	return err
}

// promising reports whether the sketches of two texts allow that they are similar.
func (s *search) promising(i, j int) bool {
	a, b := s.sketches[i*sketch:(i+1)*sketch], s.sketches[j*sketch:(j+1)*sketch]
	const low7 = 0x7f7f7f7f7f7f7f7f
	equal := sketch
	for k := 0; k < sketch; k += 8 {
		x := binary.LittleEndian.Uint64(a[k:]) ^ binary.LittleEndian.Uint64(b[k:])
		equal -= bits.OnesCount64(((x & low7) + low7 | x) &^ low7) // bytes that are not 0
	}
	return equal >= s.least
}

// set is the set of a text's features, kept while there is room, else in spare.
func (s *search) set(i int, spare *[]uint64) ([]uint64, error) {
	if s.sets != nil {
		if kept := s.sets[i].Load(); kept != nil {
			return *kept, nil
		}
	}
	f, err := s.features(i, (*spare)[:0])
	if err != nil {
		return nil, err
	}
	*spare = f
	f = Set(f)
	if s.sets != nil && s.kept.Add(int64(len(f))) <= keptFeatures {
		own := slices.Clone(f)
		s.sets[i].Store(&own)
	}
	return f, nil
}

// minHashes are the MinHashes of one text.
type minHashes struct {
	own, all []uint64
	others   []uint16 // [bins, tries]: whose value an empty bin takes
}

const (
	emptyBin = math.MaxUint64
	tries    = 8 // kept in others; later ones are computed
)

func newMinHashes(n int) *minHashes {
	m := &minHashes{make([]uint64, n), make([]uint64, n), make([]uint16, n*tries)}
	for i := range m.others {
		m.others[i] = uint16(m.other(i/tries, i%tries))
	}
	return m
}

// other is the bin that an empty one looks at.
func (m *minHashes) other(bin, try int) uint64 {
	other, _ := bits.Mul64(mix(uint64(bin)*increment+uint64(try+1)), uint64(len(m.own)))
	return other
}

// of computes the MinHashes of a text: bin i is the least of the features that fall into it; a bin that stays empty takes the value
// of another one, which a hash of its number chooses, so that two texts choose alike.
func (m *minHashes) of(features []uint64) {
	n := uint64(len(m.own))
	for i := range m.own {
		m.own[i] = emptyBin
	}
	for _, f := range features {
		bin, value := bits.Mul64(mix(f+increment), n)
		m.own[bin] = min(m.own[bin], value)
	}
	for i, v := range m.own {
		for try := 0; v == emptyBin; try++ {
			if try < tries {
				v = m.own[m.others[i*tries+try]]
			} else {
				v = m.own[m.other(i, try)]
			}
		}
		m.all[i] = v
	}
}

// band is a hash of the MinHashes of a band, never 0.
func (m *minHashes) band(b, rows int) uint32 {
	h := uint64(b)
	for _, v := range m.all[b*rows : (b+1)*rows] {
		h = mix(h*fnvPrime + v)
	}
	return max(1, uint32(h))
}
