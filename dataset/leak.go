package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ft/internal/near"
)

// Leaks are the rows of a part that ask what a part before it (in the order train, val, test) asks too: what training or the
// choice of the best weights has seen, and a score on them says little.
type Leaks struct {
	Rows int `json:"rows"` // of val and test
	// Same, Reordered and Near add up to Rows: same is equal but for case, punctuation and white space, reordered has the same
	// sentences in another order, near differs in a few words.
	Same      int `json:"same"`
	Reordered int `json:"reordered"`
	Near      int `json:"near"`
	// Accepted says that split.leaks is accept.
	Accepted bool `json:"accepted"`
	// Similar counts rows that differ from one of a part before only in a number or name, or by a change that the data makes
	// again and again, such as another value in a template. They are no leaks.
	Similar int `json:"similar"`
	// SharedAnswers counts rows whose long answer a part before has to another question. They are no leaks.
	SharedAnswers int `json:"shared_answers"`
	// Pairs are the worst, most alike first.
	Pairs []LeakPair `json:"pairs"`
}

// maxPairs bounds Leaks.Pairs.
const maxPairs = 100

// LeakPair is a row and what it repeats.
type LeakPair struct {
	Kind       string  `json:"kind"`       // same, reordered or near
	Similarity float64 `json:"similarity"` // Jaccard index of words and pairs of words; 1 unless near
	Row        LeakRow `json:"row"`
	Repeats    LeakRow `json:"repeats"`
}

// LeakRow is one side of a LeakPair.
type LeakRow struct {
	Part     string `json:"part"`
	ID       string `json:"id"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Question string `json:"question"` // its begin
}

// ErrLeaks is in the error of CheckLeaks.
var ErrLeaks = errors.New("rows leak")

// CheckLeaks looks for questions that are in several parts, and puts what it finds into report. Unless c accepts leaks, they are an
// error that shows the worst pairs and names what helps.
func CheckLeaks(parts Parts, c SplitConfig, report *Report) error {
	rows, ends := parts.join()
	k, err := findKin(rows)
	if err != nil {
		return err
	}
	s := leakSearch{rows: rows, ends: ends, kin: k, leaks: &Leaks{Accepted: c.Leaks == acceptLeaks, Pairs: []LeakPair{}}}
	report.Leaks = s.leaks
	s.index()
	if err := s.collect(); err != nil {
		return err
	}
	if err := s.answers(); err != nil {
		return err
	}
	if s.leaks.Rows > 0 && !s.leaks.Accepted {
		return s.leaks
	}
	return nil
}

// join is all rows of all parts, and where in it each part ends.
func (p Parts) join() (View, [3]int) {
	var all View
	var ends [3]int
	for i, v := range p.byName() {
		if v.table != nil {
			all.table, all.mend = v.table, v.mend
		}
		all.at = append(all.at, v.at...)
		ends[i] = len(all.at)
	}
	return all, ends
}

type leakSearch struct {
	rows  View
	ends  [3]int
	kin   *kin
	leaks *Leaks

	first [2][]int32 // for each question by its first row: the first row of train, of val, that asks it; -1 for none
}

// part is the part of a row.
func (s *leakSearch) part(i int32) int {
	p := 0
	for int(i) >= s.ends[p] {
		p++
	}
	return p
}

func (s *leakSearch) index() {
	for p := range s.first {
		s.first[p] = make([]int32, s.rows.Len())
		for i := range s.first[p] {
			s.first[p][i] = -1
		}
	}
	for i, class := range s.kin.same {
		if p := s.part(int32(i)); p < len(s.first) && s.first[p][class] < 0 {
			s.first[p][class] = int32(i)
		}
	}
}

// before is the first row of a question in a part before p; -1 if there is none.
func (s *leakSearch) before(class int32, p int) int32 {
	for q := range p {
		if i := s.first[q][class]; i >= 0 {
			return i
		}
	}
	return -1
}

// collect counts the rows that leak and keeps the worst pairs.
func (s *leakSearch) collect() error {
	linked, similar := neighbours(s.kin.links), neighbours(s.kin.similar)
	var found []link // b leaks a
	for i := s.ends[0]; i < s.ends[2]; i++ {
		p, class := s.part(int32(i)), s.kin.same[i]
		best := link{a: s.before(class, p), b: int32(i), kind: sameQuestion, similarity: 1}
		if best.a < 0 {
			for _, l := range linked[class] {
				if at := s.before(l.b, p); at >= 0 && (best.a < 0 || worse(l, best)) {
					best = link{at, int32(i), l.kind, l.similarity}
				}
			}
		}
		if best.a >= 0 {
			found = append(found, best)
		} else if slices.ContainsFunc(similar[class], func(l link) bool { return s.before(l.b, p) >= 0 }) {
			s.leaks.Similar++
		}
	}
	slices.SortStableFunc(found, func(a, b link) int {
		switch {
		case worse(a, b):
			return -1
		case worse(b, a):
			return 1
		}
		return 0
	})
	s.leaks.Rows = len(found)
	for i, l := range found {
		switch l.kind {
		case sameQuestion:
			s.leaks.Same++
		case reorderedQuestion:
			s.leaks.Reordered++
		default:
			s.leaks.Near++
		}
		if i >= maxPairs {
			continue
		}
		row, err := s.describe(l.b)
		if err != nil {
			return err
		}
		repeats, err := s.describe(l.a)
		if err != nil {
			return err
		}
		s.leaks.Pairs = append(s.leaks.Pairs, LeakPair{l.kind, l.similarity, row, repeats})
	}
	return nil
}

// neighbours are the links of each question, from it.
func neighbours(links []link) map[int32][]link {
	of := map[int32][]link{}
	for _, l := range links {
		of[l.a] = append(of[l.a], l)
		of[l.b] = append(of[l.b], link{l.b, l.a, l.kind, l.similarity})
	}
	return of
}

// worse orders links by kind, then by similarity.
func worse(a, b link) bool {
	rank := func(l link) int { return slices.Index([]string{sameQuestion, reorderedQuestion, nearQuestion}, l.kind) }
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.similarity, a.similarity)) < 0
}

func (s *leakSearch) describe(i int32) (LeakRow, error) {
	r, err := s.rows.At(int(i))
	return LeakRow{partNames[s.part(i)], r.ID, r.File, r.Line, shorten(normalise(r.Question()), 120)}, err
}

// shorten is the begin of a text, and an ellipsis if something is missing.
func shorten(text string, most int) string {
	n := 0
	for i := range text {
		if n++; n > most {
			return text[:i] + "…"
		}
	}
	return text
}

// answers counts long answers that a part before has, too, to another question.
func (s *leakSearch) answers() error {
	keys := make([]uint64, s.rows.Len())
	err := eachRow(s.rows, func(i int, r Row) error {
		if r.Plain || len(r.Answer) < 2*wordsToLeak {
			return nil
		}
		var t near.Text
		if t.Fold(r.Answer); t.Weight() >= wordsToLeak {
			keys[i] = t.Sequence()
		}
		return nil
	})
	if err != nil {
		return err
	}
	var long []int32
	for i, k := range keys {
		if k != 0 {
			long = append(long, int32(i))
		}
	}
	for class := range equal(long, func(i int32) uint64 { return keys[i] }) {
		for _, i := range class { // in order, so by part
			p := s.part(i)
			if p > s.part(class[0]) && s.before(s.kin.same[i], p) < 0 {
				s.leaks.SharedAnswers++
			}
		}
	}
	return nil
}

// Error shows the worst pairs and what helps.
func (l *Leaks) Error() string {
	const most = 5
	var b strings.Builder
	fmt.Fprintf(&b, "dataset: %s what another part asks too (%s), so that a score on %s says little", l.who("asks", "ask"), l.Kinds(), l.choose("it", "them"))
	for i, p := range l.Pairs {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more; ft data check shows them", l.Rows-most)
			break
		}
		b.WriteString("\n  " + p.String())
	}
	b.WriteString("\nset data.split.group=near to keep such rows in one part, or data.split.leaks=accept to go on all the same")
	return b.String()
}

// Sentence says how many rows leak.
func (l *Leaks) Sentence() string {
	return fmt.Sprintf("%s what a part before %s asks too", l.who("asks", "ask"), l.choose("it", "them"))
}

func (l *Leaks) who(one, many string) string {
	return fmt.Sprintf("%d %s of val and test %s", l.Rows, l.choose("row", "rows"), l.choose(one, many))
}

func (l *Leaks) choose(one, many string) string {
	if l.Rows == 1 {
		return one
	}
	return many
}

// Unwrap is ErrLeaks.
func (l *Leaks) Unwrap() error { return ErrLeaks }

// Kinds says in words how many there are of each kind.
func (l *Leaks) Kinds() string {
	var parts []string
	for _, k := range []struct {
		n    int
		name string
	}{{l.Same, sameQuestion}, {l.Reordered, reorderedQuestion}, {l.Near, nearQuestion}} {
		if k.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", k.n, k.name))
		}
	}
	return strings.Join(parts, ", ")
}

// String is the pair in one line.
func (p LeakPair) String() string {
	kind := p.Kind
	if p.Kind == nearQuestion {
		kind = fmt.Sprintf("%s %.2f", kind, p.Similarity)
	}
	return fmt.Sprintf("%s: %s repeats %s", kind, p.Row, p.Repeats)
}

// String is the row in a few words.
func (r LeakRow) String() string {
	at := fmt.Sprintf("%s:%d", r.File, r.Line)
	if r.ID != at && !strings.HasSuffix(at, "/"+r.ID) {
		at = r.ID + " (" + at + ")"
	}
	return fmt.Sprintf("%s %s %q", r.Part, at, shorten(r.Question, 60))
}
