package review

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/run"
)

// made is a run with n questions, the last of which got the same answer twice.
func made(t *testing.T, n int) *run.Run {
	t.Helper()
	r := &run.Run{Dir: t.TempDir()}
	for _, side := range []string{Base, Tuned} {
		file := run.BasePredictionsFile
		if side == Tuned {
			file = run.PredictionsFile
		}
		out, err := r.Replace(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			p := run.Prediction{ID: fmt.Sprintf("row:%d", i), Prompt: fmt.Sprintf("question %d?", i), Prediction: fmt.Sprintf("%s answer %d", side, i), Reference: "reference"}
			switch i {
			case n - 1:
				p.Prediction = "the same"
			case 0: // nothing of this may be taken for more than text
				p.Prompt, p.Prediction = `<b id="planted">什么是贫血？</b> & "quotes"`, `<img src=x onerror="document.title='planted'"> 贫血是血红蛋白过少。`+side
			}
			if err := out.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// serve starts a server for a run on a port of its own.
func serve(t *testing.T, r *run.Run) (s *Server, address string) {
	t.Helper()
	pairs, err := Load(r, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = NewServer("test-run", pairs, r.Path(File), 1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	web := httptest.NewUnstartedServer(nil)
	web.Config.Handler = s.Handler(web.Listener.Addr().(*net.TCPAddr).Port)
	web.Start()
	t.Cleanup(web.Close)
	return s, web.URL + s.Path()
}

// call sends a request and returns status and body.
func call(t *testing.T, method, url string, body any, change func(*http.Request)) (int, string) {
	t.Helper()
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, url, in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func ask(t *testing.T, url string, body any) state {
	t.Helper()
	method := "GET"
	if body != nil {
		method = "POST"
	}
	code, text := call(t, method, url, body, nil)
	var s state
	if err := json.Unmarshal([]byte(text), &s); err != nil || code != http.StatusOK {
		t.Fatalf("%s: %d %s %v", url, code, text, err)
	}
	return s
}

// prefer is the ballot of a reader who finds one model better and marks it higher.
func prefer(rater string, q *question, model string) map[string]any {
	left := strings.Contains(q.Left, model)
	b := map[string]any{"rater": rater, "number": q.Number, "better": "right", "accuracy": [2]int{2, 5}, "fluency": [2]int{3, 4}}
	if left {
		b["better"], b["accuracy"], b["fluency"] = "left", [2]int{5, 2}, [2]int{4, 3}
	}
	return b
}

// Two readers judge everything; in between the program is started again. Votes name models though the page never did.
func TestServer(t *testing.T) {
	r := made(t, 9)
	for _, rater := range []string{"Ann", "李 雷"} {
		s, address := serve(t, r)
		at := ask(t, address+"next?rater="+strings.ReplaceAll(rater, " ", "+"), nil)
		lefts := 0
		for n := 0; at.Question != nil; n++ {
			if at.Done != n || at.Total != 8 {
				t.Fatalf("%s: %d of %d, want %d of 8", rater, at.Done, at.Total, n)
			}
			raw, _ := json.Marshal(at)
			if strings.Contains(string(raw), "row:") {
				t.Fatalf("the row can be told: %s", raw)
			}
			if strings.Contains(at.Question.Left, Tuned) {
				lefts++
			}
			at = ask(t, address+"vote", prefer(rater, at.Question, Tuned))
			if n == 3 { // start again in the middle
				s.Close()
				_, address = serve(t, r)
				at = ask(t, address+"next?rater="+strings.ReplaceAll(rater, " ", "+"), nil)
			}
		}
		if lefts == 0 || lefts == 8 {
			t.Errorf("%s saw the tuned answer on one side always", rater)
		}
	}
	pairs, err := Load(r, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	votes, err := ReadVotes(r.Path(File))
	if err != nil {
		t.Fatal(err)
	}
	s := Summarise(pairs, votes)
	if s.Votes != 16 || s.Judged != 8 || s.Same != 1 || s.Tuned != 8 || s.Base+s.Tie != 0 || *s.WinRate != 100 || s.Verdict != "better" {
		t.Errorf("%+v", s)
	}
	if s.Accuracy.Tuned != 5 || s.Accuracy.Base != 2 || s.Fluency.Tuned != 4 || *s.Fluency.Stderr != 0 {
		t.Errorf("accuracy %+v, fluency %+v", s.Accuracy, s.Fluency)
	}
	if a := s.Agreement; a.Questions != 8 || *a.Same != 100 || a.Cohen != nil {
		t.Errorf("agreement %+v", a)
	}
	var b strings.Builder
	if err := s.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"judged      8 of 8 questions, 16 votes of 2 readers\n", "1 more got the same answer", "100 % (95% interval 68 to 100) of the decided ones to the tuned model: better, p = 0.0078", "reader      李 雷: tuned 8", "on 8 questions that several readers judged: 100 % the same"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
}

// A reader may go back: his last vote counts, and he sees what he gave.
func TestServer_again(t *testing.T) {
	r := made(t, 4)
	s, address := serve(t, r)
	q := ask(t, address+"next?rater=Ann", nil).Question
	ask(t, address+"vote", prefer("Ann", q, Tuned))
	seen := ask(t, address+"next?rater=Ann&number=0", nil).Question
	if seen.Vote == nil || seen.Vote.Better != prefer("Ann", q, Tuned)["better"] || seen.Vote.Accuracy != prefer("Ann", q, Tuned)["accuracy"] {
		t.Errorf("shown again: %+v of %+v", seen.Vote, prefer("Ann", q, Tuned))
	}
	ask(t, address+"vote", prefer("Ann", seen, Base))
	if sum := s.Summary(); sum.Votes != 1 || sum.Base != 1 || sum.Accuracy.Base != 5 {
		t.Errorf("%+v", sum)
	}
}

func TestServer_refuses(t *testing.T) {
	r := made(t, 4)
	s, address := serve(t, r)
	good := map[string]any{"rater": "Ann", "number": 0, "better": "tie", "accuracy": [2]int{1, 5}, "fluency": [2]int{3, 3}}
	with := func(key string, v any) map[string]any {
		b := map[string]any{}
		for k, v := range good {
			b[k] = v
		}
		b[key] = v
		return b
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	header := func(key, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(key, v) } }
	for name, c := range map[string]struct {
		method, url string
		body        any
		change      func(*http.Request)
		code        int
	}{
		"another host":          {"GET", address, nil, host("evil.example"), 403},
		"another port":          {"GET", address, nil, host("127.0.0.1:1"), 403},
		"another origin":        {"POST", address + "vote", good, header("Origin", "http://evil.example"), 403},
		"null origin":           {"POST", address + "vote", good, header("Origin", "null"), 403},
		"a form's type":         {"POST", address + "vote", good, header("Content-Type", "text/plain"), 400},
		"without the token":     {"GET", strings.TrimSuffix(address, s.Path()) + "/", nil, nil, 404},
		"another token":         {"GET", strings.TrimSuffix(address, s.Path()) + "/ABC/", nil, nil, 404},
		"a vote by GET":         {"GET", address + "vote", nil, nil, 405},
		"a folder":              {"GET", address + "votes.jsonl", nil, nil, 404},
		"no name":               {"POST", address + "vote", with("rater", " "), nil, 400},
		"a long name":           {"POST", address + "vote", with("rater", strings.Repeat("x", 41)), nil, 400},
		"a name with an escape": {"POST", address + "vote", with("rater", "a\x1b[2J"), nil, 400},
		"no such question":      {"POST", address + "vote", with("number", 3), nil, 400},
		"no such side":          {"POST", address + "vote", with("better", "tuned"), nil, 400},
		"a mark too high":       {"POST", address + "vote", with("accuracy", [2]int{6, 1}), nil, 400},
		"a mark too low":        {"POST", address + "vote", with("fluency", [2]int{0, 1}), nil, 400},
		"more than a vote":      {"POST", address + "vote", with("model", "tuned"), nil, 400},
		"too large":             {"POST", address + "vote", with("better", strings.Repeat("x", 5000)), nil, 400},
		"no such number":        {"GET", address + "next?rater=Ann&number=99", nil, nil, 400},
	} {
		if code, body := call(t, c.method, c.url, c.body, c.change); code != c.code || strings.Contains(body, "answer 1") {
			t.Errorf("%s: %d %.100s, want %d", name, code, body, c.code)
		}
	}
	if sum := s.Summary(); sum.Votes != 0 {
		t.Errorf("%d votes were taken", sum.Votes)
	}
	if code, _ := call(t, "POST", address+"vote", good, header("Origin", "http://"+strings.Split(address, "/")[2])); code != 200 {
		t.Errorf("the page's own vote: %d", code)
	}
}

// A last line that a crash left is cut off; one that is broken elsewhere is told of.
func TestVotes_torn(t *testing.T) {
	r := made(t, 4)
	s, address := serve(t, r)
	ask(t, address+"vote", prefer("Ann", ask(t, address+"next?rater=Ann", nil).Question, Tuned))
	s.Close()
	whole, err := os.ReadFile(r.Path(File))
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range []string{`{"time":"2026`, string(whole[:len(whole)-1])} {
		if err := os.WriteFile(r.Path(File), append(slices.Clone(whole), torn...), 0o666); err != nil {
			t.Fatal(err)
		}
		s, address = serve(t, r)
		at := ask(t, address+"next?rater=Ann", nil)
		if at.Done != 1 {
			t.Errorf("%d votes, want 1", at.Done)
		}
		ask(t, address+"vote", prefer("Ann", at.Question, Tuned))
		s.Close()
		if votes, err := ReadVotes(r.Path(File)); err != nil || len(votes) != 2 {
			t.Errorf("%d votes, %v", len(votes), err)
		}
	}
	os.WriteFile(r.Path(File), append([]byte("{broken}\n"), whole...), 0o666)
	if _, err := ReadVotes(r.Path(File)); err == nil || !strings.Contains(err.Error(), "votes.jsonl:1: not a vote") {
		t.Errorf("%v", err)
	}
}

// Votes on answers that the run no longer has do not count, and a limit leaves votes on other questions alone.
func TestSummarise_stale(t *testing.T) {
	r := made(t, 6)
	s, address := serve(t, r)
	for at := ask(t, address+"next?rater=Ann", nil); at.Question != nil; {
		at = ask(t, address+"vote", prefer("Ann", at.Question, Base))
	}
	s.Close()
	some, err := Load(r, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	votes, _ := ReadVotes(r.Path(File))
	if sum := Summarise(some, votes); len(some.List) != 2 || sum.Votes != 2 || sum.Stale != 0 || sum.Base != 2 {
		t.Errorf("%+v", sum)
	}
	data, _ := os.ReadFile(r.Path(run.PredictionsFile))
	os.WriteFile(r.Path(run.PredictionsFile), bytes.Replace(data, []byte("tuned answer 1"), []byte("a new answer"), 1), 0o666)
	all, err := Load(r, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if sum := Summarise(all, votes); sum.Votes != 4 || sum.Stale != 1 {
		t.Errorf("%+v", sum)
	}
}

func TestSummarise_none(t *testing.T) {
	s := Summarise(&Pairs{List: make([]Pair, 3)}, nil)
	var b strings.Builder
	if err := s.Print(&b); err != nil || s.WinRate != nil || s.P != nil || s.Agreement != nil || b.String() != "judged      0 of 3 questions, 0 votes of 0 readers\n" {
		t.Errorf("%+v %q %v", s, b.String(), err)
	}
	if data, err := json.Marshal(s); err != nil || bytes.Contains(data, []byte("NaN")) {
		t.Errorf("%s %v", data, err)
	}
}

func TestLoad_bad(t *testing.T) {
	r := made(t, 1)
	if _, err := Load(r, 0, 1); err == nil || !strings.Contains(err.Error(), "the same answer to all of 1 questions") {
		t.Errorf("%v", err)
	}
	r = made(t, 3)
	os.Remove(r.Path(run.BasePredictionsFile))
	if _, err := Load(r, 0, 1); err == nil || !strings.Contains(err.Error(), "ft eval RUN makes them") {
		t.Errorf("%v", err)
	}
	r = made(t, 3)
	os.WriteFile(filepath.Join(r.Dir, run.BasePredictionsFile), nil, 0o666)
	if _, err := Load(r, 0, 1); err == nil || !strings.Contains(err.Error(), "has no answer to row") {
		t.Errorf("%v", err)
	}
}

// Sides and order look random and depend on reader and seed.
func TestDraw(t *testing.T) {
	p := &Pairs{}
	left := 0
	for i := range 1000 {
		p.List = append(p.List, Pair{ID: fmt.Sprint(i)})
		if tunedLeft(42, "Ann", fmt.Sprint(i)) {
			left++
		}
	}
	if math.Abs(float64(left)-500) > 60 {
		t.Errorf("the tuned answer stands on the left %d times of 1000", left)
	}
	a := p.order(42, "Ann")
	if !slices.Equal(a, p.order(42, "Ann")) || slices.Equal(a, p.order(42, "Bob")) || slices.Equal(a, p.order(43, "Ann")) {
		t.Error("the order does not depend on reader and seed alone")
	}
}
