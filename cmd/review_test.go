package cmd

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/review"
	"ft/internal/run"
	"ft/internal/ui"
)

// TestReview serves a run's page, takes a vote, and ends as by Ctrl-C: without an error, and with the sums.
func TestReview(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		run.InfoFile:            `{"name": "a"}`,
		run.BasePredictionsFile: `{"id": "1", "prompt": "q", "prediction": "x", "reference": "z"}` + "\n",
		run.PredictionsFile:     `{"id": "1", "prompt": "q", "prediction": "y", "reference": "z"}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var errs bytes.Buffer
	o := reviewFlags{seed: 42}
	ended := make(chan error, 1)
	go func() {
		ended <- o.run(ctx, []string{dir}, ui.Streams{Out: in, Err: &errs})
		in.Close()
	}()
	lines := bufio.NewReader(out)
	address, err := lines.ReadString('\n')
	if err != nil || !strings.HasPrefix(address, "http://127.0.0.1:") {
		t.Fatalf("%q %v", address, err)
	}
	address = strings.TrimSpace(address)
	page, err := http.Get(address)
	if err != nil || page.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", page, err)
	}
	page.Body.Close()
	if policy := page.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
	vote, err := http.Post(address+"vote", "application/json", strings.NewReader(`{"rater":"Ann","number":0,"better":"tie","accuracy":[3,4],"fluency":[5,5]}`))
	if err != nil || vote.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", vote, err)
	}
	vote.Body.Close()
	cancel()
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), "judged      1 of 1 question, 1 vote of 1 reader\n") {
		t.Errorf("%q %v", rest, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if votes, err := review.ReadVotes(filepath.Join(dir, review.File)); err != nil || len(votes) != 1 {
		t.Errorf("%v %v", votes, err)
	}
}
