// Package kubernetes holds the one type of the SDK's root that the provider uses.
package kubernetes

import real "taskservice.dev/local/pulumi-kubernetes/sdk/v4/go/kubernetes"

type UntypedArgs = real.UntypedArgs
