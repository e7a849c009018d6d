package review

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ft/internal/testkit/browser"
)

// await waits until an expression is true in the page.
func await(t *testing.T, p *browser.Page, expression string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !browser.Eval[bool](p, expression); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come true; the page says %q", expression, browser.Eval[string](p, "document.body.innerText"))
		}
	}
}

// press types keys, one after the other.
func press(p *browser.Page, keys ...string) {
	for _, k := range keys {
		p.Do(chromedp.KeyEvent(k))
	}
}

// begin gives a reader's name and waits for the first question.
func begin(t *testing.T, p *browser.Page, name string) {
	t.Helper()
	await(t, p, `!document.querySelector("#start").hidden && document.activeElement.id === "name"`)
	p.Do(chromedp.KeyEvent(name))
	press(p, kb.Enter)
	await(t, p, `!document.querySelector("#judge").hidden`)
}

const (
	count = `document.querySelector("#count").textContent`
	left  = `document.querySelector("#left").textContent`
)

// TestBrowser: two readers judge a run by keyboard alone, the program is started again in between, and the page tells the sums at its end.
func TestBrowser(t *testing.T) {
	r := made(t, 5)
	_, address := serve(t, r)
	p := browser.Open(t)
	p.Screen(1200, 900, false)
	p.Go(address)
	p.Shot("review-start.png")
	for reader, name := range []string{"Ann", "李雷"} {
		begin(t, p, name)
		for n := range 4 {
			await(t, p, count+` === "`+string(rune('0'+n))+` of 4 judged"`)
			tuned := strings.Contains(browser.Eval[string](p, left), Tuned)
			side, marks := kb.ArrowRight, []string{"2", "3", "5", "4"}
			if tuned {
				side, marks = "a", []string{"5", "4", "2", "3"}
			}
			if reader == 1 && n == 3 {
				side = "t"
			}
			press(p, side)
			press(p, marks...)
			if reader == 0 && n == 1 {
				p.Shot("review-wide.png")
			}
			press(p, kb.Enter)
			if reader == 0 && n == 1 { // everything starts again
				await(t, p, count+` === "2 of 4 judged"`)
				_, address = serve(t, r)
				p.Go(address)
				begin(t, p, name)
			}
		}
		await(t, p, `!document.querySelector("#end").hidden && document.querySelectorAll("#sums tr").length === 6`)
		if reader == 0 {
			p.Do(chromedp.Click(chromedp.CSS("#other")))
		}
	}
	sums := browser.Eval[string](p, `document.querySelector("#sums").innerText`)
	for _, want := range []string{"4 of 4; 8 votes, 2 readers", "tuned 3, base 0, tie 1", "100 % of decided questions", "base 2.00, tuned 5.00", "75 % the same", "Krippendorff"} {
		if !strings.Contains(sums, want) {
			t.Errorf("the sums lack %q: %q", want, sums)
		}
	}
	p.Shot("review-end.png")
	votes, err := ReadVotes(r.Path(File))
	if err != nil || len(votes) != 8 {
		t.Fatalf("%d votes, %v", len(votes), err)
	}
	for _, v := range votes {
		if v.Accuracy != (Ratings{2, 5}) || v.Fluency != (Ratings{3, 4}) || v.Better == Base {
			t.Errorf("%+v", v)
		}
	}
	if bad := p.Problems(); len(bad) > 0 {
		t.Errorf("the page complains: %q", bad)
	}
	for _, url := range p.Requests() {
		if !strings.HasPrefix(url, "http://127.0.0.1:") && url != "data:," && url != "about:blank" {
			t.Errorf("the page asks for %s", url)
		}
	}
}

// TestBrowser_text: what a model wrote is text, whatever it looks like, on every screen.
func TestBrowser_text(t *testing.T) {
	r := made(t, 2) // one question: the one with markup
	_, address := serve(t, r)
	p := browser.Open(t)
	p.Screen(1200, 900, false)
	p.Go(address)
	begin(t, p, "Ann")
	if got := browser.Eval[string](p, `document.querySelector("#prompt").textContent`); got != `<b id="planted">什么是贫血？</b> & "quotes"` {
		t.Errorf("the question is shown as %q", got)
	}
	if browser.Eval[bool](p, `!!document.querySelector("#planted, #judge img")`) {
		t.Error("an answer's markup became a part of the page")
	}
	for _, screen := range []struct {
		width int64
		dark  bool
		shot  string
	}{{1200, true, "wide-dark"}, {390, false, "phone"}, {320, true, "narrow-dark"}} {
		p.Screen(screen.width, 844, screen.dark)
		press(p, "b", "1", "3")
		p.Shot("review-" + screen.shot + ".png")
		if wide := browser.Eval[int64](p, "document.documentElement.scrollWidth"); wide > screen.width {
			t.Errorf("the page is %d wide on a screen of %d", wide, screen.width)
		}
		background := browser.Eval[string](p, "getComputedStyle(document.body).backgroundColor")
		if screen.dark == strings.Contains(background, "255") {
			t.Errorf("the page is %s where a dark one is wished for: %v", background, screen.dark)
		}
		if small := browser.Eval[int](p, `[...document.querySelectorAll("#judge button")].filter(b => b.offsetHeight < 40).length`); small > 0 {
			t.Errorf("%d buttons are too small for a finger", small)
		}
	}
	if bad := p.Problems(); len(bad) > 0 {
		t.Errorf("the page complains: %q", bad)
	}
}

// TestBrowser_chinese: the page speaks Chinese, and nothing of it is left in English.
func TestBrowser_chinese(t *testing.T) {
	r := made(t, 3)
	_, address := serve(t, r)
	p := browser.Open(t)
	p.Screen(1200, 900, false)
	p.Go(address)
	await(t, p, `!document.querySelector("#start").hidden`)
	p.Go(browser.Eval[string](p, `document.querySelector("#language").href`))
	await(t, p, `document.documentElement.lang === "zh" && document.title.endsWith("哪个回答更好？")`)
	begin(t, p, "李雷")
	p.Shot("review-chinese.png")
	for n := range 2 {
		await(t, p, count+` === "已评 `+string(rune('0'+n))+` / 2"`)
		press(p, "b", "1", "2", "3", "4", kb.Enter)
	}
	await(t, p, `document.querySelectorAll("#sums tr").length === 6`)
	p.Shot("review-chinese-end.png")
	if left := browser.Eval[[]string](p, `[...document.querySelectorAll("[data-t], #sums th, .marks span")].map(e => e.textContent).filter(s => !/[\u4e00-\u9fff]/.test(s))`); len(left) > 0 {
		t.Errorf("not in Chinese: %q", left)
	}
}

// TestBrowser_keys: help, reference, a step back, an incomplete vote, the mouse, and a program that has ended.
func TestBrowser_keys(t *testing.T) {
	r := made(t, 3)
	pairs, err := Load(r, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, address := serve(t, r)
	p := browser.Open(t)
	p.Screen(1200, 900, false)
	p.Go(address)
	begin(t, p, "Ann")
	press(p, "?")
	await(t, p, `document.querySelector("#keys").open && document.querySelectorAll("#keys dt").length === 9`)
	p.Shot("review-keys.png")
	press(p, kb.Escape)
	await(t, p, `!document.querySelector("#keys").open`)
	press(p, "r")
	await(t, p, `document.querySelector("#reference").open`)
	press(p, kb.Enter)
	await(t, p, `document.querySelector("#refused").textContent.includes("all four marks")`)
	checked := func(group, value string) string {
		return `document.querySelector('[data-step="` + group + `"] [data-value="` + value + `"]').getAttribute("aria-checked") === "true"`
	}
	press(p, "t", "4", "5", kb.Backspace, "2")
	await(t, p, checked("0", "tie")+" && "+checked("1", "4")+" && "+checked("2", "2"))
	p.Do(chromedp.Click(chromedp.CSS(`[data-step="3"] [data-value="3"]`)), chromedp.Click(chromedp.CSS(`[data-step="4"] [data-value="1"]`)))
	await(t, p, `!document.querySelector("#save").disabled`)
	s.store.f.Close() // as a full disk would
	press(p, kb.Enter)
	await(t, p, `document.querySelector("#refused").textContent.startsWith("Not saved: the vote could not be written")`)
	if again, err := openStore(r.Path(File)); err != nil {
		t.Fatal(err)
	} else {
		s.store.f = again.f
	}
	press(p, kb.Enter)
	await(t, p, count+` === "1 of 2 judged"`)
	press(p, "p")
	await(t, p, checked("0", "tie")+" && "+checked("4", "1"))
	votes, err := ReadVotes(r.Path(File))
	if err != nil || len(votes) != 1 || votes[0].Better != Tie {
		t.Fatalf("%+v %v", votes, err)
	}
	if sum := Summarise(pairs, votes); sum.Tie != 1 || sum.WinRate != nil {
		t.Errorf("%+v", sum)
	}
}
