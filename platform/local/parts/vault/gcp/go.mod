// What Vault names of go-gcp-common, for `replace`: no credentials.
module github.com/hashicorp/go-gcp-common

go 1.25.0

require golang.org/x/oauth2 v0.31.0
