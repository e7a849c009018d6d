package run

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ft/internal/atomicfile"
)

// Latest is the name under which a folder of runs keeps its newest one: a symbolic link to the run's
// folder, or where links are not allowed a text file with the folder's name.
const Latest = "latest"

// Open finds a run: by the path of its directory, by its folder's name under root, by the name it was
// started with (the newest of that name), or by "latest" or "" (the newest of all).
func Open(root, ref string) (*Run, error) {
	if ref == "" || ref == Latest {
		return openLatest(root)
	}
	for _, dir := range []string{ref, filepath.Join(root, ref)} {
		if _, err := os.Stat(filepath.Join(dir, InfoFile)); err == nil {
			return load(dir)
		}
	}
	runs, err := List(root)
	for _, r := range slices.Backward(runs) {
		if r.Info.Name == ref {
			return r, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("run: no run %q: neither a run directory nor a name in %s%s", ref, root, newest(runs))
}

// newest names the last few of runs for an error message.
func newest(runs []*Run) string {
	if len(runs) == 0 {
		return " (it holds no runs)"
	}
	var names []string
	for _, r := range slices.Backward(runs) {
		if names = append(names, filepath.Base(r.Dir)); len(names) == 3 {
			break
		}
	}
	return " (newest: " + strings.Join(names, ", ") + ")"
}

// openLatest follows root/latest, and looks for the newest run itself if that leads nowhere.
func openLatest(root string) (*Run, error) {
	name := readLatest(root)
	if name != "" {
		dir := filepath.Join(root, name)
		if _, err := os.Stat(filepath.Join(dir, InfoFile)); err == nil {
			return load(dir)
		}
	}
	runs, err := List(root)
	if len(runs) > 0 {
		return runs[len(runs)-1], nil
	}
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("run: no runs in %s", root)
}

// readLatest is the folder name that root/latest holds; empty if there is none or it is not a plain name.
func readLatest(root string) string {
	path := filepath.Join(root, Latest)
	name, err := os.Readlink(path)
	if err != nil {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() > 4096 {
			return ""
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return ""
		}
		name = strings.TrimSpace(string(data))
	}
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return ""
	}
	return name
}

// pointLatest makes root/latest name the run folder base. A link is made beside and renamed, so a reader
// never finds nothing.
func pointLatest(root, base string) error {
	path := filepath.Join(root, Latest)
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder, but should name the newest run: move it away", path)
	}
	temp := filepath.Join(root, "."+Latest+"."+base)
	if err := os.Symlink(base, temp); err == nil {
		if err := os.Rename(temp, path); err == nil {
			return nil
		}
		os.Remove(temp)
	}
	return atomicfile.WriteFile(path, []byte(base+"\n"))
}

// List returns the runs of root, oldest first. A folder without run.json is no run. An unreadable run.json
// is reported in the joined error, beside the runs that could be read.
func List(root string) ([]*Run, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	var runs []*Run
	var bad []error
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if _, err := os.Stat(filepath.Join(dir, InfoFile)); err != nil || !e.IsDir() {
			continue
		}
		r, err := load(dir)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		runs = append(runs, r)
	}
	slices.SortStableFunc(runs, func(a, b *Run) int {
		if c := a.Info.Started.Compare(b.Info.Started); c != 0 {
			return c
		}
		return cmp.Compare(natural(a.Dir), natural(b.Dir))
	})
	return runs, errors.Join(bad...)
}

// natural makes the -10 of a folder's name come after -9: shorter names first, then by letters.
func natural(dir string) string {
	return fmt.Sprintf("%06d%s", len(dir), dir)
}

func load(dir string) (*Run, error) {
	path := filepath.Join(dir, InfoFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	r := &Run{Dir: dir}
	if err := json.Unmarshal(data, &r.Info); err != nil {
		return nil, fmt.Errorf("run: %s: %w", path, err)
	}
	return r, nil
}
