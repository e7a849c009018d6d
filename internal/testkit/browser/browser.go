// Package browser opens pages in a headless Chromium for tests: it emulates a phone or dark mode, takes pictures, and
// gathers what goes wrong inside the page. Only tests import it.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// programs are the names under which a Chromium is looked for, after the one that FT_CHROMIUM names.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell", "chrome"}

// limit bounds one call of Run: a page that waits for something that does not come fails its test and does not hang.
const limit = time.Minute

// Page is a tab of its own browser, which ends with the test.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	problems []string
	requests []string
}

// Open starts a browser with an empty page; without a Chromium the test is skipped with a word.
func Open(t testing.TB) *Page {
	t.Helper()
	program := find()
	if program == "" {
		t.Skip("no Chromium on this machine (FT_CHROMIUM may name one): the page is not looked at in a browser")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(limit),
		chromedp.NoSandbox, // containers, and the user root, have none
		chromedp.Flag("disable-dev-shm-usage", true),
	)
	allocated, endAll := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocated)
	p := &Page{t: t, ctx: ctx}
	t.Cleanup(func() { // before the folder is removed: clean-ups run last in, first out
		chromedp.Cancel(ctx)
		end()
		endAll()
	})
	// What comes first starts the browser and binds it to its context: it gets one without a limit of time.
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	p.Do(command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}),
		command(runtime.Enable, cdp.Empty{}), command(page.Enable, page.EnableParams{}))
	return p
}

func find() string {
	if given := os.Getenv("FT_CHROMIUM"); given != "" {
		return given
	}
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// hear gathers what the page asks for and complains of.
func (p *Page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		p.problems = append(p.problems, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var words []string
			for _, a := range e.Args {
				words = append(words, string(a.Value)+a.Description)
			}
			p.problems = append(p.problems, fmt.Sprintf("console.%s: %s", e.Type, strings.Join(words, " ")))
		}
	case *log.EventEntryAdded: // failed requests, violated policies, deprecations
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.problems = append(p.problems, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
		}
	case *page.EventJavascriptDialogOpening: // it would block the page
		p.problems = append(p.problems, "dialog: "+e.Message)
		go chromedp.Do(p.ctx, command(page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}))
	}
}

// command is a command of the DevTools protocol as an action.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// Do carries out actions of chromedp; one that fails, or takes a minute, fails the test.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	Run(p, chromedp.Steps(actions...))
}

// Run is Do for an action that has a result.
func Run[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("browser: %v", err)
	}
	return v
}

// Go opens an address and waits until the page is there.
func (p *Page) Go(url string) {
	p.t.Helper()
	p.Do(chromedp.Navigate(url))
}

// GoFile opens a file of this machine.
func (p *Page) GoFile(path string) {
	p.t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Go("file://" + filepath.ToSlash(path))
}

// Screen sets the size of the window in CSS pixels, 390 × 844 for a phone (which also makes it a touch screen), and the
// person's wish for a dark page.
func (p *Page) Screen(width, height int64, dark bool) {
	p.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	phone := width < 600
	p.Do(
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone}),
		command(emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: phone}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}),
	)
}

// WithoutScripts keeps the page from running any, as some readers do; it counts from the next page on.
func (p *Page) WithoutScripts() {
	p.t.Helper()
	p.Do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// Eval is the value of a JavaScript expression in the page; JSON decodes it into T.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return Run(p, chromedp.Evaluate[T](expression))
}

// Shot writes a picture of the whole page, as PNG, into the folder that FT_SHOTS names; without one it does nothing.
func (p *Page) Shot(name string) {
	p.t.Helper()
	dir := os.Getenv("FT_SHOTS")
	if dir == "" {
		return
	}
	picture := Run(p, chromedp.FullScreenshot(100))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), picture, 0o666); err != nil {
		p.t.Fatal(err)
	}
}

// Problems are errors and warnings of the console, uncaught exceptions, failed requests and violated policies so far.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.problems)
}

// Requests are the addresses that the page asked for so far, its own included.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}
