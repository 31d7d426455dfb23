// What the provider needs of its own Go SDK, for `replace`: see go/kubernetes/yaml/v2.
module github.com/pulumi/pulumi-kubernetes/sdk/v4

go 1.25.0

require (
	github.com/pulumi/pulumi/sdk/v3 v3.215.0
	taskservice.dev/local/pulumi-kubernetes/sdk/v4 v4.24.0
)
