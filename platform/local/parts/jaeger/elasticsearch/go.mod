// What Jaeger names of the client of Elasticsearch 8, for `replace`: a client that cannot be made.
module github.com/elastic/go-elasticsearch/v9

go 1.25.0
