package eval

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// sacrebleuVersion is the release of sacrebleu whose rules and tokenizers are followed.
const sacrebleuVersion = "2.6.0+ft"

// bleu is the corpus BLEU of Papineni et al. 2002 as sacrebleu computes it (Post 2018, arXiv:1804.08771), with sacrebleu's
// options. Counts are summed over the corpus.
type bleu struct {
	tokenizer string // empty: zh for Chinese references and 13a otherwise
	lowerCase bool
	// smooth is the smoothing method (Chen and Cherry 2014), value what floor and add-k put in for counts or add to them.
	smooth string
	value  float64
	// effective leaves out orders that the predictions are too short for, as is usual for single sentences.
	effective bool
	order     int // of the longest n-grams
	// split is the tokenizer's function if that needs files of the user's.
	split func(string) []string
}

// The longest n-grams that BLEU may count, and those that it counts by default.
const (
	bleuLimit = 9
	bleuOrder = 4
)

// smoothings are the smoothing methods with the values that they have by default; 0 for those without one.
var smoothings = []struct {
	name  string
	value float64
}{{"exp", 0}, {"floor", 0.1}, {"add-k", 1}, {"none", 0}}

func bleuOptions() []string {
	return append(tokenizerNames(), "lc", "smooth=exp|floor|add-k|none", "smooth_value=X", "effective_order", "order=N")
}

// newBLEU makes the metric.
func newBLEU(suffix string, options []string) (func([]Pair) *Stats, error) {
	b, err := parseBLEU(options)
	if err != nil {
		return nil, err
	}
	return func(pairs []Pair) *Stats {
		b := b
		if b.tokenizer == "" {
			b.tokenizer = "13a"
			if inChinese(pairs) {
				b.tokenizer = "zh"
			}
		}
		s := b.stats(pairs)
		s.Names, s.Signature = []string{"bleu" + suffix}, b.signature(pairs)
		s.Score = func(sums []float64, _ int) []float64 { return []float64{b.score(countsOf(sums))} }
		return s
	}, nil
}

// parseBLEU reads the options.
func parseBLEU(options []string) (bleu, error) {
	b := bleu{smooth: "exp", order: bleuOrder}
	given := ""
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		var err error
		switch {
		case o == "lc":
			b.lowerCase = true
		case o == "effective_order":
			b.effective = true
		case key == "smooth":
			b.smooth = value
		case key == "smooth_value":
			given = value
		case key == "order":
			b.order, err = whole(o, value, 1, bleuLimit)
		case b.tokenizer != "":
			err = fmt.Errorf("two tokenizers, %s and %s", b.tokenizer, o)
		default:
			b.tokenizer = o
		}
		if err != nil {
			return b, err
		}
	}
	if err := b.chooseSmoothing(given); err != nil {
		return b, err
	}
	if d, ok := dataTokenizers[b.tokenizer]; ok {
		var err error
		if b.split, err = d.load(); err != nil {
			return b, err
		}
	}
	return b, nil
}

// chooseSmoothing checks the method and sets its value, given or by default.
func (b *bleu) chooseSmoothing(given string) error {
	for _, s := range smoothings {
		if s.name != b.smooth {
			continue
		}
		b.value = s.value
		switch {
		case given == "":
			return nil
		case s.value == 0:
			return fmt.Errorf("smooth_value belongs to smooth=floor or smooth=add-k, not to %s", b.smooth)
		}
		var err error
		if b.value, err = strconv.ParseFloat(given, 64); err != nil || !(b.value >= 0) || math.IsInf(b.value, 0) {
			return fmt.Errorf("smooth_value must be a number from 0, got %q", given)
		}
		return nil
	}
	return fmt.Errorf("smooth must be exp, floor, add-k or none, got %q", b.smooth)
}

// whole reads the value of an option such as "order=4", a number from lo to hi.
func whole(option, value string, lo, hi int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < lo || n > hi {
		return 0, fmt.Errorf("%s: must be a number from %d to %d", option, lo, hi)
	}
	return n, nil
}

// signature is sacrebleu's. Of the order, which sacrebleu does not tell, it speaks only if it is not 4.
func (b bleu) signature(pairs []Pair) string {
	smooth, order, tok := b.smooth, "", b.tokenizer
	if d, ok := dataTokenizers[tok]; ok {
		tok = d.tok
	}
	if b.smooth == "floor" || b.smooth == "add-k" {
		smooth = fmt.Sprintf("%s[%.2f]", smooth, b.value)
	}
	if b.order != bleuOrder {
		order = fmt.Sprintf("|order:%d", b.order)
	}
	return fmt.Sprintf("nrefs:%s|case:%s|eff:%s|tok:%s|smooth:%s%s|version:%s",
		references(pairs), caseRule(b.lowerCase), yesNo(b.effective), tok, smooth, order, sacrebleuVersion)
}

func caseRule(lower bool) string {
	if lower {
		return "lc"
	}
	return "mixed"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// stats counts each pair.
func (b bleu) stats(pairs []Pair) *Stats {
	return newStats(pairs, 2+2*b.order, func() func(Pair, []float64) {
		tokenize, words, count := b.tokenize(), vocabulary{}, bleuCounter{counts: newCounts(b.order)}
		return func(p Pair, row []float64) {
			refs := make([][]int32, len(p.References))
			for i, r := range p.References {
				refs[i] = words.encode(tokenize(r))
			}
			count.pair(words.encode(tokenize(p.Prediction)), refs).put(row)
		}
	})
}

// tokenize returns the chosen tokenizer with the preparation that precedes all of them.
func (b bleu) tokenize() func(string) []string {
	split := b.split
	if split == nil {
		split = splitter(b.tokenizer)
	}
	return func(s string) []string {
		if b.lowerCase {
			s = lower(s)
		}
		return split(strings.TrimRightFunc(s, isSpace))
	}
}

// bleuCounts are the numbers, of a row or summed up, that BLEU is computed from.
type bleuCounts struct {
	// hypLen and refLen are in tokens; refLen takes of each row the reference nearest in length.
	hypLen, refLen int
	// correct and total count n-grams by order, from 1: those of the predictions, and those of them
	// that are in a reference (at most as often as in the reference that has most of them).
	correct, total []int
}

func newCounts(order int) bleuCounts {
	return bleuCounts{correct: make([]int, order), total: make([]int, order)}
}

// put writes the counts as a row of 2 + 2·order numbers.
func (c bleuCounts) put(row []float64) {
	row[0], row[1] = float64(c.hypLen), float64(c.refLen)
	for i := range c.correct {
		row[2+i], row[2+len(c.correct)+i] = float64(c.correct[i]), float64(c.total[i])
	}
}

// countsOf reads what put wrote, or sums of it.
func countsOf(sums []float64) bleuCounts {
	order := (len(sums) - 2) / 2
	c := newCounts(order)
	c.hypLen, c.refLen = int(sums[0]), int(sums[1])
	for i := range order {
		c.correct[i], c.total[i] = int(sums[2+i]), int(sums[2+order+i])
	}
	return c
}

// bleuCounter counts rows. What it returns is overwritten by the next row.
type bleuCounter struct {
	counts bleuCounts
	grams  clipper
}

func (b *bleuCounter) pair(hyp []int32, refs [][]int32) bleuCounts {
	c := &b.counts
	c.hypLen, c.refLen = len(hyp), nearestLength(len(hyp), refs)
	tokens := 0
	for _, ref := range refs {
		tokens += len(ref)
	}
	b.grams.reset(tokens, len(c.correct))
	for _, ref := range refs {
		b.grams.reference(ref, len(c.correct))
	}
	b.grams.matches(hyp, c.correct)
	for i := range c.total {
		c.total[i] = grams(len(hyp), i+1)
	}
	return *c
}

// nearestLength is the length of the reference nearest to n, the shorter one if two are as near.
func nearestLength(n int, refs [][]int32) int {
	best := len(refs[0])
	for _, r := range refs[1:] {
		d, least := abs(len(r)-n), abs(best-n)
		if d < least || d == least && len(r) < best {
			best = len(r)
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// brevity is the penalty for predictions that are shorter than the references.
func (c bleuCounts) brevity() float64 {
	switch {
	case c.hypLen >= c.refLen:
		return 1
	case c.hypLen == 0:
		return 0
	}
	return math.Exp(1 - float64(c.refLen)/float64(c.hypLen))
}

// score is BLEU in percent. An order without a match counts, smoothed by exp, as if it had 1/2 of one, the next such order 1/4, and so
// on; by floor, as if it had so much of one. add-k adds to matches and totals of all orders but the first. An order that the
// predictions are too short for makes the score 0, or is left out if only effective orders count.
func (b bleu) score(c bleuCounts) float64 {
	if !slices.ContainsFunc(c.correct, func(n int) bool { return n > 0 }) {
		return 0
	}
	logs, orders, share := 0.0, 0, 1.0
	for i := range c.total {
		correct, total := float64(c.correct[i]), float64(c.total[i])
		if b.smooth == "add-k" && i > 0 {
			correct, total = correct+b.value, total+b.value
		}
		if total == 0 {
			break
		}
		orders++
		if correct == 0 {
			switch b.smooth {
			case "exp":
				share /= 2
				correct = share
			case "floor":
				correct = b.value
			}
		}
		logs += math.Log(100 * correct / total) // of nothing: -Inf, which makes the score 0
	}
	if orders < len(c.total) && !b.effective {
		return 0
	}
	return c.brevity() * math.Exp(logs/float64(orders))
}
