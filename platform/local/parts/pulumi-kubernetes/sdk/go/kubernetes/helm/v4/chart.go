// Package v4 holds the SDK's own types of a Helm chart, as far as the provider names them.
package v4

import real "taskservice.dev/local/pulumi-kubernetes/sdk/v4/go/kubernetes/helm/v4"

type (
	PostRenderer        = real.PostRenderer
	PostRendererInput   = real.PostRendererInput
	RepositoryOpts      = real.RepositoryOpts
	RepositoryOptsInput = real.RepositoryOptsInput
)
