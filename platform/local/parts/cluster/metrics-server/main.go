// metrics-server with the OpenAPI models of the Kubernetes beside it. Its release carries models that were generated
// for other libraries, whose names those here do not find; compiled with its own, all libraries would be compiled twice.
package main

import (
	"os"

	"github.com/spf13/pflag"

	"k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/logs"
	generated "k8s.io/kubernetes/pkg/generated/openapi"
	"sigs.k8s.io/metrics-server/cmd/metrics-server/app/options"
	"sigs.k8s.io/metrics-server/pkg/api"
)

func main() {
	logs.InitLogs()
	defer logs.FlushLogs()
	if err := serve(os.Args[1:]); err != nil {
		panic(err)
	}
}

func serve(args []string) error {
	opts := options.NewOptions()
	words := pflag.NewFlagSet("metrics-server", pflag.ExitOnError)
	for _, group := range opts.Flags().FlagSets {
		words.AddFlagSet(group)
	}
	if err := words.Parse(args); err != nil {
		return err
	}
	if problems := opts.Validate(); len(problems) > 0 {
		return problems[0]
	}
	config, err := opts.ServerConfig()
	if err != nil {
		return err
	}
	namer := openapi.NewDefinitionNamer(api.Scheme)
	config.Apiserver.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(generated.GetOpenAPIDefinitions, namer)
	config.Apiserver.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(generated.GetOpenAPIDefinitions, namer)
	server, err := config.Complete()
	if err != nil {
		return err
	}
	return server.RunUntil(genericapiserver.SetupSignalHandler())
}
