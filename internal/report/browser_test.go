package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ft/internal/run"
	"ft/internal/testkit/browser"
)

// written is the page of a run's directory.
func written(t *testing.T, dir string) string {
	t.Helper()
	path, err := Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// chinese is a run whose rows are Chinese, and long words without a blank.
func chinese(t *testing.T) string {
	t.Helper()
	dir := whole(t)
	put(t, dir, run.PredictionsFile, `{"id":"toyhom-1","prompt":"高血压患者能吃党参吗？","prediction":"高血压病人可以吃党参，党参有降血压的作用。","reference":"高血压病人可以口服党参的。党参有降血脂，降血压的作用。"}
{"id":"`+strings.Repeat("long", 60)+`","prompt":"`+strings.Repeat("question", 40)+`","prediction":"`+strings.Repeat("answer", 80)+`","reference":"`+strings.Repeat("药", 400)+`"}
`)
	return dir
}

// TestBrowser: the page stands on its own, fits every screen, and complains of nothing.
func TestBrowser(t *testing.T) {
	for name, dir := range map[string]string{"whole": whole(t), "chinese": chinese(t)} {
		path := written(t, dir)
		p := browser.Open(t)
		for _, screen := range []struct {
			width int64
			dark  bool
			shot  string
		}{{1200, false, "wide"}, {1200, true, "wide-dark"}, {390, false, "phone"}, {320, true, "narrow-dark"}} {
			p.Screen(screen.width, 844, screen.dark)
			p.GoFile(path)
			p.Shot("report-" + name + "-" + screen.shot + ".png")
			if wide := browser.Eval[int64](p, "document.documentElement.scrollWidth"); wide > screen.width {
				t.Errorf("%s: the page is %d wide on a screen of %d", name, wide, screen.width)
			}
			background := browser.Eval[string](p, "getComputedStyle(document.body).backgroundColor")
			if screen.dark == strings.Contains(background, "255") {
				t.Errorf("%s: the page is %s where a dark one is wished for: %v", name, background, screen.dark)
			}
		}
		if bad := p.Problems(); len(bad) > 0 {
			t.Errorf("%s: the page complains: %q", name, bad)
		}
		for _, url := range p.Requests() {
			if !strings.HasPrefix(url, "file://") && url != "data:," {
				t.Errorf("%s: the page asks for %s", name, url)
			}
		}
	}
}

// TestBrowser_structure: what those who do not see the page find their way by.
func TestBrowser_structure(t *testing.T) {
	p := browser.Open(t)
	p.Screen(1200, 900, false)
	p.GoFile(written(t, whole(t)))
	for expression, want := range map[string]int{
		`document.querySelectorAll("html[lang], header, main, nav[aria-label], footer, h1").length`:                                   6,
		`document.querySelectorAll("main > section:not([aria-labelledby])").length`:                                                   0,
		`[...document.querySelectorAll("nav a")].filter(a => !document.querySelector(a.hash)).length`:                                 0,
		`document.querySelectorAll("nav a").length`:                                                                                   7,
		`document.querySelectorAll("table:not(:has(caption))").length`:                                                                0,
		`document.querySelectorAll("thead th:not([scope=col]), tbody tr:not(:has(th[scope=row]))").length`:                            0,
		`document.querySelectorAll("svg:not([role=img][aria-label], [aria-hidden])").length`:                                          0,
		`document.querySelectorAll(".plot:not([role=slider][tabindex][aria-label][aria-valuetext][aria-description])").length`:        0,
		`document.querySelectorAll(".wide:not([tabindex][role=region][aria-label])").length`:                                          0,
		`new Set([...document.querySelectorAll("[id]")].map(e => e.id)).size - document.querySelectorAll("[id]").length`:              0,
		`[...document.querySelectorAll("ins")].filter(e => !getComputedStyle(e).textDecorationLine.includes("underline")).length`:     0,
		`[...document.querySelectorAll("del")].filter(e => getComputedStyle(e).textDecorationStyle !== "dashed").length`:              0,
		`[...document.querySelectorAll("h1,h2,h3,h4")].map(e => +e.tagName[1]).filter((n, i, all) => i && n > all[i - 1] + 1).length`: 0,
	} {
		if got := browser.Eval[int](p, expression); got != want {
			t.Errorf("%s is %d, want %d", expression, got, want)
		}
	}
}

// TestBrowser_contrast: marked words can be read, in light and in the dark.
func TestBrowser_contrast(t *testing.T) {
	p := browser.Open(t)
	path := written(t, whole(t))
	for _, dark := range []bool{false, true} {
		p.Screen(1200, 900, dark)
		p.GoFile(path)
		for _, element := range []string{"ins", "del"} {
			ratio := browser.Eval[float64](p, `(e => {
				const style = getComputedStyle(e), light = c => c.match(/\d+/g).slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
					.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], .05);
				const [a, b] = [light(style.color), light(style.backgroundColor)];
				return Math.max(a, b) / Math.min(a, b);
			})(document.querySelector("main `+element+`"))`)
			if ratio < 4.5 {
				t.Errorf("%s has a contrast of %.2f, dark %v", element, ratio, dark)
			}
		}
	}
}

// TestBrowser_hover: values appear under the mouse, under a finger, and by the keyboard.
func TestBrowser_hover(t *testing.T) {
	p := browser.Open(t)
	p.Screen(1200, 900, false)
	p.GoFile(written(t, whole(t)))
	type point struct{ X, Y float64 }
	place := func(part float64) point { // of the loss chart
		p.Do(chromedp.ScrollIntoView(chromedp.CSS(".plot")))
		at := browser.Eval[map[string]float64](p, `(r => ({x: r.left, y: r.top, w: r.width, h: r.height}))(document.querySelector(".plot svg").getBoundingClientRect())`)
		return point{at["x"] + at["w"]*(50+part*388)/460, at["y"] + at["h"]/2}
	}
	values := `(e => e.hidden ? "" : e.innerText)(document.querySelector(".values"))`
	expect := func(what string, wants ...string) {
		t.Helper()
		got := browser.Eval[string](p, values)
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s shows %q, want %q", what, got, want)
			}
		}
	}
	if got := browser.Eval[string](p, values); got != "" {
		t.Errorf("values %q before anything was done", got)
	}
	at := place(2.0 / 3)
	p.Do(chromedp.MouseEvent("mouseMoved", at.X, at.Y))
	expect("the mouse", "step 2000\n", "validation 1.25", "training, smoothed 1.03")
	p.Shot("report-hover.png")
	p.Do(chromedp.MouseEvent("mouseMoved", 5, 5))
	if got := browser.Eval[string](p, values); got != "" {
		t.Errorf("values %q when the mouse is gone", got)
	}

	p.Do(chromedp.Focus(chromedp.CSS(".plot")), chromedp.KeyEvent(kb.End))
	expect("End", "step 3000", "validation 1.5")
	p.Do(chromedp.KeyEvent(kb.Home))
	expect("Home", "step 0", "validation 3.5")
	p.Do(chromedp.KeyEvent(kb.ArrowRight))
	expect("the arrow", "step 1", "training 3.1", "validation 3.5 (step 0)")
	if text := browser.Eval[string](p, `document.querySelector(".plot").getAttribute("aria-valuetext")`); !strings.Contains(text, "step 1, training 3.1") {
		t.Errorf("a screen reader hears %q", text)
	}
	p.Do(chromedp.KeyEvent(kb.Escape))
	if got := browser.Eval[string](p, values); got != "" {
		t.Errorf("values %q behind Escape", got)
	}

	p.Screen(390, 844, true)
	at = place(1.0 / 3)
	p.Do(chromedp.TapXY(at.X, at.Y))
	expect("a finger", "step 1000\n", "validation 2")
	p.Shot("report-touch.png")
	if bad := p.Problems(); len(bad) > 0 {
		t.Errorf("the page complains: %q", bad)
	}
}

// TestBrowser_hostile: nothing of what a file holds runs, and nothing of it steers the page.
func TestBrowser_hostile(t *testing.T) {
	dir := whole(t)
	row := `{"id":` + quoted(hostile) + `,"prompt":` + quoted(hostile) + `,"prediction":` + quoted(hostile+"<img src=x onerror=alert(3)><svg onload=alert(4)>") + `,"reference":"x"}` + "\n"
	put(t, dir, run.PredictionsFile, row)
	put(t, dir, run.BasePredictionsFile, row)
	put(t, dir, run.LogFile, `{"step":1,"loss":1}`+"\n"+`{"step":1,"eval_loss":1,`+quoted(hostile)+`:1}`+"\n")
	p := browser.Open(t)
	p.GoFile(written(t, dir))
	p.Do(chromedp.Focus(chromedp.CSS(".plot")), chromedp.KeyEvent(kb.End))
	if bad := p.Problems(); len(bad) > 0 {
		t.Errorf("the page complains: %q", bad)
	}
	if n := browser.Eval[int](p, `document.querySelectorAll("main script, main img, [onload], [onerror]").length`); n != 0 {
		t.Errorf("%d elements out of a row", n)
	}
	if got := browser.Eval[string](p, `document.querySelector(".row ins").textContent`); !strings.Contains(got, `\u202egnp.exe\x00\x1b[31m`) {
		t.Errorf("the row reads %q", got)
	}

	// Were there a hole, the policy would close it: a script and a style that are put into the page do not work.
	text, err := os.ReadFile(filepath.Join(dir, run.ReportFile))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "hole.html", strings.Replace(string(text), "<main>", `<main><script>document.title = "run"</script><style>main { display: none }</style><img src="https://example.invalid/x">`, 1))
	p.GoFile(filepath.Join(dir, "hole.html"))
	if browser.Eval[bool](p, `document.title === "run" || getComputedStyle(document.querySelector("main")).display === "none"`) {
		t.Error("the policy lets a script or a style of a row work")
	}
	if !slices.ContainsFunc(p.Problems(), func(s string) bool { return strings.Contains(s, "Content Security Policy") }) {
		t.Errorf("no word of the policy: %q", p.Problems())
	}
}

// TestBrowser_plain: without scripts all is there but the values under the pointer.
func TestBrowser_plain(t *testing.T) {
	p := browser.Open(t)
	p.WithoutScripts()
	p.Screen(390, 844, false)
	p.GoFile(written(t, whole(t)))
	p.Shot("report-plain.png")
	if got := browser.Run(p, chromedp.OuterHTML(chromedp.CSS("main"))); strings.Count(got, "<polyline") < 8 || strings.Contains(got, "slider") {
		t.Error("the page without scripts has no curves, or controls that do not work")
	}
}
