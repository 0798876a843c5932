package acme

import (
	"sync"
	"sync/atomic"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// storageLog is where certmagic's file storage says what happens to its locks. It has one logger of its own for all storages, which
// writes to standard error past everybody's log: that logger is given this core, which hands on to the log of the manager made last.
type storageLog struct {
	to atomic.Pointer[zap.Logger]
}

var _ zapcore.Core = (*storageLog)(nil)

// takeOnce guards the one exchange of certmagic's logger, which is made before any storage of this program can use it.
var takeOnce = sync.OnceValue(func() *storageLog {
	s := &storageLog{}
	*certmagic.Default.Logger = *zap.New(s)
	return s
})

// takeStorageLog hands what the storages say to a log.
func takeStorageLog(log *zap.Logger) *storageLog {
	s := takeOnce()
	s.to.Store(log)
	return s
}

// leave ends that, unless another log has taken its place.
func (s *storageLog) leave(log *zap.Logger) { s.to.CompareAndSwap(log, nil) }

// Enabled is zapcore.Core's.
func (s *storageLog) Enabled(level zapcore.Level) bool {
	log := s.to.Load()
	return log != nil && log.Core().Enabled(level)
}

// With is zapcore.Core's. Certmagic adds no fields; none are kept.
func (s *storageLog) With([]zapcore.Field) zapcore.Core { return s }

// Check is zapcore.Core's.
func (s *storageLog) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if s.Enabled(e.Level) {
		return checked.AddCore(e, s)
	}
	return checked
}

// Write is zapcore.Core's.
func (s *storageLog) Write(e zapcore.Entry, fields []zapcore.Field) error {
	log := s.to.Load()
	if log == nil {
		return nil
	}
	if to := log.Check(e.Level, "storage: "+e.Message); to != nil {
		to.Write(fields...)
	}
	return nil
}

// Sync is zapcore.Core's.
func (s *storageLog) Sync() error { return nil }
