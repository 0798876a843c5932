package chain

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// LogList is a set of certificate transparency logs. It is safe for concurrent use.
type LogList struct {
	Version string // of the list, as it says itself
	Time    time.Time
	logs    map[[sha256.Size]byte]*Log
}

// Log is one log of a list.
type Log struct {
	Operator    string
	Description string
	ID          [sha256.Size]byte // the SHA-256 of its key (RFC 6962, Section 3.2)
	Key         crypto.PublicKey  // *ecdsa.PublicKey or *rsa.PublicKey
	State       string            // usable, qualified, readonly, retired, rejected or pending; empty where not said
}

// Bounds of a log list. Google's has some 250 kB and 150 logs.
const (
	MaxLogListBytes = 4 << 20
	maxLogs         = 2000
)

// ParseLogList reads a list in the JSON format of version 3 that browsers use
// (https://www.gstatic.com/ct/log_list/v3/log_list_schema.json). A log whose identifier is not the hash of its key is refused
// with the whole list: it is no list to trust.
func ParseLogList(data []byte) (*LogList, error) {
	if len(data) > MaxLogListBytes {
		return nil, fmt.Errorf("chain: the log list has %d bytes; %d are the most", len(data), MaxLogListBytes)
	}
	type entry struct {
		Description string                     `json:"description"`
		LogID       []byte                     `json:"log_id"`
		Key         []byte                     `json:"key"`
		State       map[string]json.RawMessage `json:"state"`
	}
	var file struct {
		Version   string    `json:"version"`
		Time      time.Time `json:"log_list_timestamp"`
		Operators []struct {
			Name  string  `json:"name"`
			Logs  []entry `json:"logs"`
			Tiled []entry `json:"tiled_logs"`
		} `json:"operators"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("chain: the log list is not of the v3 JSON format: %w", err)
	}
	list := &LogList{Version: clip(file.Version), Time: file.Time, logs: map[[sha256.Size]byte]*Log{}}
	for _, o := range file.Operators {
		for _, x := range append(o.Logs[:len(o.Logs):len(o.Logs)], o.Tiled...) {
			if len(list.logs) == maxLogs {
				return nil, fmt.Errorf("chain: the log list has more than %d logs", maxLogs)
			}
			key, err := x509.ParsePKIXPublicKey(x.Key)
			if err != nil {
				return nil, fmt.Errorf("chain: the key of log %q: %w", clip(x.Description), err)
			}
			l := &Log{Operator: clip(o.Name), Description: clip(x.Description), ID: sha256.Sum256(x.Key), Key: key}
			if string(x.LogID) != string(l.ID[:]) {
				return nil, fmt.Errorf("chain: the identifier of log %q is not the hash of its key", clip(x.Description))
			}
			switch k := key.(type) {
			case *ecdsa.PublicKey:
			case *rsa.PublicKey:
				if k.N.BitLen() > MaxRSABits {
					return nil, fmt.Errorf("chain: the key of log %q has %d bits", l.Description, k.N.BitLen())
				}
			default:
				return nil, fmt.Errorf("chain: the key of log %q is of a kind that logs do not have (%T)", l.Description, key)
			}
			for state := range x.State {
				l.State = clip(state)
			}
			list.logs[l.ID] = l
		}
	}
	if len(list.logs) == 0 {
		return nil, errors.New("chain: the log list has no logs")
	}
	return list, nil
}

// Find returns the log with an identifier, nil where there is none.
func (l *LogList) Find(id [sha256.Size]byte) *Log {
	if l == nil {
		return nil
	}
	return l.logs[id]
}

// Len is the number of logs.
func (l *LogList) Len() int {
	if l == nil {
		return 0
	}
	return len(l.logs)
}
