package dataset

import (
	"crypto/sha256"
	"math"
	"slices"

	"ft/internal/mend"
	"ft/internal/near"
	"ft/internal/workers"
)

// Clean returns the rows that have a question and an answer, less those that c's steps drop. What is left out, and what is worth a
// look, is counted in report. With c.Text fix the rows that come back are repaired as they are read.
//
// Two rows say the same when system message, roles, question and answer are equal in Unicode normal form C with
// runs of white space as one blank; they are near duplicates when the words and pairs of words of question and answer together
// are alike (near.Pairs). A conflict is another answer to the question of an earlier row. Lengths are outliers when the robust
// z-score of their logarithm (from median and median deviation, Iglewicz and Hoaglin 1993) is beyond 3.5, in words, a
// Chinese character counting as one; of fewer than 20 rows none is. A row is in another language if fewer than one row in ten is in that one.
func Clean(rows View, c CleanConfig, report *Report) (View, error) {
	rows.mend = c.Text == fixIt
	w := &cleaning{CleanConfig: c, report: report, rows: rows, seen: map[[16]byte]int32{}, answers: map[uint64]answered{}}
	from := 0
	for block, err := range rows.raw().Blocks() {
		if err != nil {
			return View{}, err
		}
		looks := make([]look, len(block))
		workers.Each(len(block), rowGrain, func(i int) { looks[i] = c.look(&block[i]) })
		for i := range looks {
			if err := w.take(int32(from+i), block[i].ID, &looks[i]); err != nil {
				return View{}, err
			}
		}
		from += len(block)
	}
	if err := w.languages(); err != nil {
		return View{}, err
	}
	if err := w.lengths(); err != nil {
		return View{}, err
	}
	if err := w.near(); err != nil {
		return View{}, err
	}
	at := make([]int32, len(w.kept))
	for i, k := range w.kept {
		at[i] = k.at
	}
	return rows.Pick(at), nil
}

// mended is the row with its texts repaired; broken says that damage is left.
func (r Row) mended() (_ Row, changed, broken bool) {
	fix := func(s string) string {
		fixed, bad := mend.Text(s)
		changed, broken = changed || fixed != s, broken || bad
		return fixed
	}
	turns := r.Messages
	for i, m := range turns {
		if fixed := fix(m.Content); fixed != m.Content {
			if &turns[0] == &r.Messages[0] { // the file's
				r.Messages = slices.Clone(turns)
			}
			r.Messages[i].Content = fixed
		}
	}
	r.Answer = fix(r.Answer)
	return r, changed, broken
}

// look is what one row shows by itself.
type look struct {
	fixed, broken        bool
	noQuestion, noAnswer bool
	plain                bool
	sameness             [16]byte
	question, answer     uint64
	words                int32
	language             language
	personal             uint8
}

// look examines a row; with Text fix it becomes the repaired one.
func (c CleanConfig) look(r *Row) (l look) {
	if c.Text != off {
		mended, changed, broken := r.mended()
		l.fixed, l.broken = changed && c.Text == fixIt, broken || changed && c.Text != fixIt
		if c.Text == fixIt {
			*r = mended
		}
	}
	l.noQuestion, l.noAnswer, l.plain = !r.asks(), !r.answers(), r.Plain
	if l.noQuestion || l.noAnswer {
		return l
	}
	if c.Duplicates != off {
		l.sameness = r.sameness()
	}
	if c.Conflicts != off && !r.Plain {
		l.question, l.answer = r.asked(), key(normalise(r.Reference()))
	}
	texts := []string{r.Answer}
	for _, m := range r.Messages {
		texts = append(texts, m.Content)
	}
	var t tally
	for _, s := range texts {
		if c.Outliers != off || c.Language != off {
			t.add(s)
		}
		if c.PII != off {
			l.personal |= personal(s)
		}
	}
	l.words, l.language = int32(t.length()), t.language()
	return l
}

// cleaning is Clean at work.
type cleaning struct {
	CleanConfig
	report  *Report
	rows    View
	seen    map[[16]byte]int32 // the first row that says so
	answers map[uint64]answered
	kept    []kept
}

// answered is the first row with a question, and what it answers.
type answered struct {
	at     int32
	answer uint64
}

type kept struct {
	at       int32
	words    int32
	language language
}

// take decides on a row by what it shows and by the rows before it.
func (w *cleaning) take(at int32, id string, l *look) error {
	if l.noQuestion || l.noAnswer {
		reason := missingAnswer
		if l.noQuestion {
			reason = missingQuestion
		}
		w.report.drop(reason, id)
		return nil
	}
	if w.Duplicates != off {
		if first, ok := w.seen[l.sameness]; !ok {
			w.seen[l.sameness] = at
		} else if gone, err := w.found(w.Duplicates, duplicate, id, first); gone || err != nil {
			return err
		}
	}
	if w.Conflicts != off && !l.plain {
		if first, ok := w.answers[l.question]; !ok {
			w.answers[l.question] = answered{at, l.answer}
		} else if first.answer != l.answer {
			if gone, err := w.found(w.Conflicts, conflict, id, first.at); gone || err != nil {
				return err
			}
		}
	}
	gone := false
	for _, p := range []struct {
		bit    uint8
		reason string
	}{{hasEmail, email}, {hasPhone, phone}, {hasIDNumber, idNumber}} {
		if l.personal&p.bit == 0 || gone {
			continue
		}
		if w.PII == dropIt {
			w.report.drop(p.reason, id)
			gone = true
		} else {
			w.report.note(p.reason, id)
		}
	}
	if gone {
		return nil
	}
	if l.fixed {
		w.report.note(textFixed, id)
	}
	if l.broken {
		w.report.note(textBroken, id)
	}
	w.kept = append(w.kept, kept{at, l.words, l.language})
	return nil
}

// found counts a row that repeats or contradicts an earlier one; gone says that it is dropped.
func (w *cleaning) found(how, reason, id string, first int32) (gone bool, err error) {
	r, err := w.rows.At(int(first))
	if err != nil {
		return false, err
	}
	if how == dropIt {
		w.report.drop(reason, id)
	} else {
		w.report.note(reason, id)
	}
	if of := w.report.Of[reason]; len(of) < maxIDs {
		w.report.Of[reason] = append(of, r.ID)
	}
	return how == dropIt, nil
}

// filter drops or notes the kept rows for which is says so.
func (w *cleaning) filter(how, reason string, is func(k kept) bool) error {
	left := w.kept[:0]
	for _, k := range w.kept {
		if is(k) {
			r, err := w.rows.At(int(k.at))
			if err != nil {
				return err
			}
			if how == dropIt {
				w.report.drop(reason, r.ID)
				continue
			}
			w.report.note(reason, r.ID)
		}
		left = append(left, k)
	}
	w.kept = left
	return nil
}

// languages finds the rows in a language in which fewer than a tenth of them are.
func (w *cleaning) languages() error {
	if w.Language == off {
		return nil
	}
	const share = 10
	var times [languages]int
	known := 0
	for _, k := range w.kept {
		times[k.language]++
		if k.language != undecided {
			known++
		}
	}
	for is, n := range times {
		if n > 0 {
			w.report.Languages[languageNames[is]] = n
		}
	}
	return w.filter(w.Language, otherLanguage, func(k kept) bool { return k.language != undecided && times[k.language]*share < known })
}

// lengths finds the rows that are far longer or shorter than most.
func (w *cleaning) lengths() error {
	if w.Outliers == off || len(w.kept) < fewRows {
		return nil
	}
	words := make([]int, len(w.kept))
	for i, k := range w.kept {
		words[i] = int(k.words)
	}
	odd := outliers(words)
	return w.filter(w.Outliers, lengthOutlier, func(k kept) bool { return odd(int(k.words)) })
}

// outliers returns what tells whether a length is far from most of these.
func outliers(lengths []int) func(int) bool {
	const (
		beyond    = 3.5
		normalMAD = 0.6745 // median absolute deviation of the normal distribution
		normalAD  = 0.7979 // its mean absolute deviation
	)
	logs := make([]float64, len(lengths))
	for i, n := range lengths {
		logs[i] = math.Log(float64(n) + 1)
	}
	center := median(logs)
	mean := 0.0
	deviations := make([]float64, len(logs))
	for i, v := range logs {
		deviations[i] = math.Abs(v - center)
		mean += deviations[i] / float64(len(logs))
	}
	scale := median(deviations) / normalMAD
	if scale == 0 { // more than half have one length
		scale = mean / normalAD
	}
	return func(n int) bool { return scale > 0 && math.Abs(math.Log(float64(n)+1)-center) > beyond*scale }
}

// fewRows are too few to say what length is usual.
const fewRows = 20

// median is the middle of values, which it sorts.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// near finds rows that nearly say what a row before them says, one that is kept.
func (w *cleaning) near() error {
	if w.Near == off {
		return nil
	}
	pairs, err := near.Pairs(len(w.kept), w.Similarity, func(i int, to []uint64) ([]uint64, error) {
		r, err := w.rows.At(int(w.kept[i].at))
		if err != nil {
			return nil, err
		}
		return r.features(to), nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(pairs, func(a, b near.Pair) int {
		if a.B != b.B {
			return int(a.B) - int(b.B)
		}
		return int(a.A) - int(b.A)
	})
	of := map[int32]int32{}
	gone := map[int32]bool{}
	for _, p := range pairs {
		if _, ok := of[p.B]; ok || gone[p.A] {
			continue
		}
		of[p.B] = p.A
		gone[p.B] = w.Near == dropIt
	}
	var left []kept
	for i, k := range w.kept {
		if first, ok := of[int32(i)]; ok {
			r, err := w.rows.At(int(k.at))
			if err != nil {
				return err
			}
			drop, err := w.found(w.Near, nearDuplicate, r.ID, w.kept[first].at)
			if err != nil {
				return err
			}
			if drop {
				continue
			}
		}
		left = append(left, k)
	}
	w.kept = left
	return nil
}

// features are those of the words of the row's turns and answer.
func (r Row) features(to []uint64) []uint64 {
	var t near.Text
	for _, m := range r.turns() {
		t.Fold(m.Content)
		to = t.Features(to)
	}
	t.Fold(r.Answer)
	return t.Features(to)
}

// sameness is equal for rows that say the same: the begin of a SHA-256.
func (r Row) sameness() [16]byte {
	var b []byte
	part := func(s string) { b = append(append(b, s...), 0) }
	for _, m := range r.Messages {
		part(m.Role)
		part(normalise(m.Text()))
	}
	part(normalise(r.Reference()))
	h := sha256.Sum256(b)
	return [16]byte(h[:16])
}

// asked is equal for rows that ask the same, the system message included.
func (r Row) asked() uint64 {
	system := ""
	if len(r.turns()) < len(r.Messages) {
		system = r.Messages[0].Content
	}
	return key(normalise(system) + "\x00" + normalise(r.Question()))
}
