package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// columnGap parts the table's columns.
const columnGap = 2

// report prints the table, where the time went, and the last line.
func (d *demo) report() {
	table := tabwriter.NewWriter(d.out, 0, 0, columnGap, ' ', 0)
	fmt.Fprintln(table, "\nrendition\tsize\tframes\tduration\tbytes\tseconds\tplace")
	for _, o := range d.objects {
		fmt.Fprintf(table, "%s\t%dx%d\t%d\t%.2f s\t%d\t%.1f\t%s\n", o.rendition.Name, o.facts.Width, o.facts.Height, o.facts.Frames,
			o.facts.Duration.Seconds(), o.bytes, d.okAt[o.rendition.Name].Sub(d.transcode.CreatedAt).Seconds(), o.rendition.Location)
	}
	_ = table.Flush() // the terminal is all there is to write to

	t := d.transcode
	fmt.Fprintf(d.out, "\n")
	for _, address := range d.played {
		d.sayf("plays: %s", address)
	}
	if t.StartedAt != nil && t.FinishedAt != nil {
		d.sayf("request: %.2f s to the start, %.1f s to the end, %.2f s more to the callback", t.StartedAt.Sub(t.CreatedAt).Seconds(),
			t.FinishedAt.Sub(t.CreatedAt).Seconds(), d.callback.At.Sub(*t.FinishedAt).Seconds())
	}
	d.sayf("time went to: %s", d.clock)
	d.sayf("ok renditions=%d callback=%s left_behind=%d seconds=%.0f", len(d.objects), t.Callback.State, len(d.left),
		math.Ceil(time.Since(d.clock.began).Seconds()))
}

// keep prints how to look around, and waits for Ctrl-C.
func (d *demo) keep(ctx context.Context) {
	s := d.stack
	fmt.Fprintf(d.out, "\nEverything runs until Ctrl-C.\n\n")
	for _, line := range [][2]string{
		{"operators' pages", s.Daemons[0].Pages}, {"their login", demoUser + " with the token " + string(d.token)}, {"River's pages", s.Daemons[0].Pages + "/river/"},
		{"its metrics", "http://" + s.Daemons[0].Metrics + "/metrics"},
		{"API", s.API.URL}, {"its description", s.API.URL + "/docs"}, {"Mist's API", s.Hosts[0].API}, {"Broadcaster", s.Settings()["WEIR_BROADCASTERS"]},
		{"S3", s.S3.Endpoint + " (bucket " + s.Bucket + ")"}, {"Studio's callbacks", s.Studio.URL + "TASK"},
		{"daemon's log", s.Daemons[0].Log}, {"all files", d.folder.Path},
	} {
		fmt.Fprintf(d.out, "  %-20s %s\n", line[0], line[1])
	}
	fmt.Fprintf(d.out, "\nIn another shell:\n\n")
	exports := map[string]string{
		"API": s.API.URL, "TOKEN": string(s.API.Token),
		"AWS_ACCESS_KEY_ID": s.S3.AccessKey, "AWS_SECRET_ACCESS_KEY": string(s.S3.SecretKey),
	}
	if d.opts.database == "" { // the demo's own; another's password stays where it is
		exports["WEIR_DATABASE_URL"] = string(s.Database)
	}
	names := make([]string, 0, len(exports))
	for name := range exports {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(d.out, "  export %s='%s'\n", name, exports[name])
	}
	fmt.Fprintf(d.out, `
  curl -H "Authorization: Bearer $TOKEN" "$API/v1/transcodes/%s"
  curl -H "Authorization: Bearer $TOKEN" "$API/v1/transcodes"
  %[2]s/weir-admin transcodes list
  %[2]s/weir-admin transcodes show %[1]s
  %[2]s/weir-admin triggers list

`, d.transcode.ID, d.opts.binDir)
	<-ctx.Done()
}
