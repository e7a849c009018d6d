package merge

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// checkOut refuses a place that is taken, that has no directory around it, or whose replacement would destroy something
// else than a model.
func (m *merger) checkOut() error {
	parent := filepath.Dir(m.Out)
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		return fmt.Errorf("--out %s: the directory %s does not exist", m.Out, parent)
	}
	if holds, err := m.holdsBase(); err != nil {
		return err
	} else if holds {
		return fmt.Errorf("--out %s is the base itself, or around it", m.Out)
	}
	if _, err := os.Lstat(m.Out); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !m.Force {
		return fmt.Errorf("%s exists; choose another --out, or replace it with --force", m.Out)
	}
	return m.checkReplaced()
}

// checkReplaced refuses to replace a directory that holds no model: most likely it is there by a slip.
func (m *merger) checkReplaced() error {
	entries, err := os.ReadDir(m.Out)
	if err != nil || len(entries) == 0 {
		return nil // a file, or nothing to lose
	}
	if isGGUF(m.Out) {
		return fmt.Errorf("--out %s is a directory, and a .gguf is a file", m.Out)
	}
	if _, err := os.Stat(filepath.Join(m.Out, "config.json")); err != nil {
		return fmt.Errorf("--out %s is a directory without config.json, so no model to replace; remove it yourself", m.Out)
	}
	return nil
}

// holdsBase reports whether the place is one of the base's files or a directory around one.
func (m *merger) holdsBase() (bool, error) {
	out, err := os.Stat(m.Out)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, file := range m.Base.Files {
		path, err := filepath.Abs(file)
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err != nil {
			return false, err
		}
		for ; ; path = filepath.Dir(path) {
			if info, err := os.Stat(path); err == nil && os.SameFile(info, out) {
				return true, nil
			}
			if path == filepath.Dir(path) {
				break
			}
		}
	}
	return false, nil
}

// tempDir makes a hidden directory beside the output. Not os.MkdirTemp: that makes directories only their owner can read.
func (m *merger) tempDir() (string, error) {
	parent, name := filepath.Split(m.Out)
	for {
		temp := filepath.Join(parent, fmt.Sprintf(".%s.%08x.tmp", name, rand.Uint32()))
		if err := os.Mkdir(temp, 0o777); !errors.Is(err, fs.ErrExist) {
			return temp, err
		}
	}
}

// install gives a complete directory its name. What had the name before is deleted last, and gets it back if that fails.
func (m *merger) install(temp string) error {
	old := temp + ".old"
	err := os.Rename(m.Out, old)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Rename(temp, m.Out)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(temp, m.Out); err != nil {
		return errors.Join(err, os.Rename(old, m.Out))
	}
	return os.RemoveAll(old)
}
