// Package sqlite stands in for SQLite, in which Loki can keep requests to delete logs; its default is BoltDB. SQLite in
// Go is one package of nine megabytes, for which everything else waits.
package sqlite

import "errors"

// ErrAbsent is what every attempt to open a database gives.
var ErrAbsent = errors.New("SQLite is not built into this Loki: leave the type of the delete request store at boltdb")

// OpenFlags are how to open.
type OpenFlags uint

// The flags that Loki names.
const (
	OpenReadWrite OpenFlags = 1 << iota
	OpenCreate
)

// Conn is never made.
type Conn struct{}

// OpenConn refuses.
func OpenConn(string, ...OpenFlags) (*Conn, error) { return nil, ErrAbsent }

// Changes tells how many rows the last statement changed.
func (*Conn) Changes() int { return 0 }

// Close ends the connection.
func (*Conn) Close() error { return nil }

// Stmt is a row of a result.
type Stmt struct{}

// ColumnInt returns a column by its place.
func (*Stmt) ColumnInt(int) int { return 0 }

// GetInt64 returns a column by its name.
func (*Stmt) GetInt64(string) int64 { return 0 }

// GetText returns a column by its name.
func (*Stmt) GetText(string) string { return "" }

// Backup copies a database.
type Backup struct{}

// NewBackup refuses.
func NewBackup(*Conn, string, *Conn, string) (*Backup, error) { return nil, ErrAbsent }

// Step copies some pages.
func (*Backup) Step(int) (bool, error) { return false, ErrAbsent }

// Close ends the copying.
func (*Backup) Close() error { return nil }
