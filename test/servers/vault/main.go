// A Vault for tests: the core, the HTTP API and the storage of HashiCorp Vault, with no engine but
// Transit and no way in but tokens. Everything that answers is Vault's own code; this file only puts
// it together, because the module of the whole product cannot be built from a module proxy.
//
//	vault <host:port> <data directory>
//
// It starts uninitialised or sealed, like any Vault, and prints one line when it listens.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	_ "unsafe" // for go:linkname

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/transit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

// The released sdk panics at paths that can be created and have no existence check. The core has two
// among its stubs of Enterprise paths, which nobody asks for here; the list is left empty.
//
//go:linkname enterprisePaths github.com/hashicorp/vault/vault.entPaths
var enterprisePaths func(*vault.SystemBackend) []*framework.Path

// openTransit is transit.Factory; and the one such path of the engine, its cache, counts as there.
func openTransit(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	engine, err := transit.Backend(ctx, conf)
	if err != nil {
		return nil, err
	}
	for _, path := range engine.Paths {
		if _, creates := path.Operations[logical.CreateOperation]; creates && path.ExistenceCheck == nil {
			path.ExistenceCheck = func(context.Context, *logical.Request, *framework.FieldData) (bool, error) {
				return true, nil
			}
		}
	}
	return engine, engine.Setup(ctx, conf)
}

// engines is the catalogue of built-in plugins that the core asks. It holds Transit alone.
type engines struct{}

func (engines) Contains(name string, kind consts.PluginType) bool {
	return name == "transit" && kind == consts.PluginTypeSecrets
}

func (all engines) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	open := func() (interface{}, error) { return logical.Factory(openTransit), nil }
	return open, all.Contains(name, kind)
}

func (engines) Keys(kind consts.PluginType) []string {
	if kind == consts.PluginTypeSecrets {
		return []string{"transit"}
	}
	return nil
}

func (all engines) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, all.Contains(name, kind)
}

func (engines) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func serve(address, directory string) error {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn})
	storage, err := file.NewFileBackend(map[string]string{"path": directory}, logger)
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:        storage,
		DisableMlock:    true,
		Logger:          logger,
		BuiltinRegistry: engines{},
		LogicalBackends: map[string]logical.Factory{"transit": openTransit},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("listening on", listener.Addr())
	return http.Serve(listener, vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core}))
}

func main() {
	enterprisePaths = func(*vault.SystemBackend) []*framework.Path { return nil }
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: vault <host:port> <data directory>")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
