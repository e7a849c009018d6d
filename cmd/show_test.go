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
	got := o.picture(&dataset.Sample{ID: "a\nb", IDs: ids, Labels: labels}, 4, 9, k)
	want := "val 4 of 9: a\\nb, 9 tokens, 5 of them in the loss\n" +
		"Q?\n[é ]\\x1b[ x]\n" +
		"ids    " + spaced(ids) + "\n" +
		"labels -100 -100 -100 " + spaced(ids[3:6]) + " -100 " + spaced(ids[7:]) + "\n\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
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
