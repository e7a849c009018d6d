package compare

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/chart"
	"ft/internal/testkit/browser"
)

func ptr[T any](v T) *T { return &v }

// sample is a base, two runs, and one that failed.
func sample() *Report {
	var train []chart.Point
	for i := range 300 {
		train = append(train, chart.Point{X: float64(i + 1), Y: 3 * math.Exp(-float64(i)/80)})
	}
	return &Report{
		Config: "c<1>.yaml", Base: "base", Facts: []Fact{{"base", "a & b"}},
		Rows: []Row{
			{Name: "base", Trainable: ptr(int64(0)), Optimizer: ptr(int64(0)), ValLoss: ptr(3.5), Metrics: map[string]float64{"bleu": 1, "rougeL": 30}},
			{
				Name: "lora", Method: "lora", Run: "runs/a", Trainable: ptr(int64(1234567)), Optimizer: ptr(int64(8 * 1234567)), Peak: ptr(int64(3 << 30)),
				Seconds: ptr(71.0), Steps: 300, ValLoss: ptr(1.25), Metrics: map[string]float64{"bleu": 12.345, "rougeL": 20}, Size: ptr(int64(5 << 20)),
				Train: train, Val: []chart.Point{{X: 100, Y: 2}, {X: 200, Y: 1.25}, {X: 300, Y: 1.5}}, Settings: "method: <lora>",
			},
			{Name: "prompt", Method: "prompt", Trainable: ptr(int64(11520)), ValLoss: ptr(2.0), Val: []chart.Point{{X: 300, Y: 2}}, Metrics: map[string]float64{"bleu": 12.3451}},
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
		`colspan="8">killed</td>`, "prefers-color-scheme: dark", `name="viewport"`, "lora, step 200: 1.25",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if n := strings.Count(text, `class="best"`); n != 4 {
		t.Errorf("%d cells are marked, want 4", n)
	}
	for _, bad := range []string{"http:", "https:", "stylesheet", "@import", "url(", "NaN", "Inf", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if n := strings.Count(text, "<figure"); n != 2 {
		t.Errorf("%d charts, want 2", n)
	}
	if n := strings.Count(text, "<script"); n != 1 {
		t.Errorf("%d scripts, want that of the charts alone", n)
	}
}

// TestPage_empty: runs that evaluated nothing have no charts.
func TestPage_empty(t *testing.T) {
	var b strings.Builder
	r := &Report{Config: "c", Rows: []Row{{Name: "base"}, {Name: "lora", Error: "killed"}}}
	if err := r.HTML(&b); err != nil || strings.Contains(b.String(), "<figure") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestPage_browser: the page works under its own policy, shows values under the pointer, and fits a phone.
func TestPage_browser(t *testing.T) {
	var b strings.Builder
	if err := sample().HTML(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	p := browser.Open(t)
	p.Screen(390, 844, true)
	p.GoFile(file)
	p.Shot("compare-phone-dark.png")
	if wide := browser.Eval[int](p, "document.documentElement.scrollWidth"); wide > 390 {
		t.Errorf("the page is %d wide on a phone of 390", wide)
	}
	p.Screen(1200, 900, false)
	values := browser.Eval[string](p, `(() => {
		const plot = document.querySelector(".plot"), r = plot.getBoundingClientRect();
		plot.dispatchEvent(new PointerEvent("pointermove", {clientX: r.left + r.width * .7, clientY: r.top + 20, pointerType: "mouse"}));
		return plot.querySelector(".values").innerText;
	})()`)
	if !strings.Contains(values, "step 200") || !strings.Contains(values, "lora 1.25") {
		t.Errorf("the pointer shows %q", values)
	}
	p.Shot("compare.png")
	if bad := p.Problems(); len(bad) > 0 {
		t.Errorf("the page complains: %q", bad)
	}
}
