package dataset

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// Load reads the rows of all files that c.Files means (see Resolve), in order. Every row must fit one of the shapes, and no two may
// have the same id. Rows that cannot be used are errors that name file:line, up to ten a file, or with data.bad_rows: drop are left out and
// listed in the report. A row without an id gets the last element of the file's name and its line, or the whole name if two files share
// that element. The caller closes the table.
func Load(c Config, from Source) (*Table, *Report, error) {
	files, skipped, err := Resolve(c.Files)
	if err != nil {
		return nil, nil, err
	}
	t, report := newTable(from.Scratch), newReport(0)
	report.Skipped = skipped
	if err := t.fill(files, c, from, report); err != nil {
		t.Close()
		return nil, nil, err
	}
	return t, report, nil
}

// fill reads the rows of all files.
func (t *Table) fill(files []string, c Config, from Source, report *Report) error {
	bases := map[string]int{}
	for _, name := range files {
		bases[baseName(name)]++
	}
	for _, name := range files {
		base := baseName(name)
		if bases[base] > 1 {
			base = filepath.ToSlash(name)
		}
		r := reading{name: name, base: base, config: c, from: from, table: t, report: report, info: FileInfo{Name: name}}
		if err := r.read(); err != nil {
			return fmt.Errorf("dataset: %w", err)
		}
		report.Files = append(report.Files, r.info)
	}
	if t.Len() == 0 {
		return noRows(files, report)
	}
	return t.uniqueIDs()
}

// noRows is the error of files without a row to use.
func noRows(files []string, report *Report) error {
	err := fmt.Errorf("dataset: no rows in %s", strings.Join(files[:min(len(files), 3)], ", "))
	if len(files) > 3 {
		err = fmt.Errorf("%w and %d more files", err, len(files)-3)
	}
	if len(report.BadRows) > 0 {
		err = fmt.Errorf("%w: all %d are bad, such as %s", err, report.Rows, report.BadRows[0])
	}
	return err
}

func baseName(name string) string { return path.Base(filepath.ToSlash(name)) }
