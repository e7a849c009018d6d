package suggest

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"rank", "alpha", "dropout", "q_proj", "micro_tokens"}
	for word, want := range map[string]string{
		"rnk": "rank", "Rank": "rank", "aplha": "alpha", "drop_out": "dropout", "q_prj": "q_proj", "micro-tokens": "micro_tokens",
		"x": "", "learning_rate": "", "": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := Edits(c.a, c.b); got != c.want {
			t.Errorf("Edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Edits(c.b, c.a); got != c.want {
			t.Errorf("Edits(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
