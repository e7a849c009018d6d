package near

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func fold(s string) *Text {
	t := new(Text)
	t.Fold(s)
	return t
}

func TestFold_same(t *testing.T) {
	for _, same := range [][]string{
		{"What is asthma?", "what IS  asthma", " What, is: asthma!\n", "What is as\u00adthma\u200b?", "Ｗｈａｔ is “asthma”？"},
		{"Café au lait", "cafe\u0301 AU lait."},
		{"高血压患者能吃党参吗？", "高血压患者能吃党参吗", "高血压，患者能吃 党参吗!"},
		{"5 mg/dl", "5 mg dl"},
		{"H₂O x²", "H2O X2"}, {"Größe", "größe"},
		{"", " \t", "?!…"},
	} {
		for _, s := range same[1:] {
			if a, b := fold(same[0]), fold(s); a.Sequence() != b.Sequence() || a.Bag() != b.Bag() {
				t.Errorf("%q and %q differ", same[0], s)
			}
		}
	}
	differ := []string{"a+b", "a-b", "a<b", "a=b", "type 1", "type 2", "b a", "ab", "高血", "血高", "高 低", "is it", "is it it"}
	for i, a := range differ {
		for _, b := range differ[:i] {
			if fold(a).Sequence() == fold(b).Sequence() {
				t.Errorf("%q and %q are the same", a, b)
			}
		}
	}
}

func TestText_order(t *testing.T) {
	a := fold("I have a cough. What is it? It hurts at 3.5 p.m.\nPlease help")
	for _, s := range []string{"Please help. What is it? I have a cough! It hurts at 3.5 p.m.", "It hurts at 3.5 p.m.\nplease help\nI have a cough\nWhat is it\n"} {
		if b := fold(s); a.Sentences() != b.Sentences() || a.Bag() != b.Bag() || a.Sequence() == b.Sequence() {
			t.Errorf("%q has not the same sentences in another order", s)
		}
	}
	if b := fold("I have it. What is a cough? It hurts at 3.5 p.m.\nPlease help"); a.Sentences() == b.Sentences() || a.Bag() != b.Bag() {
		t.Error("other sentences of the same words")
	}
	if a, b := fold("我咳嗽。这是什么病？怎么办"), fold("怎么办。我咳嗽！这是什么病？"); a.Sentences() != b.Sentences() {
		t.Error("Chinese sentences in another order are others")
	}
	if w := fold("高血压 and 3 more words").Weight(); w != 6 {
		t.Errorf("weight %d, want 6", w)
	}
}

func TestDifference(t *testing.T) {
	for _, c := range []struct {
		a, b           string
		onlyA, onlyB   int
		labels, others bool // of all words that differ
	}{
		{"type 1 of it", "of it: type 2", 1, 1, true, false},
		{"type IV", "type V", 1, 1, true, false},
		{"甲型肝炎", "乙型肝炎", 1, 1, true, false},
		{"hepatitis A", "hepatitis B", 1, 1, true, false},
		{"what are the symptoms of flu", "what are the treatments for flu", 2, 2, false, true},
		{"a cat", "a cat and a dog", 0, 3, false, true},
		{"is it so", "is it so, please", 0, 1, false, false},
	} {
		onlyA, onlyB := Difference(fold(c.a), fold(c.b))
		all := append(slices.Clone(onlyA), onlyB...)
		if len(onlyA) != c.onlyA || len(onlyB) != c.onlyB {
			t.Errorf("%q, %q: %d and %d words differ", c.a, c.b, len(onlyA), len(onlyB))
		}
		if got := !slices.ContainsFunc(all, func(k Token) bool { return !Label(k) }); got != c.labels {
			t.Errorf("%q, %q: labels %v", c.a, c.b, got)
		}
		if got := slices.ContainsFunc(all, func(k Token) bool { return !Function(k) && !Label(k) }); got != c.others {
			t.Errorf("%q, %q: words of meaning %v", c.a, c.b, got)
		}
		back, forth := Difference(fold(c.b), fold(c.a))
		if Change(onlyA, onlyB) != Change(back, forth) {
			t.Errorf("%q, %q: the change depends on the order", c.a, c.b)
		}
	}
}

// corpus makes texts of words, some of them changed copies of others.
func corpus(n int, seed uint64) [][]string {
	rng := rand.New(rand.NewPCG(seed, 1))
	texts := make([][]string, n)
	for i := range texts {
		if i > n/2 && rng.IntN(2) == 0 {
			texts[i] = change(rng, texts[rng.IntN(n/2)], rng.IntN(6))
			continue
		}
		for range 5 + rng.IntN(60) {
			texts[i] = append(texts[i], fmt.Sprintf("w%d", int(math.Exp(rng.Float64()*8)))) // few frequent words, many rare ones
		}
	}
	return texts
}

// change replaces, drops or adds words.
func change(rng *rand.Rand, words []string, times int) []string {
	words = slices.Clone(words)
	for range times {
		at := rng.IntN(len(words))
		switch word := fmt.Sprintf("n%d", rng.IntN(1000)); rng.IntN(3) {
		case 0:
			words[at] = word
		case 1:
			if len(words) > 3 {
				words = slices.Delete(words, at, at+1)
			}
		default:
			words = slices.Insert(words, at, word)
		}
	}
	return words
}

func pairsOf(t *testing.T, texts [][]string, threshold float64) []Pair {
	t.Helper()
	pairs, err := Pairs(len(texts), threshold, func(i int, to []uint64) ([]uint64, error) {
		return fold(strings.Join(texts[i], " ")).Features(to), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// TestPairs measures recall and precision against a comparison of all pairs.
func TestPairs(t *testing.T) {
	texts := corpus(1000, 3)
	sets := make([][]uint64, len(texts))
	for i, w := range texts {
		sets[i] = Set(fold(strings.Join(w, " ")).Features(nil))
	}
	for _, threshold := range []float64{0.5, 0.7, 0.8, 0.9, 1} {
		want := map[[2]int32]float64{}
		for i := range sets {
			for j := range i {
				if s := Jaccard(sets[i], sets[j]); s >= threshold {
					want[[2]int32{int32(j), int32(i)}] = s
				}
			}
		}
		got := pairsOf(t, texts, threshold)
		for _, p := range got {
			if s, ok := want[[2]int32{p.A, p.B}]; !ok || s != p.Similarity {
				t.Errorf("threshold %v: %+v is no such pair (%v)", threshold, p, s)
			}
		}
		recall := float64(len(got)) / float64(len(want))
		t.Logf("threshold %v: %d of %d pairs", threshold, len(got), len(want))
		if len(want) < 30 || recall < 0.995 {
			t.Errorf("threshold %v: recall %v of %d pairs, want at least 0.995", threshold, recall, len(want))
		}
	}
}

func TestPairs_threads(t *testing.T) {
	texts := corpus(400, 5)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := pairsOf(t, texts, 0.6)
	runtime.GOMAXPROCS(7)
	if many := pairsOf(t, texts, 0.6); !slices.Equal(one, many) || len(one) == 0 {
		t.Errorf("%d pairs with one thread, %d with seven", len(one), len(many))
	}
	sorted := slices.IsSortedFunc(one, func(a, b Pair) int { return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B)) })
	if !sorted {
		t.Error("not sorted")
	}
}

// TestPairs_manyAlike: thousands of like texts are no square of comparisons, and still hang together.
func TestPairs_manyAlike(t *testing.T) {
	const n = 1500
	texts := make([][]string, n)
	for i := range texts {
		texts[i] = append(strings.Fields(strings.Repeat("all of this is the same in every text but for ", 3)), "t"+fmt.Sprint(i))
	}
	for i := range texts {
		texts[i] = append(strings.Fields("a b c d e f g h i j k l m n o p q r s t u v w x y z"), texts[i]...)
	}
	compared := pairsOf(t, texts, 0.8)
	if len(compared) > n*window*2 {
		t.Errorf("%d pairs", len(compared))
	}
	seen := map[int32]bool{}
	for _, p := range compared {
		seen[p.A], seen[p.B] = true, true
	}
	if len(seen) < n*99/100 {
		t.Errorf("%d of %d texts are in pairs", len(seen), n)
	}
}

func TestPairs_edges(t *testing.T) {
	if got := pairsOf(t, nil, 0.8); len(got) != 0 {
		t.Error(got)
	}
	if got := pairsOf(t, [][]string{{}, {}, {"a"}, {"a"}}, 0.8); !slices.Equal(got, []Pair{{2, 3, 1}}) {
		t.Error(got)
	}
	broken := errors.New("broken")
	if _, err := Pairs(100, 0.8, func(int, []uint64) ([]uint64, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
