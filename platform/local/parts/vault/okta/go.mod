// What Vault names of Okta's client, for `replace`: a client that cannot be made.
module github.com/okta/okta-sdk-golang/v5

go 1.25.0
