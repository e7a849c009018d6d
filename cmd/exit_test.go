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
	"ft/internal/kernels"
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

// TestSetUp_notice: what the kernels cannot use is told once, unless the user chose what to use or wants no notes.
func TestSetUp_notice(t *testing.T) {
	const notice = "the CPU has AMX, but it is not used: a test says so"
	before := kernels.Backend()
	t.Cleanup(func() {
		if err := kernels.Use(before); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("FT_CPU", "")
	for _, c := range []struct {
		cpu, notice string
		quiet       bool
		want        string
		fails       bool
	}{
		{"", notice, false, notice + "\n", false},
		{"", "", false, "", false},
		{"", notice, true, "", false},
		{"generic", notice, false, "", false},
		{"abacus", notice, false, notice + "\n", true},
	} {
		var said bytes.Buffer
		err := setUp(&ui.Streams{Err: &said, Quiet: c.quiet}, 0, c.cpu, c.notice)
		if said.String() != c.want || (err != nil) != c.fails {
			t.Errorf("%+v: said %q, error %v", c, said.String(), err)
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
