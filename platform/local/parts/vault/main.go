// Vault for the local cluster: what upstream's build tag `minimal` leaves (KV, PKI, transit, SSH; AppRole, certificates,
// JWT, passwords; Raft), and what a platform on Kubernetes needs besides: the Kubernetes auth method and dynamic
// users of MongoDB. Finding peers by the interfaces of clouds (./discover) is left out.
package main

import (
	"fmt"
	"os"
	"reflect"
	"unsafe"

	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault/command"
	"github.com/hashicorp/vault/helper/builtinplugins"
	"github.com/hashicorp/vault/plugins/database/mongodb"
	"github.com/hashicorp/vault/sdk/logical"
)

func main() {
	register("credentialBackends", "kubernetes", logical.Factory(kubernetes.Factory))
	register("databasePlugins", "mongodb-database-plugin", builtinplugins.BuiltinFactory(mongodb.New))
	os.Exit(command.Run(os.Args[1:]))
}

// register adds to the registry of built-in plugins, which can be changed only inside its package: it is either what
// the tag `minimal` leaves, or everything. The version of that package is pinned; another layout would panic here, at
// every start.
func register(kind, name string, factory any) {
	plugins := reflect.ValueOf(builtinplugins.Registry).Elem().FieldByName(kind)
	if !plugins.IsValid() || plugins.Kind() != reflect.Map {
		panic(fmt.Sprintf("vault's registry of built-in plugins has no %s", kind))
	}
	plugins = reflect.NewAt(plugins.Type(), unsafe.Pointer(plugins.UnsafeAddr())).Elem()
	plugin := reflect.New(plugins.Type().Elem()).Elem()
	plugin.FieldByName("Factory").Set(reflect.ValueOf(factory))
	plugins.SetMapIndex(reflect.ValueOf(name), plugin)
}
