// What Loki names of SQLite, for `replace`: a database that cannot be opened.
module zombiezen.com/go/sqlite

go 1.25.0
