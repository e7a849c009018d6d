package dataset

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"ft/internal/near"
	"ft/internal/testkit"
)

// asked makes a row of a question.
func ask(id, question string) Row {
	return Row{ID: id, Messages: user(question), Answer: "answer of " + id, File: "x.jsonl", Line: 1}
}

// between makes parts of questions.
func between(train, val, test []Row) Parts {
	all := slices.Concat(train, val, test)
	v := NewTable(all...).View()
	a, b := len(train), len(train)+len(val)
	return Parts{View{table: v.table, at: v.at[:a]}, View{table: v.table, at: v.at[a:b]}, View{table: v.table, at: v.at[b:]}}
}

// leaksOf are what CheckLeaks finds; it must be an error exactly if there are any.
func leaksOf(t *testing.T, p Parts) *Leaks {
	t.Helper()
	report := newReport(0)
	err := CheckLeaks(p, Default().Split, report)
	if errors.Is(err, ErrLeaks) != (report.Leaks.Rows > 0) || err != nil && !errors.Is(err, ErrLeaks) {
		t.Fatalf("error %v with %d leaks", err, report.Leaks.Rows)
	}
	l := report.Leaks
	if l.Same+l.Reordered+l.Near != l.Rows || len(l.Pairs) != min(l.Rows, maxPairs) {
		t.Errorf("%d + %d + %d of %d, %d pairs", l.Same, l.Reordered, l.Near, l.Rows, len(l.Pairs))
	}
	return l
}

const (
	longQuestion = "My mother has had a dry cough for three weeks, and since yesterday she has been feeling dizzy when she gets up from her chair. What could be wrong?"
	hanQuestion  = "我母亲咳嗽已经三个星期了，昨天开始起床的时候头晕得厉害，而且没有什么胃口，请问这到底是怎么回事，应该怎样治疗才好呢？"
)

func TestCheckLeaks_kinds(t *testing.T) {
	for _, c := range []struct{ title, train, test, kind string }{
		{"copy", "What is asthma?", "What is asthma?", "same"},
		{"case, punctuation, width", "What is asthma?", " what IS（Ａsthma）", "same"},
		{"Han punctuation", "高血压能吃党参吗？", "高血压能吃党参吗", "same"},
		{"sentences", "I cough. What is it?", "What is it? I cough.", "reordered"},
		{"words of a long one", longQuestion, "What could be wrong? " + strings.TrimSuffix(longQuestion, " What could be wrong?"), "reordered"},
		{"a word changed", longQuestion, strings.Replace(longQuestion, "dizzy", "giddy", 1), "near"},
		{"two words changed", longQuestion, strings.NewReplacer("dizzy", "giddy", "chair", "sofa").Replace(longQuestion), "near"},
		{"words added", longQuestion, "Hello doctor, " + longQuestion, "near"},
		{"words dropped", longQuestion, strings.NewReplacer("dry ", "", "yesterday ", "").Replace(longQuestion), "near"},
		{"Han word changed", hanQuestion, strings.Replace(hanQuestion, "厉害", "严重", 1), "near"},
		{"Han words added", hanQuestion, "您好，" + hanQuestion, "near"},
		{"another number", longQuestion, strings.Replace(longQuestion, "three", "five", 1), ""},
		{"another type", "What are the treatments for diabetes mellitus type 1?", "What are the treatments for diabetes mellitus type 2?", ""},
		{"another subject of a short one", "What are the symptoms of spinal cord infarction?", "What are the symptoms of spinal cord injury?", ""},
		{"short, the same words", "Does pain cause stress?", "Does stress cause pain?", ""},
		{"another", longQuestion, hanQuestion, ""},
		{"calculation", "What is 2+3?", "What is 2-3?", ""},
		{"without words", "?!", "!!", ""},
	} {
		l := leaksOf(t, between([]Row{ask("a", c.train)}, nil, []Row{ask("b", c.test)}))
		switch {
		case c.kind == "" && l.Rows > 0:
			t.Errorf("%s: found %+v", c.title, l.Pairs)
		case c.kind != "" && (l.Rows != 1 || l.Pairs[0].Kind != c.kind || l.Pairs[0].Row.ID != "b" || l.Pairs[0].Repeats.ID != "a"):
			t.Errorf("%s: found %+v, want one %s", c.title, l.Pairs, c.kind)
		}
	}
}

// Rows of train may repeat each other, val and test may not repeat a part before them; each row counts once.
func TestCheckLeaks_parts(t *testing.T) {
	p := between(
		[]Row{ask("a", "What is A?"), ask("a2", "what is a"), ask("l", longQuestion)},
		[]Row{ask("b", "What is B?"), ask("c", "WHAT IS A")},
		[]Row{ask("d", "what is b?"), ask("e", "What is D?"), ask("f", "what is  a?"), ask("m", "Please: "+longQuestion)})
	l := leaksOf(t, p)
	var found []string
	for _, pair := range l.Pairs {
		found = append(found, pair.Row.Part+" "+pair.Row.ID+" "+pair.Repeats.Part+" "+pair.Repeats.ID)
	}
	if want := []string{"val c train a", "test d val b", "test f train a", "test m train l"}; !slices.Equal(found, want) {
		t.Errorf("got %q, want %q", found, want)
	}
	report := newReport(0)
	c := Default().Split
	c.Leaks = acceptLeaks
	if err := CheckLeaks(p, c, report); err != nil || !report.Leaks.Accepted || report.Leaks.Rows != 4 {
		t.Errorf("accepted: %v, %+v", err, report.Leaks)
	}
	text := l.Error()
	for _, want := range []string{"4 rows of val and test ask", "(3 same, 1 near)", `same: val c (x.jsonl:1) "WHAT IS A" repeats train a`, "data.split.group=near", "data.split.leaks=accept"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
}

// The system message is no part of the question; plain texts are compared as they are; shared answers are counted beside.
func TestCheckLeaks_whatIsCompared(t *testing.T) {
	system := Row{ID: "s", Messages: []Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "What is A?"}}, Answer: "x"}
	if l := leaksOf(t, between([]Row{ask("a", "What is A?")}, []Row{system}, nil)); l.Same != 1 {
		t.Errorf("system message: %+v", l)
	}
	plain := func(id, text string) Row { return Row{ID: id, Plain: true, Answer: text} }
	if l := leaksOf(t, between([]Row{plain("a", longQuestion)}, nil, []Row{plain("b", strings.ToUpper(longQuestion)), plain("c", hanQuestion)})); l.Rows != 1 || l.Same != 1 {
		t.Errorf("plain texts: %+v", l)
	}
	long := ask("b", "What is B?")
	other := ask("a", "What is A?")
	long.Answer, other.Answer = longQuestion, longQuestion
	if l := leaksOf(t, between([]Row{other}, nil, []Row{long, ask("c", "What is C?")})); l.Rows != 0 || l.SharedAnswers != 1 {
		t.Errorf("shared answers: %+v", l)
	}
}

// A template's other values ask something else, as a change that the data makes again and again shows; a slip shows but once, and words
// that only build sentences never do.
func TestCheckLeaks_templates(t *testing.T) {
	frame := "restaurant name %s kind of place %s food of the house %s rated by its guests as %s close to the old mill in the %s of the town today"
	var train, test []Row
	names := []string{"Aromi", "Bistro", "Cotto", "Dali", "Eagle"}
	for i, name := range names {
		for j, part := range []string{"middle", "north", "south", "east"} {
			r := ask(fmt.Sprintf("r%d%d", i, j), fmt.Sprintf(frame, name, "pub", "fish", "good", part))
			if j == 0 {
				train = append(train, r)
			} else {
				test = append(test, r)
			}
		}
	}
	if l := leaksOf(t, between(train, nil, test)); l.Rows != 0 || l.Similar != len(test) {
		t.Errorf("template: %+v", l)
	}
	slip := ask("slip", fmt.Sprintf(frame, names[0], "pub", "fishes", "good", "middle"))
	if l := leaksOf(t, between(train, nil, append(test, slip))); l.Near != 1 || l.Pairs[0].Row.ID != "slip" {
		t.Errorf("slip: %+v", l)
	}
	train, test = nil, nil
	for i := range 10 {
		q := strings.ReplaceAll(longQuestion, "cough", fmt.Sprint("illness", string(rune('a'+i)))+" of kind k"+string(rune('a'+i))+" and more, which i call "+strings.Repeat(string(rune('m'+i)), 9))
		train = append(train, ask(fmt.Sprint("q", i), q))
		test = append(test, ask(fmt.Sprint("p", i), strings.Replace(q, "What could", "Which might", 1)))
	}
	if l := leaksOf(t, between(train, nil, test)); l.Rows != len(test) {
		t.Errorf("function words: %+v", l)
	}
}

// planted are the ways in which a question is repeated. None of them gives another number, for that asks something else.
var planted = []struct {
	name  string
	least int // weight of the question
	do    func(rng *rand.Rand, q string) (string, bool)
}{
	{"copy", 0, func(_ *rand.Rand, q string) (string, bool) { return q, true }},
	{"case", 0, func(_ *rand.Rand, q string) (string, bool) {
		return strings.ToUpper(q), !strings.ContainsAny(q, "ßŉǰΐΰ")
	}},
	{"punctuation", 0, func(_ *rand.Rand, q string) (string, bool) {
		return strings.Map(func(r rune) rune {
			if unicode.IsPunct(r) {
				return ' '
			}
			return r
		}, q) + " ?!", true
	}},
	{"white space", 0, func(_ *rand.Rand, q string) (string, bool) {
		return "\n\t" + strings.Join(strings.Fields(q), " \n ") + "  ", !strings.Contains(q, ".") || strings.Contains(q, ". ")
	}},
	{"sentences", 0, func(_ *rand.Rand, q string) (string, bool) {
		parts := strings.FieldsFunc(q, func(r rune) bool { return strings.ContainsRune("?!？！。\n", r) })
		if len(parts) < 2 {
			return q, false
		}
		slices.Reverse(parts)
		return strings.Join(parts, "? ") + "?", true
	}},
	{"a word changed", wordsToLeak, edit(1, func(words []string, at int, new string) []string { words[at] = new; return words })},
	{"two words changed", wordsToLeak + 10, edit(2, func(words []string, at int, new string) []string { words[at] = new; return words })},
	{"a word dropped", wordsToLeak + 2, edit(1, func(words []string, at int, _ string) []string { return slices.Delete(words, at, at+1) })},
	{"two words dropped", wordsToLeak + 10, edit(2, func(words []string, at int, _ string) []string { return slices.Delete(words, at, at+1) })},
	{"two words added", wordsToLeak, edit(2, func(words []string, at int, new string) []string { return slices.Insert(words, at, new) })},
}

// edit changes words, characters where there are no blanks: such as are no part of a number, for another number asks something else.
func edit(times int, do func(words []string, at int, new string) []string) func(*rand.Rand, string) (string, bool) {
	return func(rng *rand.Rand, q string) (string, bool) {
		words, between, han := strings.Fields(q), " ", false
		if len([]rune(q)) > 12*len(words) {
			words, between, han = strings.Split(q, ""), "", true
		}
		for range times {
			var at []int
			for i := range words {
				if i > 0 && i+1 < len(words) && !numbered(strings.Join(words[i-1:i+2], between), han) && words[i] != words[i-1] {
					at = append(at, i)
				}
			}
			if len(at) == 0 {
				return "", false
			}
			word := "z" + string(rune('a'+rng.IntN(26))) + string(rune('a'+rng.IntN(26))) + "z"
			if han {
				word = string(rune(0x4e00 + 16 + rng.IntN(0x4000)))
			}
			words = do(words, at[rng.IntN(len(at))], word)
		}
		return strings.Join(words, between), true
	}
}

// numbered reports whether a text has a word that numbers or names one of several; of Han text, anything else but Han.
func numbered(s string, han bool) bool {
	var t near.Text
	t.Fold(s)
	other := han && strings.ContainsFunc(s, func(r rune) bool { return !unicode.Is(unicode.Han, r) })
	return other || slices.ContainsFunc(t.Tokens, near.Label)
}

// TestConformance_leaks plants repetitions of rows of every data set across its split, and all must be found. The split by near questions
// must have no leaks at all.
func TestConformance_leaks(t *testing.T) {
	testkit.Conformance(t, "data", func(t *testing.T, dir string) {
		names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no cases in %s (%v)", dir, err)
		}
		for _, name := range names {
			t.Run(filepath.Base(name), func(t *testing.T) {
				c := Default()
				c.Files = []string{name}
				table, report, err := Load(c, Source{})
				if err != nil {
					t.Fatal(err)
				}
				defer table.Close()
				rows := clean(t, table.View(), report)
				c.Split.Group = nearGroups
				p, err := Split(rows, c.Split, Source{}, report)
				if err != nil {
					t.Fatal(err)
				}
				l := leaksOf(t, p)
				if l.Rows > 0 {
					t.Errorf("split by near questions: %v", l)
				}
				// Where rows are one template with many values, a changed copy may as well be another row.
				template := l.Similar*10 > p.Val.Len()+p.Test.Len()
				for _, how := range planted {
					least := 1.0
					if template && how.least > 0 {
						least = 0.5
					}
					plant(t, p, how.name, how.least, least, how.do)
				}
			})
		}
	})
}

// plant puts changed copies of rows of train behind the test part, and looks for them.
func plant(t *testing.T, p Parts, name string, least int, recall float64, do func(*rand.Rand, string) (string, bool)) {
	rng := rand.New(rand.NewPCG(7, uint64(len(name))))
	train, test := all(t, p.Train), all(t, p.Test)
	tried, n := 0, 0
	for _, i := range rng.Perm(len(train)) {
		r := train[i]
		if r.Plain || fold(r.Question()) < max(least, 1) {
			continue
		}
		q, ok := do(rng, r.Question())
		if !ok {
			continue
		}
		tried++
		copied := ask(fmt.Sprint("planted ", tried), q)
		test = append(test, copied)
		if tried == 50 {
			break
		}
	}
	var missed []string
	l := leaksOf(t, between(train, nil, test))
	for _, pair := range l.Pairs {
		if strings.HasPrefix(pair.Row.ID, "planted ") {
			n++
		}
	}
	t.Logf("%s: %d of %d found, %d leaks in all", name, n, tried, l.Rows)
	if float64(n) < recall*float64(tried) {
		found := map[string]bool{}
		for _, pair := range l.Pairs {
			found[pair.Row.ID] = true
		}
		for _, r := range test[len(test)-tried:] {
			if !found[r.ID] {
				missed = append(missed, r.Question())
			}
		}
		t.Errorf("%s: %d of %d missed: %q", name, len(missed), tried, missed[:min(3, len(missed))])
	}
}

// fold is a text's weight.
func fold(s string) int {
	var t near.Text
	t.Fold(s)
	return t.Weight()
}
