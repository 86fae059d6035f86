// A Vault for tests: the core, the HTTP API and the storage of HashiCorp Vault, with no engine but
// Transit and no way in but tokens. Everything that answers is Vault's own code; this file only puts
// it together, because the module of the whole product cannot be built from a module proxy.
//
//	vault <host:port> <data directory>
//
// It starts uninitialised or sealed, like any Vault, and prints one line when it listens.
package main

import (
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

// The core lists stubs of Enterprise paths, two of which the released sdk refuses with a panic. Nobody
// asks for them here, so the list is left empty.
//
//go:linkname enterprisePaths github.com/hashicorp/vault/vault.entPaths
var enterprisePaths func(*vault.SystemBackend) []*framework.Path

// engines is the catalogue of built-in plugins that the core asks. It holds Transit alone.
type engines struct{}

func (engines) Contains(name string, kind consts.PluginType) bool {
	return name == "transit" && kind == consts.PluginTypeSecrets
}

func (all engines) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	open := func() (interface{}, error) { return logical.Factory(transit.Factory), nil }
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
		LogicalBackends: map[string]logical.Factory{"transit": transit.Factory},
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
