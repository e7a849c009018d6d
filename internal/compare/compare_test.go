package compare

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func ptr[T any](v T) *T { return &v }

// sample is a base, two runs, and one that failed.
func sample() *Report {
	var train []Point
	for i := range 300 {
		train = append(train, Point{i + 1, 3 * math.Exp(-float64(i)/80)})
	}
	return &Report{
		Config: "c<1>.yaml", Base: "base", Facts: []Fact{{"base", "a & b"}},
		Rows: []Row{
			{Name: "base", Trainable: ptr(int64(0)), Optimizer: ptr(int64(0)), ValLoss: ptr(3.5), Metrics: map[string]float64{"bleu": 1, "rougeL": 30}},
			{
				Name: "lora", Method: "lora", Run: "runs/a", Trainable: ptr(int64(1234567)), Optimizer: ptr(int64(8 * 1234567)), Peak: ptr(int64(3 << 30)),
				Seconds: ptr(71.0), Steps: 300, ValLoss: ptr(1.25), Metrics: map[string]float64{"bleu": 12.345, "rougeL": 20}, Size: ptr(int64(5 << 20)),
				Train: train, Val: []Point{{100, 2}, {200, 1.25}, {300, 1.5}}, Settings: "method: <lora>",
			},
			{Name: "prompt", Method: "prompt", Trainable: ptr(int64(11520)), ValLoss: ptr(2.0), Val: []Point{{300, 2}}, Metrics: map[string]float64{"bleu": 12.3451}},
			{Name: "full", Method: "full", Error: "killed"},
		},
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := sample().Table(&b); err != nil {
		t.Fatal(err)
	}
	want := `method         trainable  optimizer  peak memory   time  val loss   bleu  rougeL  on disk
base                   0        0 B            -      -    3.5000   1.00   30.00        -
lora           1,234,567    9.4 MiB      3.0 GiB  1m11s    1.2500  12.35   20.00  5.0 MiB
prompt            11,520          -            -      -    2.0000  12.35       -        -
full (failed)          -          -            -      -         -      -       -        -
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestPage: the page is whole, escaped, needs nothing from elsewhere, and marks what is best.
func TestPage(t *testing.T) {
	var b strings.Builder
	if err := sample().HTML(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"c&lt;1&gt;.yaml", "a &amp; b", "method: &lt;lora&gt;", `<td class="best">1.2500</td>`, `<td class="best">12.35</td>`, `<td class="best">30.00</td>`,
		`colspan="8">killed</td>`, "prefers-color-scheme: dark", `name="viewport"`, "lora, step 200: 1.2500",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if n := strings.Count(text, `class="best"`); n != 4 {
		t.Errorf("%d cells are marked, want 4", n)
	}
	for _, bad := range []string{"http:", "https:", "<script", "<link", "@import", "url(", "NaN", "Inf", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if n := strings.Count(text, "<svg"); n != 2 {
		t.Errorf("%d charts, want 2", n)
	}
	for rest := text; ; {
		from := strings.Index(rest, "<svg")
		if from < 0 {
			break
		}
		to := strings.Index(rest, "</svg>") + len("</svg>")
		wellFormed(t, rest[from:to])
		rest = rest[to:]
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

// TestPage_empty: runs that evaluated nothing have no charts.
func TestPage_empty(t *testing.T) {
	var b strings.Builder
	r := &Report{Config: "c", Rows: []Row{{Name: "base"}, {Name: "lora", Error: "killed"}}}
	if err := r.HTML(&b); err != nil || strings.Contains(b.String(), "<svg") || strings.Contains(b.String(), `class="legend"`) {
		t.Errorf("%v\n%s", err, b.String())
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

func TestSmooth(t *testing.T) {
	points := sample().Rows[1].Train
	got := smooth(points, 60)
	if len(got) != 60 || got[0].Step != 3 || math.Abs(got[0].Loss-(points[0].Loss+points[1].Loss+points[2].Loss+points[3].Loss+points[4].Loss)/5) > 1e-12 {
		t.Errorf("%d points, the first %+v", len(got), got[0])
	}
	if short := smooth(points[:10], 60); len(short) != 10 {
		t.Errorf("ten points became %d", len(short))
	}
}
