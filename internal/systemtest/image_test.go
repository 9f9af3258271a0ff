//go:build system

package systemtest

import (
	"context"
	"debug/elf"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// amazonImage is the image of the functions' runtime on AWS.
	amazonImage = "public.ecr.aws/lambda/provided:al2023"

	// trustBundle is where template.yaml has functions look for certificates.
	trustBundle = "etc/pki/tls/certs/ca-bundle.crt"
)

// makeImage builds the image that functions run in. The certificate of this run's simulator takes
// the place of all others: a function that called Didit itself would fail.
func (s *system) makeImage(t *testing.T) {
	context := filepath.Join(s.dir, "image")
	root := filepath.Join(context, "root")
	base, busybox := *baseFlag, ""
	if base == "" {
		base, busybox = amazonImage, staticBusybox()
	}
	dockerfile := "FROM " + base + "\nCOPY root /\n"
	folders := []string{filepath.Dir(trustBundle)}
	if busybox != "" {
		dockerfile = "FROM scratch\nCOPY root /\nENV PATH=/bin\n"
		// What SAM's own layer and the functions need, and no more.
		folders = append(folders, "bin", "opt", "tmp", "var/task", "var/runtime", "var/rapid", "var/empty")
	}
	var err error
	for _, folder := range folders {
		err = errors.Join(err, os.MkdirAll(filepath.Join(root, folder), 0o755))
	}
	if busybox != "" {
		err = errors.Join(err, copyFile(busybox, filepath.Join(root, "bin/busybox"), 0o755), os.Chmod(filepath.Join(root, "tmp"), 0o777))
		for _, name := range []string{"sh", "mv", "chmod", "cp", "rm"} {
			err = errors.Join(err, os.Symlink("busybox", filepath.Join(root, "bin", name)))
		}
	}
	err = errors.Join(err, os.WriteFile(filepath.Join(root, trustBundle), s.authority.PEM(), 0o644),
		os.WriteFile(filepath.Join(context, "Dockerfile"), []byte(dockerfile), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.removeImages)
	if _, err := docker(s.ctx, "build", "--quiet", "--tag", s.image+":latest", context); err != nil {
		t.Fatal(err)
	}
}

// staticBusybox returns the path of a busybox that needs no libraries, or "".
func staticBusybox() string {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return ""
	}
	binary, err := elf.Open(path)
	if err != nil {
		return "" // not made for Linux
	}
	defer func() { _ = binary.Close() }()
	if libraries, err := binary.ImportedLibraries(); err != nil || len(libraries) > 0 {
		return ""
	}
	return path
}

func copyFile(from, to string, mode os.FileMode) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, mode)
}

// removeImages deletes what Docker holds of this run, including SAM's layers on the image and
// containers that were left.
func (s *system) removeImages() {
	ctx, cancel := context.WithTimeout(context.Background(), maxStop)
	defer cancel()
	list := func(args ...string) []string {
		out, _ := docker(ctx, args...)
		return strings.Fields(out)
	}
	for _, image := range list("images", "--quiet", "--no-trunc", s.image) {
		if containers := list("ps", "--all", "--quiet", "--filter", "ancestor="+image); len(containers) > 0 {
			list(append([]string{"rm", "--force"}, containers...)...)
		}
	}
	for _, tag := range list("images", "--format", "{{.Repository}}:{{.Tag}}", s.image) {
		list("rmi", "--force", tag)
	}
}

// containerAddress is the address under which containers find this machine by [hostName]: that of
// Docker's bridge where this machine has it, otherwise (Docker Desktop) the loopback.
func (s *system) containerAddress(t *testing.T) string {
	t.Helper()
	name, err := docker(s.ctx, "network", "inspect", "bridge", "--format", `{{index .Options "com.docker.network.bridge.name"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if bridge, err := net.InterfaceByName(strings.TrimSpace(name)); err == nil {
		addresses, _ := bridge.Addrs()
		for _, a := range addresses {
			if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil {
				return network.IP.String()
			}
		}
	}
	return "127.0.0.1"
}
