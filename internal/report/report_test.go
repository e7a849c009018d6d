package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ft/internal/run"
)

// hostile is text that would run, steer or break a page that took it as it is.
const hostile = "</p><script>alert(1)</script>\u202egnp.exe\x00\x1b[31m \" onload=\"alert(2)"

// whole writes the files of a finished run with all that a page shows, and returns its directory.
func whole(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "med-20261127-120000")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for i := 1; i <= 3000; i++ {
		fmt.Fprintf(&log, `{"step":%d,"epoch":%g,"loss":%g,"lr":%g,"grad_norm":0.5,"tokens":100,"tokens_per_s":1234.5,"seconds":%d}`+"\n",
			i, float64(i)/1000, 1+2*math.Exp(-float64(i)/500)+0.2*math.Sin(float64(i)), 1e-4, i)
		if i%1000 == 0 {
			fmt.Fprintf(&log, `{"step":%d,"epoch":%d,"eval_loss":%g,"bleu":%g,"rougeL":30,"nist":2.5,"ppl":7}`+"\n", i, i/1000, []float64{2, 1.25, 1.5}[i/1000-1], float64(i)/100)
		}
		if i == 1000 {
			log.WriteString(`{"step":0,"epoch":0,"eval_loss":3.5}` + "\n")
		}
	}
	log.WriteString(`{"step":3001,"lo`) // a crash
	var tuned, base strings.Builder
	for i := range 30 {
		words := strings.Fields("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty")
		reference := strings.Join(words, " ")
		fmt.Fprintf(&tuned, `{"id":"r%d","prompt":"question %d","prediction":%q,"reference":%q}`+"\n", i, i, strings.Join(words[:i%20], " "), reference)
		fmt.Fprintf(&base, `{"id":"r%d","prompt":"question %d","prediction":%q,"reference":%q}`+"\n", i, i, strings.Join(words[:19-i%20], " "), reference)
	}
	for name, text := range map[string]string{
		run.ConfigFile: "base: models/tiny.gguf\nmethod: {kind: lora}\ndata: {files: [rows/med.jsonl]}\neval: {metrics: [bleu, rouge], best: loss, sample: 5}\n",
		run.InfoFile: `{"name":"med","status":"done","started":"2026-11-27T12:00:00+02:00","finished":"2026-11-27T12:30:05+02:00","command":["ft","lora"],
			"build":{"version":"v1","go":"go1.26"},"machine":{"os":"linux","arch":"amd64","cpus":8,"threads":4,"backend":"avx2"},
			"seeds":{"train":7},"files":[{"path":"rows/med.jsonl","bytes":2048,"sha256":"abcdef"}],"sizes":{"steps":3000,"train":2870,"peak_bytes":1073741824},"times":{"train":125}}`,
		run.SplitFile: `{"train":["a","b","c"],"val":["d"],"test":["e"],"hash":{}}`,
		run.DataFile: `{"rows":12,"kept":9,"dropped":{"missing_answer":3},"notes":{"near_duplicate":7},"ids":{"missing_answer":["x1","x2","x3"],
			"near_duplicate":["n1","n2","n3","n4","n5","n6","n7"]},
			"of":{"near_duplicate":["o1"]},"languages":{"en":8,"zh":4},"files":[{"name":"rows/med.jsonl.gz","format":"jsonl","encoding":"utf-8","compression":"gzip","rows":12,"bad":1}],
			"parts":{"train":{"rows":2,"samples":5},"val":{"rows":1,"samples":1}},"skipped":["notes.md: no data"],"bad_rows":["med.jsonl:7: no JSON"],
			"lengths":{"train":{"samples":3,"mean":40.25,"p50":41,"p90":60,"p99":61,"max":99,"histogram":[{"from":20,"to":40,"count":1},{"from":40,"to":0,"count":2}]},"test":{"samples":0}},
			"leaks":{"rows":2,"same":1,"near":1,"accepted":true,"similar":3,"shared_answers":1,"pairs":[{"kind":"near","similarity":0.9,"row":{"part":"test","id":"t9","question":"Was ist?"},
			"repeats":{"part":"train","id":"t1","question":"Was ist das?"}}]}}`,
		run.LogFile: log.String(),
		run.MetricsFile: `{"n":30,"metrics":{"bleu":25.04,"ter":80,"rougeL":41.5,"nist":3.25},"signatures":{"bleu":"nrefs:1|tok:13a"},
			"ci95":{"bleu":[24.1,26.2]},"compared":{"bleu":{"p":0.0009,"verdict":"better"},"ter":{"p":0.02,"verdict":"worse"},"rougeL":{"p":0.3,"verdict":"no difference shown"}},
			"bootstrap":{"resamples":1000,"seed":42},"decoding":{"temperature":0,"stop":["<end>"],"max_new_tokens":96},
			"tasks":{"med_terms":{"n":50,"num_fewshot":2,"metrics":{"acc":52.5},"stderr":{"acc":1.5},"base":{"metrics":{"acc":50},"stderr":{"acc":1.25}},
			"compared":{"acc":{"p":0.04,"verdict":"better"}}}},
			"general":{"file":"prose.txt","tokens":1234,"metrics":{"token_perplexity":12.5},"base":{"metrics":{"token_perplexity":11}}},
			"base":{"n":30,"metrics":{"bleu":2.61,"ter":75},"ci95":{"bleu":[2.5,2.75]}}}`,
		run.PredictionsFile:     tuned.String(),
		run.BasePredictionsFile: base.String(),
	} {
		put(t, dir, name, text)
	}
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func render(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, dir); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, b.String())
	return b.String()
}

// wellFormed: every element that is opened is closed, in order.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	text = regexp.MustCompile(`(?s)<(script|style)>.*?</(script|style)>`).ReplaceAllString(text, "")
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "<!DOCTYPE html>")))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "link"}, xml.HTMLEntity
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			line, _ := d.InputPos()
			t.Fatalf("%v near %q", err, strings.Split(text, "\n")[line-1])
		}
	}
}

// shown is the text of a page without its elements, white space made one blank.
func shown(text string) string {
	text = regexp.MustCompile(`(?s)<(script|style)>.*?</(script|style)>|<[^>]*>`).ReplaceAllString(text, " ")
	text = strings.NewReplacer("&#43;", "+", "&lt;", "<", "&gt;", ">", "&#39;", "'", "&#34;", `"`, "&amp;", "&").Replace(text)
	return strings.Join(strings.Fields(text), " ")
}

// TestHTML: every file's numbers are on the page.
func TestHTML(t *testing.T) {
	dir := whole(t)
	text := render(t, dir)
	have := shown(text)
	for _, want := range []string{
		"BLEU 25.0 against 2.6 for the base, 30 test rows: better, p < 0.01", "Validation loss 1.2500 at step 2000, whose weights were kept; the base's is 3.5000",
		"lora on tiny.gguf: 3,000 steps, 2,870 training rows of med.jsonl",
		"bleu 2.61 25.04 +22.43 ▲ better, p < 0.01 2.50 to 2.75 24.10 to 26.20", "ter 75.00 80.00 +5.00 ▼ worse, p = 0.02 – –", "nist – 3.2500 – – – –",
		"rougeL – 41.50 – no difference shown (p = 0.30)", "1,000 bootstrap resamples, seed 42", `max_new_tokens 96, stop ["<end>"], temperature 0`, "nrefs:1|tok:13a",
		"med_terms acc 50 2 50.00 ± 1.25 52.50 ± 1.50 +2.50 ▲ better, p = 0.04", "1,234 tokens of prose.txt", "token_perplexity 11.00 12.50 +1.50 –",
		"Smoothed: the mean of 121 steps.", "1000 points at most", "base: 3.5", "weights kept: step 2000", "2000 1.2500 20.00 2.5000 7.00 30.00", "0 (the base) 3.5000 - - - -",
		"Best rows r19 tuned 97.4 base 0.0 question 19", "Worst rows r0 tuned 0.0 base 97.4 question 0 Answer The model answered nothing.",
		"The base's answer is closer to the reference in 20 of 30 rows.",
		"rows in the files 12", "rows used 9", "missing answer 3 x1, x2, x3", "near duplicate 7 n1 (of o1), n2, n3, n4, n5, …", "languages en 8, zh 4", "rows/med.jsonl.gz 12 1 jsonl, utf-8, gzip", "notes.md: no data", "med.jsonl:7: no JSON",
		"train 3 40.2 41 60 61 99", "3 rows like one of a part before but for a number or a name, 1 row with the answer to another question", "train part 2 of 3 rows used, 5 samples val part 1 row test part 1 row",
		"2 rows of val and test repeat one of a part before: 1 same, 0 reordered, 1 near (accepted by split.leaks)", "test t9 near 0.90 Was ist? train t1 Was ist das?",
		"started 2026-11-27 12:00:00 +02:00 took 30m05s time, train 2m05s machine linux/amd64, 8 CPUs, 4 threads, kernels avx2 program ft v1, go1.26", "peak 1.0 GiB", "seed, train 7",
		"rows/med.jsonl 2.0 KiB abcdef", "method: {kind: lora}", "It is not medical advice.",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "ZgotmplZ", "%!", "http:", "https:", "@import", "url(", "could not use", "This run"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if t.Failed() {
		t.Log(have)
	}
	if again := render(t, dir); again != text {
		t.Error("the same files give two pages")
	}
	if n := strings.Count(text, "<figure"); n != 9 {
		t.Errorf("%d charts, want loss, scores, nist, ppl, rate, norm, speed, and lengths of two kinds", n)
	}
	if len(text) > 400<<10 {
		t.Errorf("the page has %d bytes", len(text))
	}
}

// TestHTML_parts: a run without some of its files, or with damaged ones, has a page that says so.
func TestHTML_parts(t *testing.T) {
	files := []string{
		run.ConfigFile, run.InfoFile, run.SplitFile, run.DataFile, run.LogFile, run.MetricsFile, run.PredictionsFile, run.BasePredictionsFile,
	}
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			dir := whole(t)
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if text := shown(render(t, dir)); !strings.Contains(text, "parts of it are missing: "+name+" is not there") {
				t.Errorf("the page does not say what is missing: %s", text[max(0, len(text)-300):])
			}
			put(t, dir, name, "{\"a\": [}\n")
			if text := shown(render(t, dir)); !strings.Contains(text, "parts of it are missing: "+name+": ") {
				t.Errorf("the page does not say what is damaged: %s", text[max(0, len(text)-300):])
			}
			put(t, dir, name, "")
			render(t, dir)
			for _, other := range files {
				if other != name {
					os.Remove(filepath.Join(dir, other))
				}
			}
			render(t, dir) // alone and empty
		})
		t.Run("only "+name, func(t *testing.T) {
			dir := whole(t)
			for _, other := range files {
				if other != name {
					os.Remove(filepath.Join(dir, other))
				}
			}
			render(t, dir)
		})
	}
	if err := HTML(io.Discard, t.TempDir()); err == nil || !strings.Contains(err.Error(), "none of a run's files") {
		t.Errorf("an empty directory: %v", err)
	}
}

// TestHTML_hostile: whatever the files hold, it stays text, and what would steer it is shown.
func TestHTML_hostile(t *testing.T) {
	dir := whole(t)
	row := fmt.Sprintf(`{"id":%s,"prompt":%[1]s,"prediction":%[1]s,"reference":%[1]s}`+"\n", quoted(hostile))
	put(t, dir, run.PredictionsFile, row+row+"{\"id\":\"utf8\",\"prediction\":\"\xff\xfe\"}\n")
	put(t, dir, run.BasePredictionsFile, row)
	put(t, dir, run.ConfigFile, "base: "+quoted(hostile)+"\nmethod: {kind: "+quoted(hostile)+"}\ndata: {files: ["+quoted(hostile)+"]}\n")
	put(t, dir, run.InfoFile, fmt.Sprintf(`{"name":%s,"status":"failed","command":[%[1]s],"files":[{"path":%[1]s,"sha256":%[1]s}],"sizes":{%[1]s:1,"steps":3},"seeds":{%[1]s:1},"times":{%[1]s:1},"machine":{"backend":%[1]s}}`, quoted(hostile)))
	put(t, dir, run.MetricsFile, fmt.Sprintf(`{"n":2,"metrics":{%s:1},"signatures":{%[1]s:%[1]s},"compared":{%[1]s:{"p":0.5,"verdict":%[1]s}},"decoding":{%[1]s:%[1]s},
		"tasks":{%[1]s:{"metrics":{%[1]s:1}}},"general":{"file":%[1]s,"metrics":{%[1]s:1}}}`, quoted(hostile)))
	put(t, dir, run.DataFile, fmt.Sprintf(`{"dropped":{%s:1},"notes":{%[1]s:1},"ids":{%[1]s:[%[1]s]},"leaks":{"pairs":[{"kind":%[1]s,"row":{"part":%[1]s,"id":%[1]s,"question":%[1]s}}]}}`, quoted(hostile)))
	put(t, dir, run.LogFile, fmt.Sprintf(`{"step":1,"loss":1}`+"\n"+`{"step":1,"eval_loss":1,%s:1}`+"\n", quoted(hostile)))
	text := render(t, dir)
	if n := strings.Count(text, "<script"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	for _, bad := range []string{"\u202e", "\x00", "\x1b", `onload="`, "ZgotmplZ"} {
		if at := strings.Index(text, bad); at >= 0 {
			t.Errorf("the page has %q: …%q", bad, text[max(0, at-80):at+20])
		}
	}
	if n := strings.Count(text, `\u202egnp.exe\x00\x1b`); n < 20 {
		t.Errorf("the hostile text is shown only %d times", n)
	}
	if !strings.Contains(text, "This run failed") {
		t.Error("the page does not say that the run failed")
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestHTML_values: rows without a value, with null or with a step twice leave a gap, and a huge row is cut.
func TestHTML_values(t *testing.T) {
	dir := whole(t)
	put(t, dir, run.LogFile, `{"step":1,"loss":2,"lr":null}
{"step":2,"loss":1e300,"lr":1e-9,"grad_norm":1e-300}
{"step":3,"loss":7}
{"step":3,"loss":9}
{"step":3,"bleu":1}

not json
{"step":4,"loss":"nan"}
`)
	long := strings.Repeat("word ", 200_000)
	put(t, dir, run.PredictionsFile, fmt.Sprintf(`{"id":"long","prompt":%q,"prediction":%q,"reference":%q}`+"\n", long, long, long+"end"))
	text := render(t, dir)
	have := shown(text)
	for _, want := range []string{"log.jsonl: line 7: ", "line 8: ", "All rows, the best first long tuned 100.0", "(997,500 more characters)", "(997,503 more characters)", "(999,200 more characters)"} {
		if !strings.Contains(have, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(text, "step 3: 7") {
		t.Error("a step that was done again counts twice")
	}
	if len(text) > 200<<10 {
		t.Errorf("the page has %d bytes", len(text))
	}
}

// TestWrite: the page is in the run's directory, and a directory that cannot be written is an error.
func TestWrite(t *testing.T) {
	dir := whole(t)
	path, err := Write(dir)
	if err != nil || path != filepath.Join(dir, run.ReportFile) {
		t.Fatalf("%s, %v", path, err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != render(t, dir) {
		t.Errorf("the file is not the page: %v", err)
	}
	os.Remove(path)
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir); err == nil {
		t.Error("a folder was overwritten")
	}
}
