package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ft/internal/review"
	"ft/internal/run"
	"ft/internal/ui"
)

// reviewFlags are the flags of ft review.
type reviewFlags struct {
	runs          string
	port, limit   int
	seed          uint64
	summary, json bool
}

func newReviewCmd(s *ui.Streams) *cobra.Command {
	var o reviewFlags
	c := &cobra.Command{
		Use:   "review [RUN]",
		Short: "Let people judge base and tuned answers blind, on a page of this machine",
		Long: `Serve a page on which people judge the answers of a run (the newest by default): base and tuned answer side by side, shuffled, nobody
told which is which. A reader gives a name, picks the better answer or a tie, and marks accuracy and fluency of both from 1
to 5, all by keyboard. Each vote is on the disk, in the run's votes.jsonl, before the next question is shown; after a restart
every reader goes on where he stopped. At the end the page tells the win rate with its interval, the marks, and how far
readers agree; --summary tells it here.

The page is served to this machine alone (127.0.0.1), under an address that is printed and new each time. Ctrl-C ends it.

What a model says about medicine is for testing software, not medical advice.`,
		Example: `  ft review
  ft review runs/med-20261123-140501 --limit 50
  ft review runs/latest --summary --json`,
		Args: cobra.MaximumNArgs(1),
		PreRunE: func(*cobra.Command, []string) error {
			switch {
			case o.port < 0 || o.port > 65535:
				return fmt.Errorf("--port: must be from 0 (any free one) to 65535, got %d", o.port)
			case o.limit < 0:
				return fmt.Errorf("--limit: must be 0 (all questions) or more, got %d", o.limit)
			case o.json && !o.summary:
				return errors.New("--json is for --summary")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), args, *s) },
	}
	f := c.Flags()
	f.StringVar(&o.runs, "runs", "runs", "folder of the runs")
	f.IntVar(&o.port, "port", 0, "port of the page (default: any free one)")
	f.IntVar(&o.limit, "limit", 0, "so many questions, drawn by --seed, 0: all")
	f.Uint64Var(&o.seed, "seed", 42, "decides sides, order, and the draw of --limit; keep it when a review goes on")
	f.BoolVar(&o.summary, "summary", false, "tell what the votes so far come to, and serve nothing")
	f.BoolVar(&o.json, "json", false, "with --summary: one JSON object on stdout")
	return c
}

func (o *reviewFlags) run(ctx context.Context, args []string, s ui.Streams) error {
	ref := ""
	if len(args) > 0 {
		ref = args[0]
	}
	r, err := run.Open(o.runs, ref)
	if err != nil {
		return err
	}
	pairs, err := review.Load(r, o.limit, o.seed)
	if err != nil {
		return err
	}
	if o.summary {
		votes, err := review.ReadVotes(r.Path(review.File))
		if err != nil {
			return err
		}
		return o.tell(review.Summarise(pairs, votes), s)
	}
	return o.serve(ctx, r, pairs, s)
}

func (o *reviewFlags) tell(sum *review.Summary, s ui.Streams) error {
	if o.json {
		return writeJSON(s.Out, sum)
	}
	return sum.Print(s.Out)
}

// serve shows the page until ctx ends, which is how a review ends.
func (o *reviewFlags) serve(ctx context.Context, r *run.Run, pairs *review.Pairs, s ui.Streams) (err error) {
	page, err := review.NewServer(filepath.Base(r.Dir), pairs, r.Path(review.File), o.seed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, page.Close()) }()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", o.port))
	if err != nil {
		return fmt.Errorf("review: %w; --port chooses another port", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	server := &http.Server{
		Handler: page.Handler(port), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, MaxHeaderBytes: 1 << 16,
	}
	s.Note("run      %s: %d questions; votes go to %s", r.Dir, len(pairs.List), r.Path(review.File))
	s.Note("open this page in a browser on this machine; Ctrl-C ends the review")
	if _, err := fmt.Fprintf(s.Out, "http://127.0.0.1:%d%s\n", port, page.Path()); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("review: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second) // for a vote that is on its way
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		server.Close()
	}
	return o.tell(page.Summary(), s)
}
