package dataset

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// extensions are those of the formats that are read, without the one of a compression.
var extensions = map[string]string{
	".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".txt": "text",
}

// compressions are what the extensions say of compression.
var compressions = map[string]string{".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}

const filesRead = "files read are .json, .jsonl, .csv, .tsv, .parquet and .txt, plain, .gz or .zst"

// extension is what a file's name says: the format and the compression, each empty if it does not say.
func extension(name string) (format, compression string) {
	ext := strings.ToLower(filepath.Ext(name))
	if compression = compressions[ext]; compression != "" {
		ext = strings.ToLower(filepath.Ext(name[:len(name)-len(ext)]))
	}
	return extensions[ext], compression
}

// HoldsRows reports whether a file's name says that rows are in it, not plain text.
func HoldsRows(name string) bool {
	format, _ := extension(name)
	return format != "" && format != "text"
}

// Resolve returns the files that names mean, and what of them is left alone, each as `file: why`. A name is a file; a folder, meaning all files below it with an
// extension of a format that is read; or a pattern of path.Match, in which ** is any number of folders. Files of a folder or pattern come in the order of
// their paths, without hidden ones and without those of hidden folders. A folder's .txt files are taken only if it has no others, for
// they tend to be licences and notes. A file that is found twice, through a link or another name, is taken once. Names that the
// system does not know stay as they are.
func Resolve(names []string) (files, skipped []string, err error) {
	var found []string
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case err == nil && info.IsDir():
			more, left, err := folder(name)
			if err != nil {
				return nil, nil, err
			}
			found, skipped = append(found, more...), append(skipped, left...)
		case err != nil && strings.ContainsAny(name, "*?["):
			more, err := glob(name)
			if err != nil {
				return nil, nil, err
			}
			found = append(found, more...)
		default:
			found = append(found, name)
		}
	}
	seen := map[int64][]int{} // by size: the indices of files
	infos := make([]fs.FileInfo, len(found))
next:
	for i, name := range found {
		if infos[i], err = os.Stat(name); err != nil {
			files = append(files, name) // opening it will tell
			continue
		}
		size := infos[i].Size()
		for _, j := range seen[size] {
			if os.SameFile(infos[i], infos[j]) {
				skipped = append(skipped, fmt.Sprintf("%s: is the same file as %s", name, found[j]))
				continue next
			}
		}
		seen[size] = append(seen[size], i)
		files = append(files, name)
	}
	return files, skipped, nil
}

// folder lists the files of a folder.
func folder(dir string) (files, skipped []string, err error) {
	var texts []string
	err = walk(dir, func(name string) {
		switch format, _ := extension(name); format {
		case "":
			skipped = append(skipped, name+": its extension is none of a format that is read")
		case "text":
			texts = append(texts, name)
		default:
			files = append(files, name)
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("data.files: %w", err)
	}
	if len(files) == 0 {
		files, texts = texts, nil
	}
	for _, name := range texts {
		skipped = append(skipped, name+": plain text beside other formats; name it to have it read")
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("data.files: folder %s has no file to read; %s", dir, filesRead)
	}
	return files, skipped, nil
}

// walk calls visit for the regular files below root that are not hidden, in the order of their paths. Links to files count, links to folders do not.
func walk(root string, visit func(name string)) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hidden := strings.HasPrefix(d.Name(), ".") && name != root; hidden && d.IsDir() {
			return fs.SkipDir
		} else if hidden || d.IsDir() {
			return nil
		}
		info, err := os.Stat(name)
		if err == nil && info.Mode().IsRegular() {
			visit(name)
		}
		return nil // a link to nowhere is nobody's file
	})
}

// glob lists the files that a pattern matches.
func glob(pattern string) ([]string, error) {
	parts := strings.Split(filepath.ToSlash(pattern), "/")
	for _, p := range parts {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("data.files: %s: %w", pattern, err)
		}
	}
	if !slices.Contains(parts, "**") {
		return globOne(pattern)
	}
	fixed := slices.IndexFunc(parts, func(p string) bool { return strings.ContainsAny(p, "*?[") })
	root := strings.Join(parts[:fixed], "/")
	if fixed == 0 {
		root = "."
	} else if root == "" {
		root = "/"
	}
	var files []string
	err := walk(filepath.FromSlash(root), func(name string) {
		rel, err := filepath.Rel(filepath.FromSlash(root), name)
		if err == nil && match(parts[fixed:], strings.Split(filepath.ToSlash(rel), "/")) {
			files = append(files, name)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("data.files: %s: %w", pattern, err)
	}
	return some(files, pattern)
}

// globOne is glob without **.
func globOne(pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("data.files: %s: %w", pattern, err)
	}
	var files []string
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil && info.Mode().IsRegular() && !strings.HasPrefix(filepath.Base(name), ".") {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return some(files, pattern)
}

// some refuses a pattern that no file matches.
func some(files []string, pattern string) ([]string, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("data.files: no file matches %s", pattern)
	}
	return files, nil
}

// match reports whether the elements of a path match those of a pattern.
func match(pattern, elements []string) bool {
	if len(pattern) == 0 {
		return len(elements) == 0
	}
	if pattern[0] == "**" {
		for n := range len(elements) + 1 {
			if match(pattern[1:], elements[n:]) {
				return true
			}
		}
		return false
	}
	if len(elements) == 0 {
		return false
	}
	ok, _ := path.Match(pattern[0], elements[0])
	return ok && match(pattern[1:], elements[1:])
}
