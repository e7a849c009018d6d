package ui

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// clock is a time that tests move by hand.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func TestProgress_plainLines(t *testing.T) {
	var err bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := newProgress(Streams{Err: &err}, 1200, "train", c.now)
	for range 1200 {
		c.t = c.t.Add(10 * time.Millisecond)
		p.Step(1, Field{"loss", "1.25"}, Field{"", "310 tokens/s"})
	}
	p.Done()
	want := "train 500/1,200 41%  loss 1.25  310 tokens/s  7.0s left\n" +
		"train 1,000/1,200 83%  loss 1.25  310 tokens/s  2.0s left\n" +
		"train 1,200/1,200 100%  loss 1.25  310 tokens/s\n"
	if got := err.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestProgress_unknownTotal(t *testing.T) {
	var err bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := newProgress(Streams{Err: &err, Terminal: true}, 0, "read", c.now)
	p.Step(7)
	p.Line("note %d", 1)
	p.Done()
	if got, want := err.String(), "note 1\nread 7\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgress_quiet(t *testing.T) {
	var err bytes.Buffer
	p := NewProgress(Streams{Err: &err, Terminal: true, Quiet: true}, 3, "train")
	p.Step(3)
	p.Line("note")
	p.Done()
	if err.Len() != 0 {
		t.Errorf("quiet wrote %q", err.String())
	}
}

func TestProgress_bar(t *testing.T) {
	var err bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := newProgress(Streams{Err: &err, Terminal: true}, 1000, "train", c.now)
	for range 1000 {
		c.t = c.t.Add(time.Millisecond)
		p.Step(1, Field{"loss", "0.5"})
	}
	p.Step(5) // more than the total must not break it
	p.Done()
	out := err.String()
	if n := strings.Count(out, "\r"); n > 60 {
		t.Errorf("%d redraws in one second, want few", n)
	}
	for _, want := range []string{"(1000/1000)", "100%", "loss 0.5", "s left"} {
		if !strings.Contains(out, want) {
			t.Errorf("the bar never showed %q in %q", want, out)
		}
	}
	if !strings.HasSuffix(out, "\n") {
		t.Error("the last line is not ended")
	}
}

func TestProgress_barStopsEarly(t *testing.T) {
	var err bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := newProgress(Streams{Err: &err, Terminal: true}, 10, "train", c.now)
	c.t = c.t.Add(time.Second)
	p.Step(4)
	p.Line("no better score")
	p.Done()
	if out := err.String(); !strings.Contains(out, "no better score\n") || !strings.Contains(out, "(4/10)") || strings.Contains(out, "100%") {
		t.Errorf("got %q", out)
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	err := Table(&b, []string{"run", "loss", "note"}, [][]string{
		{"医学", "1.25", "a\nb"},
		{"longer", "10.5"},
		{"x", "-", "\x1b[31mred"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "run     loss  note\n" +
		"医学    1.25  a\\nb\n" +
		"longer  10.5\n" +
		"x          -  \\x1b[31mred\n"
	if b.String() != want {
		t.Errorf("got:\n%swant:\n%s", b.String(), want)
	}
	if err := Table(&b, []string{"a"}, [][]string{{"1", "2"}}); err == nil {
		t.Error("a row longer than the header was accepted")
	}
}

func TestEscape(t *testing.T) {
	in := "a\tb\nc\rd\x00\x1b[2J\x7f\u0085\u202eevil\u2066\u200f\u2028 医é\xffz\ufffd"
	want := "a\tb\nc\\rd\\x00\\x1b[2J\\x7f\\x85\\u202eevil\\u2066\\u200f\\u2028 医é\\xffz\ufffd"
	if got := Escape(in); got != want {
		t.Errorf("Escape = %q, want %q", got, want)
	}
	if got, want := EscapeLine("a\tb\nc"), `a\tb\nc`; got != want {
		t.Errorf("EscapeLine = %q, want %q", got, want)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -123: "-123"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10 << 20: "10 MiB", 1<<20 - 1: "1.0 MiB", 1 << 62: "4.0 EiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond: "0.4s", 9960 * time.Millisecond: "10s", 59600 * time.Millisecond: "1m00s",
		200 * time.Second: "3m20s", 5*time.Hour + 7*time.Minute: "5h07m", 51 * time.Hour: "2d03h", -time.Minute: "-1m00s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestStreams_levels(t *testing.T) {
	say := func(s Streams) string {
		var b bytes.Buffer
		s.Err = &b
		s.Note("note %s", "\x1b")
		s.Detail("detail")
		s.Warn("bad")
		return b.String()
	}
	for _, c := range []struct {
		s    Streams
		want string
	}{
		{Streams{}, "note \\x1b\nwarning: bad\n"},
		{Streams{Verbose: true}, "note \\x1b\ndetail\nwarning: bad\n"},
		{Streams{Quiet: true}, "warning: bad\n"},
	} {
		if got := say(c.s); got != c.want {
			t.Errorf("%+v: %q, want %q", c.s, got, c.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in    string
		cells int
		want  string
	}{{"loss 1.5", 8, "loss 1.5"}, {"loss 1.5", 5, "loss…"}, {"医学问答", 5, "医学…"}, {"abc", 0, "…"}} {
		if got := cut(c.in, c.cells); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.in, c.cells, got, c.want)
		}
	}
}
