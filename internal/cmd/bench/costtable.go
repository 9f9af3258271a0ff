package main

import (
	"bytes"
	"fmt"
	"io"
)

// print writes the report as tables.
func (r *costReport) print(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "medians of %d starts and %d warm calls; %v; %s, %d processors, %s\n",
		r.Plan.Runs, r.Plan.FarCalls, far, r.Machine.System, r.Machine.Processors, r.Machine.Go)
	if r.Measured {
		fmt.Fprintf(&out, "measured with memory/%d MB of one processor in each %v from the first call on, and a whole one before\n", fullProcessor, quotaPeriod)
	} else {
		fmt.Fprintf(&out, "computed from times and processor times, memory/%d MB of one processor from the first call on: %s\n", fullProcessor, r.Why)
	}
	fmt.Fprintf(&out, "USD %.10f per GB-s (arm64, us-east-1) and %.2f per million calls; the init phase is billed; other services are not counted\n", dollarsPerGBSecond, dollarsPerMillion)
	for _, f := range r.Functions {
		fmt.Fprintf(&out, "\n%s: %s\n", f.Title, f.About)
		costRow(&out, "", "CPU", "init", "cold", "warm", "warm", "billed ms", "billed ms", "USD/million", fmt.Sprintf("%g %%", 100*seldomCold), "all")
		costRow(&out, "memory", "share", "ms", "ms", "p50 ms", "p99 ms", "cold", "warm", "all warm", "cold", "cold")
		for _, s := range f.Sizes {
			costRow(&out, fmt.Sprintf("%d MB", s.Memory), decimals(100*share(s.Memory), 1)+" %",
				decimals(s.Init, 1), decimals(s.Cold, 1), decimals(s.WarmP50, 1), decimals(s.WarmP99, 1),
				decimals(s.BilledCold, 0), decimals(s.BilledWarm, 0), decimals(s.AllWarm, 3), decimals(s.SeldomCold, 3), decimals(s.AllCold, 3))
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

func costRow(w *bytes.Buffer, memory string, cells ...string) {
	fmt.Fprintf(w, "%-8s", memory)
	for _, cell := range cells {
		fmt.Fprintf(w, " %11s", cell)
	}
	w.WriteByte('\n')
}
