package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"ft/configs"
	"ft/internal/ui"
	"ft/trainer"
)

func TestExitCode(t *testing.T) {
	_, badConfig := configs.Load(configs.Options{
		Set: []string{"train.lr=x"}, Method: func(string) (any, error) { return &struct{}{}, nil },
	})
	if badConfig == nil {
		t.Fatal("a bad config was accepted")
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{usageError{errors.New("x")}, 2},
		{fmt.Errorf("lora: %w", badConfig), 2},
		{fmt.Errorf("lora: %w", trainer.ErrInterrupted), 130},
		{fmt.Errorf("eval: %w", context.Canceled), 130},
		{context.DeadlineExceeded, 1},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

func TestInterruptible(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot interrupt itself there")
	}
	var said bytes.Buffer
	ctx, stop := interruptible(&ui.Streams{Err: &said})
	defer stop()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the signal did not cancel the context")
	}
	if !strings.Contains(said.String(), "once more") {
		t.Errorf("said %q", said.String())
	}
}

// TestGuarded: a panic becomes an error that asks for a report.
func TestGuarded(t *testing.T) {
	c := &cobra.Command{Use: "ft", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error { panic("a fault") }}
	c.SetArgs(nil)
	_, err := guarded(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "internal error: a fault") || !strings.Contains(err.Error(), "TestGuarded") {
		t.Errorf("a panic became %v", err)
	}
}
