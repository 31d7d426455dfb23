// Package v2 registers the objects that the provider's components (ConfigFile, ConfigGroup, Chart) are made of.
//
// The SDK's own package does the same with a Go type for each of 157 kinds, whose outputs nobody reads inside the
// provider: they take longer to compile than the provider itself.
package v2

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Object is a resource of any kind: its URN and its id.
type Object struct {
	pulumi.CustomResourceState
}

// RegisterResource registers an object under the type token that the SDK gives its kind.
func RegisterResource(ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input,
	opts ...pulumi.ResourceOption,
) (pulumi.CustomResource, error) {
	var object Object
	if err := ctx.RegisterResource(Token(apiVersion, kind), name, props, &object, opts...); err != nil {
		return nil, err
	}
	return &object, nil
}

// Token returns the type token of a kind: `kubernetes:<group and version>:<kind>`, where the nameless group is `core`.
func Token(apiVersion, kind string) string {
	if apiVersion == "v1" {
		apiVersion = "core/v1"
	}
	return fmt.Sprintf("kubernetes:%s:%s", apiVersion, kind)
}
