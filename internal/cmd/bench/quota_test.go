package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Ensure that both versions of control groups are told the same quota.
func TestQuota(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		parent, controllers string
		want                map[string]string
	}{
		"version 1": {"cpu", "", map[string]string{"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": "1447", "cgroup.procs": "4711"}},
		"version 2": {"", "cpuset cpu io", map[string]string{"cpu.max": "1447 20000", "cgroup.procs": "4711"}},
	} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, tt.parent), 0o755); err != nil {
			t.Fatal(err)
		}
		if tt.controllers != "" {
			if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte(tt.controllers+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		q, err := newQuota(root)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := errors.Join(q.limit(share(128)), q.add(4711)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := filepath.Dir(q.dir); got != filepath.Join(root, tt.parent) {
			t.Errorf("%s: the group is in %s", name, got)
		}
		for file, want := range tt.want {
			if got, err := os.ReadFile(filepath.Join(q.dir, file)); string(got) != want {
				t.Errorf("%s: %s is %q, %v, want %q", name, file, got, err, want)
			}
		}
	}
}

// Ensure that a machine without usable groups is no failure, and is left as it was.
func TestQuota_none(t *testing.T) {
	t.Parallel()
	without := t.TempDir()
	if err := os.WriteFile(filepath.Join(without, "cgroup.subtree_control"), []byte("cpuset memory\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, root := range map[string]string{"no groups": filepath.Join(t.TempDir(), "none"), "not enabled": without} {
		if _, err := newQuota(root); !errors.Is(err, errNoQuota) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if entries, err := os.ReadDir(without); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v; want nothing added", entries, err)
	}
}

// Ensure that a real group takes a process, and that nothing is left of it.
func TestQuota_real(t *testing.T) {
	t.Parallel()
	q, err := newQuota(groupRoot)
	if err != nil {
		t.Skip(err)
	}
	sleeper := exec.Command("cat")
	input, err := sleeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close() // until then it waits
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(q.add(sleeper.Process.Pid), q.limit(share(256))); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(q.dir, "cgroup.procs")); strings.TrimSpace(string(got)) != strconv.Itoa(sleeper.Process.Pid) {
		t.Errorf("the group holds %q, %v, want %d", got, err, sleeper.Process.Pid)
	}
	if err := sleeper.Process.Kill(); err != nil {
		t.Error(err)
	}
	sleeper.Wait()
	if err := q.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(q.dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", q.dir, err)
	}
}
