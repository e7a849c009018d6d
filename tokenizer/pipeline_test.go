package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// scanTexts are random texts of letters in several cases and scripts, marks, digits, signs and white space.
func scanTexts(n int) []string {
	r := rand.New(rand.NewPCG(3, 9))
	parts := []string{"a", "Bc", "DEF", "gHi", "é", "e\u0301", "ʰ", "ǅ", "中", "ا", "क्षि", "1", "23", "½", "Ⅷ", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000",
		"\u0085", "'s", "'S", "'re", "'LL", "'", ".", "/", "//", "!?", "_", "🙂", "\u200d", "\x00", "\u0301"}
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		for range 1 + r.IntN(20) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		out[i] = b.String()
	}
	return out
}

func matches(f finder, s string) []string {
	var out []string
	f(s, func(start, end int) { out = append(out, s[start:end]) })
	return out
}

// TestScanners holds each hand-written scanner against the regex it stands for.
func TestScanners(t *testing.T) {
	for regex, scan := range scanners {
		slow, err := compileBacktracking(regex)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scanTexts(3000) {
			got, want := matches(eachScan(scan), s), matches(slow, s)
			if !slices.Equal(got, want) {
				t.Fatalf("%s\non %q:\n got %q\nwant %q", regex, s, got, want)
			}
		}
	}
}

func TestScanners_longS(t *testing.T) {
	// a case-insensitive s matches U+017F too, which regexp2 does not know
	if got := matches(eachScan(scanners[regexQwen2]), "it'ſ"); !slices.Equal(got, []string{"it", "'ſ"}) {
		t.Errorf("got %q", got)
	}
}

func TestSplitBehaviors(t *testing.T) {
	const s = "The-final--countdown"
	for behavior, want := range map[string][]string{
		"Removed":            {"The", "final", "countdown"},
		"Isolated":           {"The", "-", "final", "-", "-", "countdown"},
		"MergedWithPrevious": {"The-", "final-", "-", "countdown"},
		"MergedWithNext":     {"The", "-final", "-", "-countdown"},
		"Contiguous":         {"The", "-", "final", "--", "countdown"},
	} {
		var got []string
		splitOn(findString("-"), behavior, false)(s, true, func(p string, _ bool) { got = append(got, p) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", behavior, got, want)
		}
	}
	var got []string
	splitOn(findString("-"), "Removed", true)(s, true, func(p string, _ bool) { got = append(got, p) })
	if want := []string{"-", "-", "-"}; !slices.Equal(got, want) {
		t.Errorf("Removed, inverted: got %q, want %q", got, want)
	}
}

// naiveJoin merges the lowest-ranked pair, the leftmost of equals, until there is none.
func naiveJoin(p *pairTable, ids []int32) []int32 {
	for {
		best, at := pairMerge{rank: 1 << 30}, -1
		for i := 0; i+1 < len(ids); i++ {
			if m, ok := p.get(ids[i], ids[i+1]); ok && m.rank < best.rank {
				best, at = m, i
			}
		}
		if at < 0 {
			return ids
		}
		ids[at] = best.id
		ids = slices.Delete(ids, at+1, at+2)
	}
}

// TestJoin compares both ways to merge with the definition, on random merges and words of all lengths.
func TestJoin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		words := []string{"a", "b", "c"}
		id := map[string]int32{"a": 0, "b": 1, "c": 2}
		p := newPairTable(60)
		for rank := range int32(30) {
			x, y := words[r.IntN(len(words))], words[r.IntN(len(words))]
			if _, ok := id[x+y]; !ok {
				id[x+y] = int32(len(words))
				words = append(words, x+y)
			}
			p.put(id[x], id[y], pairMerge{rank / 2, id[x+y]}, false)
		}
		ids := make([]int32, r.IntN(2*longWord))
		for i := range ids {
			ids[i] = r.Int32N(3)
		}
		want := naiveJoin(&p, slices.Clone(ids))
		for name, join := range map[string]func([]int32) int{"join": p.join, "joinLong": p.joinLong} {
			got := slices.Clone(ids)
			if got = got[:join(got)]; !slices.Equal(got, want) {
				t.Fatalf("%s of %v: got %v, want %v", name, ids, got, want)
			}
		}
	}
}

func TestTranslateRegex(t *testing.T) {
	for in, want := range map[string]string{
		`a[b[cd]e]`:     `a[bcde]`,
		`(?m:a.)`:       `(?s:a.)`,
		`\p{Han}+[\]x]`: `\p{Han}+[\]x]`,
		`(?!\S)(?<n>a)`: `(?!\S)(?<n>a)`,
	} {
		if got, err := translateRegex(in); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		`[a&&[b]]`: "&&", `[[:alpha:]]`: "POSIX", `a{,3}`: "lower bound", `a{1,3}+`: "followed by +", `[a[^b]]`: "class inside", `\h`: `\h`, `\p{^L}`: "property",
	} {
		if _, err := translateRegex(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one about %s", in, err, want)
		}
	}
}

func TestReplaceInvalid(t *testing.T) {
	for in, want := range map[string]string{
		"a\xe4\xb8b":         "a\uFFFDb", // a character cut short is one replacement
		"\xff\xfe":           "\uFFFD\uFFFD",
		"\xe0\x80\x80":       "\uFFFD\uFFFD\uFFFD", // overlong
		"\xed\xa0\x80":       "\uFFFD\uFFFD\uFFFD", // surrogate
		"\xf0\x9f\x99":       "\uFFFD",
		"\xf4\x90\x80\x80":   "\uFFFD\uFFFD\uFFFD\uFFFD",
		"ok 🙂":               "ok 🙂",
		"\xf1\x80\xc2\x80ok": "\uFFFD\u0080ok",
	} {
		if got := replaceInvalid([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
