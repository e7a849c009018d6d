package cmd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ft/dataset"
)

func TestPicture(t *testing.T) {
	k := tinySession(t).base.Tokenizer
	o := showFlags{part: "val", begin: "[", stop: "]"}
	ids := k.Encode("Q?\né \x1b x", false)
	labels := append([]int32(nil), ids...)
	for _, i := range []int{0, 1, 2, 6} {
		labels[i] = dataset.Ignore
	}
	sample := &dataset.Sample{ID: "a\nb", IDs: ids, Labels: labels}
	got := o.title(sample, 4, 9) + o.picture(sample, k)
	want := "val 4 of 9 rows: a\\nb, 9 tokens, 5 of them in the loss\n" +
		"Q?\n[é ]\\x1b[ x]\n" +
		"ids    " + spaced(ids) + "\n" +
		"labels -100 -100 -100 " + spaced(ids[3:6]) + " -100 " + spaced(ids[7:]) + "\n\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCells(t *testing.T) {
	k := tinySession(t).base.Tokenizer
	ids := k.Encode("user\n \x1b医b", false)
	s := &dataset.Sample{IDs: ids, Labels: append([]int32{dataset.Ignore, dataset.Ignore}, ids[2:]...)}
	for _, c := range []struct{ begin, stop string }{{"⟦", "⟧"}, {"\x1b[32m", "\x1b[0m"}} {
		o := showFlags{begin: c.begin, stop: c.stop}
		got := o.cells(s, k, 13)
		if n := strings.Count(got, "\n\n"); n < 2 {
			t.Errorf("%d lines in 13 cells:\n%s", n, got)
		}
		for line := range strings.SplitSeq(strings.NewReplacer("\x1b[32m", "", "\x1b[0m", "").Replace(got), "\n") {
			if strings.Contains(line, "\x1b") || len([]rune(line)) > 13 {
				t.Errorf("line %q", line)
			}
		}
		if strings.Count(got, c.begin) != strings.Count(got, c.stop) || !strings.Contains(got, "user ↵") {
			t.Errorf("%q", got)
		}
		var numbers []string
		for i, line := range strings.Split(strings.NewReplacer("\x1b[32m", "", "\x1b[0m", "").Replace(got), "\n") {
			if i%3 == 1 {
				numbers = append(numbers, strings.Fields(line)...)
			}
		}
		if strings.Join(numbers, " ") != spaced(ids) {
			t.Errorf("ids %v, want %s", numbers, spaced(ids))
		}
	}
}

// The parts of a text put together are the text, wherever it is cut between characters; inside one it comes out as
// U+FFFD.
func TestBehind(t *testing.T) {
	k := tinySession(t).base.Tokenizer
	ids := k.Encode("a é<|im_end|>b", false)
	for cut := range len(ids) + 1 {
		text := behind(k, ids, 0, cut) + behind(k, ids, cut, len(ids))
		if whole := "a é<|im_end|>b"; text != whole && !strings.Contains(text, "\ufffd") {
			t.Errorf("cut at %d: %q, want %q", cut, text, whole)
		}
	}
}
