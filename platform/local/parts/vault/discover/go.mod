// What Vault names of go-discover, for `replace`: no way at all to find peers.
module github.com/hashicorp/go-discover

go 1.25.0
