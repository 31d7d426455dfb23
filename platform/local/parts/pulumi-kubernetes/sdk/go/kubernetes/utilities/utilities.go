// Package utilities is the SDK's own, under the name by which its other packages import it.
package utilities

import real "taskservice.dev/local/pulumi-kubernetes/sdk/v4/go/kubernetes/utilities"

var (
	GetEnvOrDefault        = real.GetEnvOrDefault
	PkgVersion             = real.PkgVersion
	PkgResourceDefaultOpts = real.PkgResourceDefaultOpts
	PkgInvokeDefaultOpts   = real.PkgInvokeDefaultOpts
	ParseEnvBool           = real.ParseEnvBool
	ParseEnvInt            = real.ParseEnvInt
	ParseEnvFloat          = real.ParseEnvFloat
	ParseEnvStringArray    = real.ParseEnvStringArray
	IsZero                 = real.IsZero
)
