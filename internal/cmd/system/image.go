package main

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// amazon is the image that Lambda's functions of this runtime run in.
const amazon = "public.ecr.aws/lambda/provided:al2023"

// bundle is where template.yaml has functions look for certificates.
const bundle = "/etc/pki/tls/certs/ca-bundle.crt"

// check says what is missing on this machine.
func check(ctx context.Context, o options) error {
	if _, err := exec.LookPath("docker"); err != nil {
		return errors.New("needs Docker: https://docs.docker.com/get-docker")
	}
	if err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Run(); err != nil {
		return errors.New("needs a running Docker: no daemon answers")
	}
	for _, tool := range []string{"sam", "moto_server", "python"} {
		if _, err := os.Stat(filepath.Join(o.tools, tool)); err != nil {
			return fmt.Errorf("%s is missing in %s: run this by make system, which installs it", tool, o.tools)
		}
	}
	return nil
}

// makeImage puts the certificate of this run's simulator into the base image, in place of all others:
// a function that turned to Didit itself would fail.
func (s *system) makeImage(ctx context.Context) error {
	base := s.options.base
	if base == "" {
		var err error
		if base, err = s.baseImage(ctx); err != nil {
			return err
		}
	}
	var build bytes.Buffer
	files := tar.NewWriter(&build)
	dockerfile := fmt.Sprintf("FROM %s\nCOPY ca.pem %s\n", base, bundle)
	if err := errors.Join(
		addFile(files, "Dockerfile", 0o644, []byte(dockerfile)),
		addFile(files, "ca.pem", 0o644, s.authority.PEM()),
		files.Close(),
	); err != nil {
		return err
	}
	_, err := runCommand(ctx, os.Environ(), &build, "docker", "build", "--quiet", "--tag", s.image+":latest", "-")
	return err
}

// baseImage is a stand-in for Amazon's image where busybox is there to make it of: what SAM's own layer and
// the functions need, and no more.
func (s *system) baseImage(ctx context.Context) (string, error) {
	busybox, err := staticBusybox()
	if err != nil {
		return amazon, nil
	}
	var root bytes.Buffer
	files := tar.NewWriter(&root)
	for _, folder := range []string{"bin/", "opt/", "tmp/", "var/task/", "var/runtime/", "var/rapid/", "var/empty/", "etc/pki/tls/certs/"} {
		err = errors.Join(err, files.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o777}))
	}
	err = errors.Join(err, addFile(files, "bin/busybox", 0o755, busybox))
	for _, name := range []string{"sh", "mv", "chmod", "cp", "rm"} {
		err = errors.Join(err, files.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox"}))
	}
	if err = errors.Join(err, files.Close()); err != nil {
		return "", err
	}
	_, err = runCommand(ctx, os.Environ(), &root, "docker", "import", "--change", "ENV PATH=/bin", "-", s.image+":base")
	return s.image + ":base", err
}

// staticBusybox finds a busybox that needs no libraries.
func staticBusybox() ([]byte, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	binary, err := elf.Open(path)
	if err != nil {
		return nil, err // not made for Linux
	}
	defer func() { _ = binary.Close() }()
	if libraries, err := binary.ImportedLibraries(); err != nil || len(libraries) > 0 {
		return nil, errors.New("busybox is linked dynamically")
	}
	return os.ReadFile(path)
}

func addFile(files *tar.Writer, name string, mode int64, content []byte) error {
	if err := files.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := files.Write(content)
	return err
}

// removeImages deletes what Docker holds of this run, SAM's layers on the image and containers that were left included.
func (s *system) removeImages(ctx context.Context) {
	quiet := func(args ...string) []string {
		out, _ := runCommand(ctx, os.Environ(), nil, "docker", args...)
		return strings.Fields(out)
	}
	images := quiet("images", "--quiet", "--no-trunc", s.image)
	for _, image := range images {
		if containers := quiet("ps", "--all", "--quiet", "--filter", "ancestor="+image); len(containers) > 0 {
			quiet(append([]string{"rm", "--force"}, containers...)...)
		}
	}
	for _, tag := range quiet("images", "--format", "{{.Repository}}:{{.Tag}}", s.image) {
		quiet("rmi", "--force", tag)
	}
}

// listenInside listens where containers find this machine under the name host.docker.internal: at Docker's bridge
// where this machine has it, otherwise (Docker Desktop) at the loopback.
func listenInside(ctx context.Context) (net.Listener, error) {
	name, err := runCommand(ctx, os.Environ(), nil, "docker", "network", "inspect", "bridge",
		"--format", `{{index .Options "com.docker.network.bridge.name"}}`)
	if err != nil {
		return nil, err
	}
	address := "127.0.0.1"
	if bridge, err := net.InterfaceByName(strings.TrimSpace(name)); err == nil {
		addresses, _ := bridge.Addrs()
		for _, a := range addresses {
			if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil {
				address = network.IP.String()
			}
		}
	}
	return net.Listen("tcp", net.JoinHostPort(address, "0"))
}
