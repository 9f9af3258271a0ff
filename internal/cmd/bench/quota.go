package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// quotaPeriod is the period in which a share of the processor is handed out. AWS
// does not document Lambda's: this one is assumed.
const quotaPeriod = 20 * time.Millisecond

// quota is a control group that bounds how much of one processor its processes
// get, as Lambda does by the memory size. The processes of this one may be in it
// one after another.
type quota struct {
	dir     string
	unified bool // version 2
}

// errNoQuota is why there is no quota.
var errNoQuota = errors.New("control groups cannot be used here")

// groupRoot is where Linux has its control groups.
const groupRoot = "/sys/fs/cgroup"

// newQuota makes a group below root. It takes the rights of the superuser, and
// changes no setting of the machine. close removes the group.
func newQuota(root string) (*quota, error) {
	name := fmt.Sprintf("bench-%d-%s", os.Getpid(), rand.Text())
	q := &quota{dir: filepath.Join(root, "cpu", name)}
	if enabled, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control")); err == nil {
		if !slices.Contains(strings.Fields(string(enabled)), "cpu") {
			return nil, fmt.Errorf("%w: the cpu controller is not enabled", errNoQuota)
		}
		q = &quota{dir: filepath.Join(root, name), unified: true}
	}
	if err := os.Mkdir(q.dir, 0o755); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoQuota, err)
	}
	if err := q.limit(1); err != nil {
		q.close()
		return nil, fmt.Errorf("%w: %w", errNoQuota, err)
	}
	return q, nil
}

// limit grants the group so much of one processor; 1 is all of it.
func (q *quota) limit(share float64) error {
	period := quotaPeriod.Microseconds()
	granted := strconv.FormatInt(int64(share*float64(period)), 10)
	if q.unified {
		return q.write("cpu.max", fmt.Sprint(granted, " ", period))
	}
	if err := q.write("cpu.cfs_period_us", strconv.FormatInt(period, 10)); err != nil {
		return err
	}
	return q.write("cpu.cfs_quota_us", granted)
}

// add puts a running process, all its threads, into the group.
func (q *quota) add(pid int) error { return q.write("cgroup.procs", strconv.Itoa(pid)) }

func (q *quota) write(file, text string) error {
	return os.WriteFile(filepath.Join(q.dir, file), []byte(text), 0o644)
}

// close needs all processes of the group to have ended.
func (q *quota) close() error { return os.Remove(q.dir) }
