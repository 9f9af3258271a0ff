package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Ensure that connect, doctor and replay do what the scripts of testdata/site say. A script runs in
// a folder as those of [TestScripts] do, with a stack that was deployed and Didit beside it.
func TestSiteScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "site"),
		Setup: setUpSite,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"refuse": cmdRefuse, "exits": cmdExits, "stack": cmdStack,
			"didit": cmdDidit, "vault": cmdVault, "agrees": cmdAgrees, "nosecret": cmdNoSecret, "hook": cmdHook, "allow": cmdAllow,
			"aws": cmdAWS, "destination": cmdDestination, "set": cmdSet, "readme": cmdReadme,
		},
	})
}

func setUpSite(e *testscript.Env) error {
	a := newAccount(cleaner{e})
	w := newWorld(cleaner{e}, a)
	w.addStack("didit-sessions-dev")
	issuer, err := newSigner(cleaner{e})
	if err != nil {
		return err
	}
	e.Values["account"], e.Values["world"] = a, w
	for _, variables := range []map[string]string{
		a.environment(), w.services.environment(),
		{"DIDIT": w.url, "HOOK": w.hook, "ISSUER": issuer.url, "CI": "true", "HOME": e.WorkDir},
	} {
		for name, value := range variables {
			e.Setenv(name, value)
		}
	}
	if err := copyRepository(e.WorkDir); err != nil {
		return err
	}
	return addDev(e.WorkDir)
}

// addDev adds an environment dev to samconfig.toml, where there is none.
func addDev(dir string) error {
	path := filepath.Join(dir, samconfigName)
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "[dev.deploy.") {
		return err
	}
	const dev = "\n[dev.global.parameters]\nstack_name = \"didit-sessions-dev\"\n[dev.deploy.parameters]\nresolve_s3 = true\n"
	return os.WriteFile(path, append(text, dev...), 0o600)
}
