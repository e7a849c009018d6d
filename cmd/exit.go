package cmd

import (
	"context"
	"errors"

	"ft/configs"
	"ft/trainer"
)

// The exit codes of ft.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2   // wrong usage or config
	exitInterrupted = 130 // by a signal, after saving; 128+SIGINT as shells have it
)

// usageError marks an error as the caller's: wrong flags or arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode maps what a verb returned to the exit code of the process.
func exitCode(err error) int {
	var usage usageError
	var config *configs.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage), errors.As(err, &config):
		return exitUsage
	case errors.Is(err, trainer.ErrInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitFailed
}
