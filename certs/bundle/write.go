package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write puts the files into dir, which is made for its owner only where it is missing. Each file has mode 0600 and is either
// complete or not there. Files that exist already are replaced with overwrite; without it they are an error for which nothing
// is written (errors.Is os.ErrExist). paths are the files written.
func (o *Output) Write(dir string, overwrite bool) (paths []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if !overwrite {
		var errs []error
		for _, f := range o.Files {
			path := filepath.Join(dir, f.Name)
			if _, err := os.Lstat(path); err == nil {
				errs = append(errs, fmt.Errorf("%s: %w", path, os.ErrExist))
			}
		}
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
	}
	for _, f := range o.Files {
		path := filepath.Join(dir, f.Name)
		if err := writeFile(path, f.Data); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// writeFile writes beside the file and renames: a server that reads at that moment gets the old one or the new one.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails when it was renamed
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(0o600), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
