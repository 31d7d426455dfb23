// Package sqlitex has the calls that Loki makes.
package sqlitex

import (
	"context"

	"zombiezen.com/go/sqlite"
)

// ExecOptions are a statement's values, and what is done with its rows.
type ExecOptions struct {
	Args       []any
	Named      map[string]any
	ResultFunc func(stmt *sqlite.Stmt) error
}

// Pool is never made.
type Pool struct{}

// PoolOptions are how to open.
type PoolOptions struct{}

// NewPool refuses.
func NewPool(string, PoolOptions) (*Pool, error) { return nil, sqlite.ErrAbsent }

// Take refuses.
func (*Pool) Take(context.Context) (*sqlite.Conn, error) { return nil, sqlite.ErrAbsent }

// Put takes back what Take gave.
func (*Pool) Put(*sqlite.Conn) {}

// Close ends the pool.
func (*Pool) Close() error { return nil }

// Transaction begins nothing.
func Transaction(*sqlite.Conn) func(*error) { return func(*error) {} }

// Execute refuses.
func Execute(*sqlite.Conn, string, *ExecOptions) error { return sqlite.ErrAbsent }
