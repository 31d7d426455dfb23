// Package elasticsearch stands in for the client of Elasticsearch 8 and later, which this Jaeger is built without.
package elasticsearch

import (
	"errors"
	"net/http"

	"github.com/elastic/go-elasticsearch/v9/esapi"
)

// Config has the settings that Jaeger fills in.
type Config struct {
	Addresses            []string
	Username             string
	Password             string
	Header               http.Header
	Transport            http.RoundTripper
	CompressRequestBody  bool
	DiscoverNodesOnStart bool
}

// Client is never made.
type Client struct {
	Indices *esapi.Indices
}

// NewClient refuses.
func NewClient(Config) (*Client, error) {
	return nil, errors.New("this Jaeger is built without the client of Elasticsearch 8 and later")
}
