package chart

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func sample() Chart {
	return Chart{
		Title: "Loss <&>", Axis: "optimizer steps", One: "step", Note: "a note",
		Lines: []Line{
			{Name: `raw "x"`, Style: Faint, Points: []Point{{1, 3}, {2, math.NaN()}, {3, 1.123456789}, {4, math.Inf(1)}}},
			{Name: "validation", Colour: 1, Style: Solid, Markers: true, Points: []Point{{0, 4}, {4, 2}}},
			{Name: "nothing", Points: []Point{{1, math.NaN()}}},
		},
		Levels: []Level{{"base", 7, 4}, {"unknown", 0, math.NaN()}},
		Marks:  []Mark{{"best: step 4", 4}},
	}
}

// TestHTML: what is drawn is well-formed, escaped, free of values that are no numbers, and says in words what it shows.
func TestHTML(t *testing.T) {
	text := string(sample().HTML())
	wellFormed(t, text)
	for _, want := range []string{
		"<figcaption>Loss &lt;&amp;&gt;</figcaption>", `class="faint"`, "validation, step 4: 2</title>", `aria-label="Loss &lt;&amp;&gt;, by optimizer steps. `,
		"validation: 4 at step 0, 2 at step 4; lowest 2, highest 4.", "best: step 4", "base: 4", `<p class="note">a note</p>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "nothing", "unknown", `"x"`} {
		if strings.Contains(text, bad) {
			t.Errorf("%q in\n%s", bad, text)
		}
	}
	var data struct {
		Lines []struct{ X, Y []float64 }
		Range [3]float64
	}
	attribute := regexp.MustCompile(`data-chart="([^"]*)"`).FindStringSubmatch(text)
	if err := json.Unmarshal([]byte(html.UnescapeString(attribute[1])), &data); err != nil {
		t.Fatal(err)
	}
	if len(data.Lines) != 2 || !slices.Equal(data.Lines[0].X, []float64{1, 3}) || !slices.Equal(data.Lines[0].Y, []float64{3, 1.1235}) {
		t.Errorf("values %+v", data.Lines)
	}
	if data.Range[0] != 4 || data.Range[1] > 1.2 || data.Range[2] < 4 {
		t.Errorf("range %v", data.Range)
	}
	if other := string(sample().HTML()); other != text {
		t.Error("the same chart is drawn in two ways")
	}
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
}

// TestHTML_nothing: without points there is no chart.
func TestHTML_nothing(t *testing.T) {
	for _, c := range []Chart{
		{}, {Lines: []Line{{Name: "a"}}}, {Lines: []Line{{Points: []Point{{1, math.NaN()}}}}}, {Levels: []Level{{"base", 0, 1}}},
		{Lines: []Line{{Points: []Point{{0, 1}}}}}, // nothing has happened yet
		Histogram("a", "words", "rows", nil),
	} {
		if got := c.HTML(); got != "" {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestFrame: a flat curve is in the middle and not at an edge, a curve that may begin at 0 does, and negative values are shown.
func TestFrame(t *testing.T) {
	for _, c := range []struct {
		points   []Point
		fromZero bool
		low      float64
	}{
		{[]Point{{0, 2}, {1, 2}}, false, 1.998},
		{[]Point{{0, 2}, {1, 3}}, false, 1.95},
		{[]Point{{0, 2}, {1, 3}}, true, 0},
		{[]Point{{0, 0.01}, {1, 3}}, false, 0},
		{[]Point{{0, -1}, {1, 3}}, true, -1.2},
		{[]Point{{0, 7}, {1, 7}}, true, 0},
		{[]Point{{0, 0}, {1, 0}}, false, 0},
	} {
		f, ok := Chart{Lines: []Line{{Points: c.points}}, FromZero: c.fromZero}.frame()
		if !ok || math.Abs(f.low-c.low) > 1e-9 || f.high <= c.points[1].Y {
			t.Errorf("%v: %+v, want from %g", c.points, f, c.low)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      []float64
	}{{0, 300, []float64{0, 100, 200, 300}}, {0.93, 3.1, []float64{1, 1.5, 2, 2.5, 3}}, {0, 1, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}}} {
		got := ticks(c.low, c.high, 5)
		same := len(got) == len(c.want)
		for i := range min(len(got), len(c.want)) {
			same = same && math.Abs(got[i]-c.want[i]) < 1e-9
		}
		if !same {
			t.Errorf("from %g to %g: %v, want %v", c.low, c.high, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1.25: "1.25", 0.0002: "0.0002", 12345.678: "12346", 2.5e6: "2500000", -0.00015: "-0.00015", 1e-7: "1e-07", 123456: "123456", math.NaN(): "NaN",
	} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) = %s, want %s", v, got, want)
		}
	}
	for _, c := range []struct {
		v, end float64
		want   string
	}{
		{0, 5, "0"}, {0.5, 5, "0.5"}, {0.0002, 5e-4, "2e-4"}, {-0.00015, 1, "-1.5e-4"}, {5000, 20000, "5k"}, {20000, 21000, "20k"}, {2.5e6, 3e6, "2.5M"},
		{9000, 9100, "9000"}, {0.1 + 0.2, 1, "0.3"},
	} {
		if got := tick(c.v, c.end); got != c.want {
			t.Errorf("tick(%v, %v) = %s, want %s", c.v, c.end, got, c.want)
		}
	}
}

// TestThin: whatever the length, no more than asked for are picked, in order, with both ends and the extremes.
func TestThin(t *testing.T) {
	for _, n := range []int{0, 1, 5, 99, 100, 101, 150, 1000, 12345} {
		points := make([]Point, n)
		for i := range points {
			points[i] = Point{float64(i), math.Sin(float64(i) * 1.7)}
		}
		if n > 50 {
			points[n/3].Y, points[n/2].Y = 100, -100
		}
		at := Thin(points, 100)
		if len(at) > 100 || n <= 100 && len(at) != n || n > 100 && len(at) < 60 {
			t.Errorf("of %d points %d are picked", n, len(at))
		}
		if !slices.IsSorted(at) || len(slices.Compact(slices.Clone(at))) != len(at) {
			t.Errorf("of %d points, in disorder: %v", n, at)
		}
		if n > 50 && (at[0] != 0 || at[len(at)-1] != n-1 || !slices.Contains(at, n/3) || !slices.Contains(at, n/2)) {
			t.Errorf("of %d points an end or a spike is missing", n)
		}
		if got := Pick(points, at); len(got) != len(at) || n > 0 && got[len(got)-1] != points[n-1] {
			t.Errorf("picked %v", got)
		}
	}
}

func TestSmooth(t *testing.T) {
	got := Smooth([]Point{{1, 1}, {2, 2}, {3, 6}, {4, 2}, {5, 9}}, 2)
	want := []Point{{1, 1}, {2, 3}, {3, 4}, {4, 17.0 / 3}, {5, 9}}
	for i := range want {
		if got[i].X != want[i].X || math.Abs(got[i].Y-want[i].Y) > 1e-12 {
			t.Errorf("%v, want %v", got, want)
			break
		}
	}
	if len(Smooth(nil, 3)) != 0 {
		t.Error("something of nothing")
	}
}

func TestStretches(t *testing.T) {
	var points []Point
	for i := range 300 {
		points = append(points, Point{float64(i + 1), float64(i % 7)})
	}
	got := Stretches(points, 60)
	if len(got) != 60 || got[0] != (Point{3, 2}) || math.Abs(got[1].Y-(5+6+0+1+2)/5.0) > 1e-12 {
		t.Errorf("%d points, the first %v", len(got), got[:2])
	}
	if short := Stretches(points[:10], 60); len(short) != 10 {
		t.Errorf("ten points became %d", len(short))
	}
}

// TestHistogram: every value is counted once, in the range that is named for it, and a long tail does not press the rest together.
func TestHistogram(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []int
		bins   int
		last   string
	}{
		{"zeros", []int{0, 0}, 1, "0 words"},
		{"small", []int{1, 2, 2, 3, 7}, 8, "7 words"},
		{"wide", []int{0, 10, 99, 100}, 21, "100 to 104 words"},
		{"tail", append(slices.Repeat([]int{10, 20}, 200), 5000), 22, "21 or more words"},
	} {
		h := Histogram("a", "words", "rows", []Group{{Name: "x", Values: c.values}, {Name: "none"}})
		if len(h.Lines) != 1 {
			t.Fatalf("%s: %d lines", c.name, len(h.Lines))
		}
		names := h.bins.names()
		if len(h.Lines[0].Points) != c.bins || len(names) != c.bins || names[c.bins-1] != c.last {
			t.Errorf("%s: %d bins, the last %q", c.name, len(names), names[len(names)-1])
		}
		sum := 0.0
		for _, p := range h.Lines[0].Points {
			sum += p.Y
		}
		if int(sum) != len(c.values) {
			t.Errorf("%s: %v of %d values are counted", c.name, sum, len(c.values))
		}
		wellFormed(t, string(h.HTML()))
	}
}

// TestBins: counted values stay in their ranges, and ranges that make no sense are not drawn.
func TestBins(t *testing.T) {
	c := Bins("a", "tokens", "samples", Group{Name: "x"}, []Bin{{20, 30, 5}, {30, 40, 0}, {40, 0, 2}})
	if len(c.Lines) != 1 || !slices.Equal(c.Lines[0].Points, []Point{{0, 0}, {10, 0}, {20, 5}, {30, 0}, {40, 2}}) {
		t.Fatalf("%+v", c)
	}
	if names := c.bins.names(); names[2] != "20 to 29 tokens" || names[4] != "40 or more tokens" {
		t.Errorf("names %q", names)
	}
	wellFormed(t, string(c.HTML()))
	if one := Bins("a", "tokens", "samples", Group{Name: "x"}, []Bin{{7, 0, 3}}); len(one.Lines) != 1 || one.Lines[0].Points[7].Y != 3 {
		t.Errorf("one range without an end: %+v", one)
	}
	for _, bad := range [][]Bin{nil, {{-5, 5, 1}}, {{0, 10, 1}, {5, 15, 1}}, {{0, 10, 1}, {10, 30, 1}, {30, 40, 1}}, {{0, 1, 1}, {1 << 40, 0, 1}}, {{10, 20, 1}, {0, 10, 1}}} {
		if c := Bins("a", "tokens", "samples", Group{}, bad); len(c.Lines) != 0 {
			t.Errorf("%v is drawn as %v", bad, c.Lines[0].Points)
		}
	}
}

// TestNewPage: the policy names the hashes of exactly what the page has, and nothing else may run or load.
func TestNewPage(t *testing.T) {
	p := NewPage("p{}")
	if !strings.HasSuffix(string(p.Style), "p{}") || !strings.HasPrefix(string(p.Style), Look) {
		t.Error("the style is not the common one and the page's own")
	}
	if NewPage("q{}").Policy == p.Policy || !strings.Contains(p.Policy, "default-src 'none'") || strings.Contains(p.Policy, "unsafe") {
		t.Errorf("policy %s", p.Policy)
	}
	for _, bad := range []string{"http:", "https:", "@import", "url(", "</"} {
		if strings.Contains(Look+Script, bad) {
			t.Errorf("style or script has %q", bad)
		}
	}
}
