package eval

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ter is the translation edit rate of Snover et al. 2006 (https://aclanthology.org/2006.amta-papers.25) as sacrebleu computes
// it after Tercom: edits, shifts of phrases included, by the mean length of the references, summed over the rows.
type ter struct {
	normalized  bool // marks and escapes as Tercom normalises them
	noPunct     bool // punctuation is dropped
	asian       bool // the two apply to Chinese and Japanese, too
	caseMatters bool
}

// newTER makes the metric.
func newTER(suffix string, options []string) (func([]Pair) *Stats, error) {
	t := ter{
		normalized: slices.Contains(options, "normalized"), noPunct: slices.Contains(options, "no_punct"),
		asian: slices.Contains(options, "asian_support"), caseMatters: slices.Contains(options, "case_sensitive"),
	}
	if t.asian && !t.normalized && !t.noPunct {
		return nil, fmt.Errorf("asian_support changes nothing without normalized or no_punct")
	}
	return func(pairs []Pair) *Stats {
		s := newStats(pairs, 2, t.worker)
		s.Names, s.Signature, s.Score = []string{"ter" + suffix}, t.signature(pairs), terScore
		return s
	}, nil
}

func (t ter) signature(pairs []Pair) string {
	return fmt.Sprintf("nrefs:%s|case:%s|tok:tercom|norm:%s|punct:%s|asian:%s|version:%s",
		references(pairs), caseRule(!t.caseMatters), yesNo(t.normalized), yesNo(!t.noPunct), yesNo(t.asian), sacrebleuVersion)
}

// worker counts rows: the edits to the reference that needs the fewest, and the mean length of the references.
func (t ter) worker() func(Pair, []float64) {
	words := vocabulary{}
	var edits shifter
	return func(p Pair, row []float64) {
		hyp := words.encode(t.tokenize(p.Prediction))
		total := 0
		for i, r := range p.References {
			ref := words.encode(t.tokenize(r))
			total += len(ref)
			if n := float64(edits.count(hyp, ref)); i == 0 || n < row[0] {
				row[0] = n
			}
		}
		row[1] = float64(total) / float64(len(p.References))
	}
}

// terScore is 100 % where there are edits and the references are empty.
func terScore(sums []float64, _ int) []float64 {
	switch {
	case sums[1] > 0:
		return []float64{100 * (sums[0] / sums[1])}
	case sums[0] > 0:
		return []float64{100}
	}
	return []float64{0}
}

func (t ter) tokenize(text string) []string {
	text = strings.TrimRightFunc(text, isSpace)
	if !t.caseMatters {
		text = lower(text)
	}
	if t.normalized {
		text = replaceAll(" "+replaceAll(text, tercomEscapes)+" ", tercomWestern)
		if t.asian {
			text = replaceAll(text, tercomAsian)
		}
	}
	if t.noPunct {
		text = tercomPunct.ReplaceAllString(text, "")
		if t.asian {
			text = tercomAsianPunct.ReplaceAllString(text, "")
		}
	}
	return fields(text)
}

// rewrite replaces what an expression finds.
type rewrite struct {
	find *regexp.Regexp
	by   string
}

func newRewrite(find, by string) rewrite { return rewrite{regexp.MustCompile(find), by} }

func replaceAll(text string, rules []rewrite) string {
	for _, r := range rules {
		text = r.find.ReplaceAllString(text, r.by)
	}
	return text
}

// tercomEscapes is the first part of Tercom's normalisation: lines are joined and escapes replaced.
var tercomEscapes = []rewrite{
	newRewrite(`\n-`, ""), newRewrite(`\n`, " "),
	newRewrite(`&quot;`, `"`), newRewrite(`&amp;`, "&"), newRewrite(`&lt;`, "<"), newRewrite(`&gt;`, ">"),
}

// tercomWestern is the second part: marks stand alone, full stops and commas do unless they are between digits, and a
// dash does behind a digit.
var tercomWestern = []rewrite{
	newRewrite("([{-~\\[-` -&(-+:-@/])", " ${1} "),
	newRewrite(`'s `, " 's "),
	newRewrite(`([^0-9])([.,])`, "${1} ${2} "), newRewrite(`([.,])([^0-9])`, " ${1} ${2}"),
	newRewrite(`([0-9])(-)`, "${1} ${2} "),
}

// The punctuation of Asian text, and its full-width forms.
const (
	asianPunct     = `[\x{3001}\x{3002}\x{3008}-\x{3011}\x{3014}-\x{301f}\x{ff61}-\x{ff65}\x{30fb}]`
	fullWidthPunct = `[\x{ff0e}\x{ff0c}\x{ff1f}\x{ff1a}\x{ff1b}\x{ff01}\x{ff02}\x{ff08}\x{ff09}]`
)

// tercomAsian sets Chinese characters apart. sacrebleu's rules for Hiragana and Katakana are written so that they find nothing.
var tercomAsian = []rewrite{
	newRewrite(`([\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}])`, " ${1} "),
	newRewrite(`([\x{31c0}-\x{31ef}\x{2e80}-\x{2eff}])`, " ${1} "),
	newRewrite(`([\x{3300}-\x{33ff}\x{f900}-\x{faff}\x{fe30}-\x{fe4f}])`, " ${1} "),
	newRewrite(`([\x{3200}-\x{3f22}])`, " ${1} "),
	newRewrite(`(`+asianPunct+`)`, " ${1} "),
	newRewrite(`(`+fullWidthPunct+`)`, " ${1} "),
}

var (
	tercomPunct      = regexp.MustCompile(`[.,?:;!"()]`)
	tercomAsianPunct = regexp.MustCompile(asianPunct + "|" + fullWidthPunct)
)
