package certs

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	defaultPoll   = time.Minute
	defaultSettle = 300 * time.Millisecond
)

// Watch reloads the files whenever their contents change, until ctx ends, which is when it returns. onReload, if not nil, is called after
// each reload from the same goroutine: with nil when the new certificates are being served, with the error when the old
// ones stay.
//
// Directories are watched, not files: certificates are replaced by renames, and Kubernetes swaps the ..data link of a whole
// volume. Where changes are not announced (network file systems, subPath mounts) the files are compared every Poll.
func (f *Files) Watch(ctx context.Context, onReload func(error)) {
	poll, settle := f.Poll, f.Settle
	if poll <= 0 {
		poll = defaultPoll
	}
	if settle <= 0 {
		settle = defaultSettle
	}
	var events <-chan fsnotify.Event
	var failures <-chan error
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		defer watcher.Close()
		events, failures = watcher.Events, watcher.Errors
		f.watchDirectories(watcher)
	} // without watches (their number is limited per user) polling remains

	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	settled := time.NewTimer(0) // the first look catches what changed before the watches stood
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			settled.Reset(settle)
		case _, ok := <-failures: // an overflow of the queue: something changed
			if !ok {
				failures = nil
				continue
			}
			settled.Reset(settle)
		case <-ticker.C:
			if watcher != nil {
				f.watchDirectories(watcher) // a directory may have been made anew
			}
			f.reloadIfChanged(onReload)
		case <-settled.C:
			f.reloadIfChanged(onReload)
		}
	}
}

// reloadIfChanged reloads when the contents differ from those of the last reload, good or bad: an error is told once.
func (f *Files) reloadIfChanged(onReload func(error)) {
	f.reload.Lock()
	changed := f.digest() != f.seen
	var err error
	if changed {
		err = f.read()
	}
	f.reload.Unlock()
	if changed && onReload != nil {
		onReload(err)
	}
}

// watchDirectories watches where the files stand, and where links lead. What cannot be watched is left to polling; a directory
// that is watched already stays so.
func (f *Files) watchDirectories(w *fsnotify.Watcher) {
	for _, p := range f.pairs {
		for _, path := range []string{p.Cert, p.Key} {
			_ = w.Add(filepath.Dir(path))
			if real, err := filepath.EvalSymlinks(path); err == nil {
				_ = w.Add(filepath.Dir(real))
			}
		}
	}
}
