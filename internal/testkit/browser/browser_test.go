package browser

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPage: what a page asks for and complains of is heard, keys and clicks reach it, and the screen is what was wished for.
func TestPage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(`<!DOCTYPE html><title>a</title><link rel="icon" href="data:,"><meta http-equiv="Content-Security-Policy" content="style-src 'none'">
<p style="color: red">x</p><img src="/gone.png"><script>
console.error("one", 2); console.log("fine");
addEventListener("keydown", e => document.title += e.key);
setTimeout(() => { throw new Error("thrown") });
</script>`))
	}))
	defer server.Close()
	p := Open(t)
	p.Screen(390, 844, true)
	p.Go(server.URL)
	p.Do(chromedp.KeyEvent("bc"))
	if got := Eval[string](p, "document.title"); got != "abc" {
		t.Errorf("the title is %q, want abc", got)
	}
	if w := Eval[int](p, "innerWidth"); w != 390 && w != 980 { // without a viewport line a phone takes 980
		t.Errorf("the window is %d wide", w)
	}
	if !Eval[bool](p, `matchMedia("(prefers-color-scheme: dark)").matches && matchMedia("(pointer: coarse)").matches`) {
		t.Error("the screen is not a dark phone")
	}
	problems := strings.Join(p.Problems(), "\n")
	for _, want := range []string{`console.error: "one" 2`, "thrown", "404", "Content Security Policy"} {
		if !strings.Contains(problems, want) {
			t.Errorf("nothing heard of %q:\n%s", want, problems)
		}
	}
	if len(p.Problems()) != 4 {
		t.Errorf("heard\n%s", problems)
	}
	if !slices.Contains(p.Requests(), server.URL+"/gone.png") {
		t.Errorf("requests %v", p.Requests())
	}
}
