package report

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	for _, c := range []struct{ answer, reference, want string }{
		{"", "", ""},
		{"a b c", "a b c", "a b c"},
		{"a  b\nc", "a b c", "a  b\nc"}, // white space is not compared
		{"one two four", "one two three four", "one two -three -four"},
		{"the cat sat", "the dog sat", "the -dog -+cat +sat"},
		{"x", "", "+x+"},
		{"", "x y", "-x y-"},
		{"高血压可以吃药。", "高血压不可以吃药", "高血压-不-可以吃药+。+"},
		{"用 BP 药", "用药", "用 +BP +药"},
		{"It's 3.5 mg/day", "It's 3.5 mg", "It's 3.5 mg+/day+"},
		// a short common word between long differences does not break them up
		{"completely different words of another sort", "nothing alike in what of it stands", "-nothing alike in what of it stands-+completely different words of another sort+"},
		// a phrase is kept, however long the differences are
		{"The exact cause of this rare condition is not fully understood at all", "What brings it about in most of the patients is not fully understood today",
			"-What brings it about in most of the patients -+The exact cause of this rare condition +is not fully understood -today-+at all+"},
		{"first part is the same until here", "first part is the same up to there", "first part is the same -up to there-+until here+"},
	} {
		var b strings.Builder
		for _, p := range diff(c.answer, c.reference) {
			mark := map[string]string{same: "", ins: "+", del: "-"}[p.Op]
			b.WriteString(mark + p.Text + mark)
		}
		if b.String() != c.want {
			t.Errorf("%q against %q: %q, want %q", c.answer, c.reference, b.String(), c.want)
		}
	}
}

// TestDiff_whole: what is common and inserted is the answer, what is common and deleted the reference, whatever the texts.
func TestDiff_whole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	vocabulary := []string{"a", "bb", "long", "longer", ".", ",", "药", "血", " ", "\n", "é", "e\u0301", "\U0001f600"}
	random := func() string {
		var b strings.Builder
		for range r.IntN(40) {
			b.WriteString(vocabulary[r.IntN(len(vocabulary))])
			if r.IntN(2) == 0 {
				b.WriteByte(' ')
			}
		}
		return b.String()
	}
	for range 2000 {
		answer, reference := random(), random()
		var a, b strings.Builder
		for _, p := range diff(answer, reference) {
			if p.Op != del {
				a.WriteString(p.Text)
			}
			if p.Op != ins {
				b.WriteString(p.Text)
			}
		}
		if a.String() != strings.TrimLeft(answer, " \n") {
			t.Fatalf("%q became %q", answer, a.String())
		}
		if squeeze(b.String()) != squeeze(reference) {
			t.Fatalf("%q became %q", reference, b.String())
		}
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func TestCount(t *testing.T) {
	for text, want := range map[string]int{"": 0, "  \n": 0, "one, two.": 2, "高血压 (BP) 120/80": 6, "don't": 2, "...": 0} {
		if got := count(text); got != want {
			t.Errorf("%q has %d words, want %d", text, got, want)
		}
	}
}

func TestLanguage(t *testing.T) {
	for text, want := range map[string]string{"": "", "Hello": "", "高血压 and BP": "zh", "これは薬です": "ja", "123": "", "Das heißt 药 auf Chinesisch und sonst nichts": ""} {
		if got := language(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
