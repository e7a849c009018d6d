package report

import (
	"cmp"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"ft/eval"
	"ft/internal/chart"
	"ft/internal/ui"
)

// The score that rows are ranked by: its mean over all rows is the table's, so the rows say what that score is made of.
const (
	rowMetric = "rouge"
	rowScore  = "rougeL"
)

// The bounds of the rows that are shown: rows of each list, and characters of a question and of an answer or reference. Of longer texts than mostScored, the
// begin is what rows are ranked by: the time for a row is a product of two lengths.
const (
	mostRows     = 6
	mostQuestion = 800
	mostText     = 2500
	mostLine     = 200
	mostScored   = 20_000
)

// rowList is some rows with a reason to look at them.
type rowList struct {
	Title, Note string
	Rows        []row
}

// row is a row of the test part as it is shown.
type row struct {
	ID, Question string
	Score, Base  string // of the tuned model's answer and the base's; Base is empty if it is not known
	Lang         string
	Diff         []piece // of the answer and the reference, as far as they are shown
	BaseDiff     []piece
	Empty        bool // the model answered nothing
	// How much more there is of each text.
	MoreQuestion, MoreAnswer, MoreBase, MoreReference string
}

// ranked is a row's place in source.answers with its scores.
type ranked struct {
	at          int
	tuned, base float64
	hasBase     bool
}

// rows picks the rows to show, and draws the lengths of all answers.
func (v *view) rows(s *source) {
	if len(s.answers) == 0 {
		return
	}
	all, err := rank(s)
	if err != nil {
		s.remarks = append(s.remarks, ui.EscapeLine(err.Error()))
		return
	}
	best := slices.Clone(all)
	slices.SortStableFunc(best, func(a, b ranked) int { return cmp.Compare(b.tuned, a.tuned) })
	list := func(title, note string, of []ranked) {
		l := rowList{Title: title, Note: note}
		for _, r := range of {
			l.Rows = append(l.Rows, s.show(r))
		}
		if len(l.Rows) > 0 {
			v.Lists = append(v.Lists, l)
		}
	}
	if len(best) <= 2*mostRows {
		list("All rows, the best first", "", best)
	} else {
		list("Best rows", "", best[:mostRows])
		worst := slices.Clone(all)
		slices.SortStableFunc(worst, func(a, b ranked) int { return cmp.Compare(a.tuned, b.tuned) })
		list("Worst rows", "", worst[:mostRows])
		lost := slices.DeleteFunc(all, func(r ranked) bool { return !r.hasBase || r.tuned >= r.base })
		slices.SortStableFunc(lost, func(a, b ranked) int { return cmp.Compare(a.tuned-a.base, b.tuned-b.base) })
		note := fmt.Sprintf("The base's answer is closer to the reference in %s of %s rows.", ui.Count(len(lost)), ui.Count(len(best)))
		list("Rows that lost most against the base", note, lost[:min(mostRows, len(lost))])
	}
	v.lengths(s)
}

// rank scores every row.
func rank(s *source) ([]ranked, error) {
	metrics, err := eval.Parse(rowMetric)
	if err != nil {
		return nil, err
	}
	score := func(text func(answer) string) ([]float64, error) {
		pairs := make([]eval.Pair, len(s.answers))
		for i, a := range s.answers {
			pairs[i] = eval.Pair{Prediction: begin(text(a)), References: []string{begin(a.Reference)}}
		}
		stats, err := metrics[0].Stats(pairs)
		if err != nil {
			return nil, err
		}
		k := slices.Index(stats.Names, rowScore)
		out := make([]float64, len(pairs))
		for i := range out {
			out[i] = stats.Score(stats.Row(i), 1)[k]
		}
		return out, nil
	}
	tuned, err := score(func(a answer) string { return a.Prediction.Prediction })
	if err != nil {
		return nil, err
	}
	base, err := score(func(a answer) string { return a.base })
	if err != nil {
		return nil, err
	}
	out := make([]ranked, len(s.answers))
	for i, a := range s.answers {
		out[i] = ranked{i, tuned[i], base[i], a.hasBase}
	}
	return out, nil
}

// show is a row for people.
func (s *source) show(r ranked) row {
	a := s.answers[r.at]
	out := row{Score: fmt.Sprintf("%.1f", r.tuned), Lang: language(a.Reference), Empty: a.Prediction.Prediction == ""}
	out.ID = clipped(a.ID)
	out.Question, out.MoreQuestion = clip(a.Prompt, mostQuestion)
	reference, more := clip(a.Reference, mostText)
	out.MoreReference = more
	answer, more := clip(a.Prediction.Prediction, mostText)
	out.Diff, out.MoreAnswer = diff(answer, reference), more
	if r.hasBase {
		out.Base = fmt.Sprintf("%.1f", r.base)
		answer, more := clip(a.base, mostText)
		out.BaseDiff, out.MoreBase = diff(answer, reference), more
	}
	return out
}

// clip cuts a long text, says how much more there is, and makes what would steer the page's text visible.
func clip(text string, most int) (begin, more string) {
	at := place(text, most)
	if at < len(text) {
		more = fmt.Sprintf("… (%s more characters)", ui.Count(utf8.RuneCountInString(text[at:])))
	}
	return ui.Escape(text[:at]), more
}

// clipped is a text that stands in a line of its own, not longer than a line or two.
func clipped(text string) string {
	if at := place(text, mostLine); at < len(text) {
		return ui.EscapeLine(text[:at]) + "…"
	}
	return ui.EscapeLine(text)
}

// begin is what of a text its row is ranked by.
func begin(text string) string { return text[:place(text, mostScored)] }

// place is where the first n characters of a text end.
func place(text string, n int) int {
	for at := range text {
		if n == 0 {
			return at
		}
		n--
	}
	return len(text)
}

// language is the code of a text's language where its script tells it, for the browser's choice of glyphs; empty otherwise.
func language(text string) string {
	han, kana, others := 0, 0, 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Han, r):
			han++
		case unicode.In(r, unicode.Hiragana, unicode.Katakana):
			kana++
		case unicode.IsLetter(r):
			others++
		}
	}
	switch {
	case kana > 0 && han+kana > others/4:
		return "ja"
	case han > others/4 && han > 0:
		return "zh"
	}
	return ""
}

// lengths draws how long references and answers are.
func (v *view) lengths(s *source) {
	var reference, tuned, base []int
	for _, a := range s.answers {
		reference = append(reference, count(a.Reference))
		tuned = append(tuned, count(a.Prediction.Prediction))
		if a.hasBase {
			base = append(base, count(a.base))
		}
	}
	c := chart.Histogram("Length of answers and references of the test part", "words (Chinese, Japanese: characters)", "rows", []chart.Group{
		{Name: "references", Colour: 2, Style: chart.Solid, Values: reference},
		{Name: "tuned", Colour: 0, Style: chart.Dash, Values: tuned},
		{Name: "base", Colour: 7, Style: chart.Dots, Values: base},
	})
	if text := c.HTML(); text != "" {
		v.Lengths = append(v.Lengths, text)
	}
}
