package review

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"ft/eval"
	"ft/internal/ui"
)

// Count is how often each side won.
type Count struct {
	Tuned int `json:"tuned"`
	Base  int `json:"base"`
	Tie   int `json:"tie"`
	// WinRate is the part of the decided ones that the tuned model won, in percent; nil without any.
	WinRate *float64 `json:"win_rate"`
	// CI95 is Wilson's 95 % interval of WinRate (Wilson 1927, "Probable inference, the law of succession, and statistical inference").
	CI95 *[2]float64 `json:"ci95"`
}

func (c *Count) add(better string) {
	switch better {
	case Tuned:
		c.Tuned++
	case Base:
		c.Base++
	default:
		c.Tie++
	}
}

func (c *Count) finish() {
	if n := c.Tuned + c.Base; n > 0 {
		rate := 100 * float64(c.Tuned) / float64(n)
		low, high := wilson(c.Tuned, n)
		c.WinRate, c.CI95 = &rate, &[2]float64{100 * low, 100 * high}
	}
}

// Marks are means of marks from 1 to 5.
type Marks struct {
	Base       float64 `json:"base"`
	Tuned      float64 `json:"tuned"`
	Difference float64 `json:"difference"`
	// Stderr is the standard error of Difference, over questions; nil for fewer than two.
	Stderr *float64 `json:"stderr"`
}

// Agreement says how far readers agree beyond chance: 1 is always, 0 as often as chance.
type Agreement struct {
	// Questions are those that more than one reader judged.
	Questions int `json:"questions"`
	// Same is the part of pairs of votes on one question that are the same, in percent.
	Same *float64 `json:"same"`
	// Cohen is Cohen's kappa of two readers (Cohen 1960); nil unless there are two.
	Cohen *float64 `json:"cohen_kappa"`
	// Fleiss is Fleiss' kappa over the questions that all readers judged (Fleiss 1971).
	Fleiss *float64 `json:"fleiss_kappa"`
	// Krippendorff is his alpha for nominal data over all votes (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").
	Krippendorff *float64 `json:"krippendorff_alpha"`
	// Accuracy and Fluency are Krippendorff's alpha of the marks, for interval data.
	Accuracy *float64 `json:"accuracy_alpha"`
	Fluency  *float64 `json:"fluency_alpha"`
}

// Summary is what the votes come to.
type Summary struct {
	Questions int `json:"questions"` // that can be judged
	Same      int `json:"same"`      // to which both models gave the same answer
	Judged    int `json:"judged"`    // questions with a vote
	Votes     int `json:"votes"`     // one a reader and question
	Stale     int `json:"stale"`     // votes on answers that the run no longer has
	// Count is by question: the side that more readers find better; a question on which they are divided is a tie.
	Count
	// P is the two-sided sign test's over decided questions, and Verdict what it says: better, worse, or no difference shown.
	P         *float64          `json:"p"`
	Verdict   string            `json:"verdict"`
	Accuracy  *Marks            `json:"accuracy"`
	Fluency   *Marks            `json:"fluency"`
	Raters    map[string]*Count `json:"raters"`
	Agreement *Agreement        `json:"agreement"`
}

// Summarise sums votes up. Of a reader's votes on a question the last counts, and those on other answers than pairs' do not.
func Summarise(pairs *Pairs, votes []Vote) *Summary {
	s := &Summary{Questions: len(pairs.List), Same: pairs.Same, Raters: map[string]*Count{}}
	kept, stale := counted(pairs, votes)
	s.Stale = stale
	byRow := map[string][]Vote{}
	for _, v := range kept {
		s.Votes++
		byRow[v.ID] = append(byRow[v.ID], v)
		if s.Raters[v.Rater] == nil {
			s.Raters[v.Rater] = &Count{}
		}
		s.Raters[v.Rater].add(v.Better)
	}
	for _, c := range s.Raters {
		c.finish()
	}
	s.Judged = len(byRow)
	rows := slices.Sorted(maps.Keys(byRow))
	for _, id := range rows {
		s.Count.add(majority(byRow[id]))
	}
	s.Count.finish()
	if n := s.Tuned + s.Base; n > 0 {
		p := eval.SignTest(min(s.Tuned, s.Base), n)
		s.P, s.Verdict = &p, "no difference shown"
		if p < 0.05 {
			s.Verdict = "better"
			if s.Base > s.Tuned {
				s.Verdict = "worse"
			}
		}
	}
	s.Accuracy = marks(rows, byRow, func(v Vote) Ratings { return v.Accuracy })
	s.Fluency = marks(rows, byRow, func(v Vote) Ratings { return v.Fluency })
	if len(s.Raters) > 1 {
		s.Agreement = agreement(rows, byRow, slices.Sorted(maps.Keys(s.Raters)))
	}
	return s
}

// counted are the votes that count, by rater and row, and how many are on other answers.
func counted(pairs *Pairs, votes []Vote) (kept []Vote, stale int) {
	hash := map[string]string{}
	for i := range pairs.List {
		hash[pairs.List[i].ID] = pairs.List[i].hash()
	}
	at := map[[2]string]int{}
	for _, v := range votes {
		if hash[v.ID] != v.Hash {
			if pairs.left[v.ID] != v.Hash {
				stale++
			}
			continue
		}
		key := [2]string{v.Rater, v.ID}
		if i, ok := at[key]; ok {
			kept[i] = v
			continue
		}
		at[key] = len(kept)
		kept = append(kept, v)
	}
	slices.SortStableFunc(kept, func(a, b Vote) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Rater, b.Rater))
	})
	return kept, stale
}

// majority is what most readers say of a question; divided ones make it a tie.
func majority(votes []Vote) string {
	var c Count
	for _, v := range votes {
		c.add(v.Better)
	}
	switch {
	case c.Tuned > max(c.Base, c.Tie):
		return Tuned
	case c.Base > max(c.Tuned, c.Tie):
		return Base
	}
	return Tie
}

// marks are means over questions of the means over readers.
func marks(rows []string, byRow map[string][]Vote, of func(Vote) Ratings) *Marks {
	if len(rows) == 0 {
		return nil
	}
	m, n := &Marks{}, float64(len(rows))
	differences := make([]float64, len(rows))
	for i, id := range rows {
		votes := float64(len(byRow[id]))
		for _, v := range byRow[id] {
			r := of(v)
			m.Base += float64(r.Base) / votes / n
			m.Tuned += float64(r.Tuned) / votes / n
			differences[i] += float64(r.Tuned-r.Base) / votes
		}
	}
	m.Difference = m.Tuned - m.Base
	if len(rows) > 1 {
		sum := 0.0
		for _, d := range differences {
			sum += (d - m.Difference) * (d - m.Difference)
		}
		e := math.Sqrt(sum / (n - 1) / n)
		m.Stderr = &e
	}
	return m
}

// Print tells the summary in words.
func (s *Summary) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "judged      %d of %s, %s of %s\n", s.Judged, plural(s.Questions, "question"), plural(s.Votes, "vote"), plural(len(s.Raters), "reader"))
	if s.Same > 0 {
		fmt.Fprintf(&b, "            %d more got the same answer of both models and are not judged\n", s.Same)
	}
	if s.Stale > 0 {
		fmt.Fprintf(&b, "            %d votes are on answers that the run no longer has, and do not count\n", s.Stale)
	}
	if s.Votes > 0 {
		fmt.Fprintf(&b, "better      tuned %d, base %d, tie %d\n", s.Tuned, s.Base, s.Tie)
		if s.WinRate != nil {
			fmt.Fprintf(&b, "win rate    %s of the decided ones to the tuned model: %s, p = %.2g\n", s.Count.rate(), s.Verdict, *s.P)
		}
		fmt.Fprintf(&b, "accuracy    %s\nfluency     %s\n", s.Accuracy.words(), s.Fluency.words())
		for _, name := range slices.Sorted(maps.Keys(s.Raters)) {
			c := s.Raters[name]
			fmt.Fprintf(&b, "reader      %s: tuned %d, base %d, tie %d%s\n", ui.EscapeLine(name), c.Tuned, c.Base, c.Tie, c.tail())
		}
		if a := s.Agreement; a != nil {
			fmt.Fprintf(&b, "agreement   on %s that several readers judged%s\n", plural(a.Questions, "question"), a.words())
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (c *Count) rate() string {
	return fmt.Sprintf("%.0f %% (95%% interval %.0f to %.0f)", *c.WinRate, c.CI95[0], c.CI95[1])
}

func (c *Count) tail() string {
	if c.WinRate == nil {
		return ""
	}
	return ", " + c.rate()
}

func (m *Marks) words() string {
	out := fmt.Sprintf("base %.2f, tuned %.2f of 5, difference %+.2f", m.Base, m.Tuned, m.Difference)
	if m.Stderr != nil {
		out += fmt.Sprintf(" ± %.2f", *m.Stderr)
	}
	return out
}

func (a *Agreement) words() string {
	var b strings.Builder
	for _, x := range []struct {
		format string
		v      *float64
	}{
		{": %.0f %% the same", a.Same}, {", Cohen's kappa %.2f", a.Cohen}, {", Fleiss' kappa %.2f", a.Fleiss}, {", Krippendorff's alpha %.2f", a.Krippendorff},
		{"; of the marks: accuracy %.2f", a.Accuracy}, {", fluency %.2f", a.Fluency},
	} {
		if x.v != nil {
			fmt.Fprintf(&b, x.format, *x.v)
		}
	}
	return b.String()
}
