package ui

import (
	"strings"
	"testing"
)

func TestBars(t *testing.T) {
	bins := []Bin{{"0–9", 1}, {"10–19", 16}, {"20–", 0}, {"长", 8000}}
	for _, c := range []struct{ lang, want string }{
		{"", "" +
			"  0–9 ▏                        1   0.0 %\n" +
			"10–19 ▏                       16   0.2 %\n" +
			"  20–                          0   0.0 %\n" +
			"   长 ████████████████████ 8,000  99.8 %\n"},
		{"C", "" +
			"  0–9 #                        1   0.0 %\n" +
			"10–19 #                       16   0.2 %\n" +
			"  20–                          0   0.0 %\n" +
			"   长 #################### 8,000  99.8 %\n"},
		{"en_GB.UTF-8", ""},
	} {
		t.Setenv("LC_ALL", "")
		t.Setenv("LC_CTYPE", "")
		t.Setenv("LANG", c.lang)
		t.Setenv("COLUMNS", "40")
		var b strings.Builder
		if err := Bars(&b, bins); err != nil {
			t.Fatal(err)
		}
		if c.want != "" && b.String() != c.want {
			t.Errorf("LANG %q:\n%swant\n%s", c.lang, b.String(), c.want)
		}
		if strings.Contains(b.String(), "█") != (c.lang != "C") {
			t.Errorf("LANG %q:\n%s", c.lang, b.String())
		}
	}
	for n, want := range map[int]string{0: "    ", 1: "▏   ", 16: "██  ", 17: "██▏ ", 23: "██▉ ", 32: "████"} {
		if got := bar(n, 32, 4); got != want {
			t.Errorf("%d of 32 in 4 cells: %q, want %q", n, got, want)
		}
	}
}
