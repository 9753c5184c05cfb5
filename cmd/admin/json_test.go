package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"weir/api/view"
	"weir/db"
	"weir/jobs/doctor"
	"weir/jobs/explain"
	"weir/jobs/fleet"
)

// jsonShapes are what each command writes with --json.
func jsonShapes() map[string]any {
	return map[string]any{
		"transcodes list": transcodeList{}, "transcodes show": transcodeShown{}, "transcodes explain": explain.Explanation{},
		"transcodes watch": explain.Explanation{}, "transcodes timeline": timelineShown{},
		"transcodes retry": view.Transcode{}, "transcodes cancel": view.Transcode{}, "transcodes bump": view.Transcode{},
		"failures list": failuresShown{}, "failures retry": bulkShown{}, "failures cancel": bulkShown{},
		"bulk list": bulkList{}, "bulk show": bulkShown{}, "bulk pause": bulkShown{}, "bulk resume": bulkShown{}, "bulk cancel": bulkShown{},
		"actions list": actionList{}, "config check": configChecked{}, "config print": settingList{}, "version": build{}, "doctor": doctor.List{}, "support-bundle": bundleMade{},
		"callbacks list": callbackList{}, "callbacks show": callbackDetail{}, "callbacks redeliver": redelivery{},
		"triggers list": eventList{}, "triggers show": eventShown{}, "triggers replay": replayed{},
		"events tail": view.Event{}, "events deliveries list": deliveryList{}, "events deliveries show": deliveryDetail{},
		"hosts list": hostList{}, "hosts show": hostDetail{}, "hosts drain": hostChange{}, "hosts resume": hostChange{}, "hosts forget": hostForgotten{},
		"top":          fleet.Overview{},
		"tenants list": tenantList{}, "tenants show": tenantShown{}, "tenants set": tenantShown{}, "tenants pause": tenantShown{}, "tenants resume": tenantShown{},
		"tenants stores list": storeList{}, "tenants stores set": storeList{}, "tenants stores rm": storeRemoved{},
		"tenants secret add": secretAdded{}, "tenants secret list": secretList{}, "tenants secret rm": secretRemoved{},
		"queue status": queueStatus{}, "queue pause": queueStatus{}, "queue resume": queueStatus{},
		"web-user":    webUserMade{},
		"seal rotate": sealState{}, "seal status": sealState{},
		"db check": dbChecked{}, "db prune": pruned{}, "db migrate": db.SchemaStatus{}, "db status": db.SchemaStatus{}, "db roles": rolesDone{}, "db speaker": rolesDone{},
	}
}

// shapeOf lists the paths of a type's JSON with their kinds, but for those of the API's
// shapes, which are its own contract.
func shapeOf(of reflect.Type) (lines []string) {
	var walk func(path string, t reflect.Type, null string)
	walk = func(path string, t reflect.Type, null string) {
		switch {
		case t.Kind() == reflect.Pointer:
			walk(path, t.Elem(), " or null")
			return
		case t == reflect.TypeFor[time.Time]():
			lines = append(lines, path+" time"+null)
			return
		case t == reflect.TypeFor[uuid.UUID]():
			lines = append(lines, path+" id"+null)
			return
		case t == reflect.TypeFor[json.RawMessage]():
			lines = append(lines, path+" any")
			return
		case t.PkgPath() == "weir/api/view":
			if path != "" {
				lines = append(lines, path+" of the API"+null)
			}
			return
		}
		switch t.Kind() {
		case reflect.Slice:
			if k := t.Elem().Kind(); k == reflect.Struct && t.Elem().PkgPath() != "weir/api/view" {
				lines = append(lines, path+" list")
				walk(path+"[]", t.Elem(), "")
				return
			}
			lines = append(lines, path+" list of "+t.Elem().String())
		case reflect.Struct:
			if path != "" && !strings.HasSuffix(path, "[]") {
				lines = append(lines, path+" object"+null)
			}
			for field := range t.Fields() {
				if field.Anonymous {
					walk(path, field.Type, "")
					continue
				}
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				walk(strings.TrimPrefix(path+"."+name, "."), field.Type, "")
			}
		default:
			lines = append(lines, path+" "+t.Kind().String()+null)
		}
	}
	walk("", of, "")
	slices.Sort(lines)
	return slices.Compact(lines)
}

// printed are the paths of what was written.
func printed(path string, value any, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, below := range v {
			printed(strings.TrimPrefix(path+"."+name, "."), below, into)
		}
	case []any:
		for _, below := range v {
			if _, object := below.(map[string]any); object {
				printed(path+"[]", below, into)
			}
		}
	}
	if path != "" {
		into[path] = true
	}
}

// TestJSONShapes: what --json writes is a contract. Every command has its golden file, by
// which docs/admin.md is checked too; and what it writes is that: no field more, none less.
func TestJSONShapes(t *testing.T) {
	t.Parallel()
	shapes := jsonShapes()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			walk(below)
		}
		if !c.HasSubCommands() {
			require.Contains(t, shapes, strings.TrimPrefix(c.CommandPath(), "weir-admin "), "it has no shape")
		}
	}
	walk((&admin{out: io.Discard}).root())
	left, err := filepath.Glob("testdata/json/*.golden")
	require.NoError(t, err)
	for name, shape := range shapes {
		path := filepath.Join("testdata", "json", strings.ReplaceAll(name, " ", "_")+".golden")
		text := strings.Join(shapeOf(reflect.TypeOf(shape)), "\n") + "\n"
		left = slices.DeleteFunc(left, func(known string) bool { return known == path })
		if os.Getenv("UPDATE") != "" {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), text, "%s: UPDATE=1 writes it anew, and what is there may only grow", name)
	}
	require.Empty(t, left, "golden files of no command")
}

// TestJSONIsItsShape runs what can be run over one database, and holds it to the shapes.
func TestJSONIsItsShape(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	callback := b.fail(t, id)
	waiting := b.accept(t, "studio", "two").String()
	b.exec(t, `INSERT INTO weir.event_deliveries (event_id, transcode_id, tenant, receiver) SELECT max(id), transcode_id, tenant, 'r' FROM weir.events GROUP BY 2, 3`)
	var delivery uuid.UUID
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT id FROM weir.event_deliveries LIMIT 1").Scan(&delivery))
	b.exec(t, `INSERT INTO weir.event_delivery_attempts (delivery_id, number, status, latency_ms) VALUES ($1, 1, 503, 7)`, delivery)
	b.exec(t, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until) VALUES ('gone', gen_random_uuid(), 2, now() - interval '1 minute')`)
	var event int64
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT max(id) FROM weir.mist_events").Scan(&event))
	shapes := jsonShapes()
	for _, args := range []string{
		"transcodes list", "transcodes show " + id.String(), "transcodes explain " + id.String(), "transcodes explain " + waiting,
		"transcodes timeline " + id.String(), "transcodes bump " + waiting,
		"callbacks list", "callbacks show " + callback.String(), "callbacks redeliver " + callback.String(),
		"triggers list", fmt.Sprint("triggers show ", event), "events tail --once --after 0 --transcode " + waiting,
		"events deliveries list", "events deliveries list --transcode " + id.String() + " --state pending", "events deliveries show " + delivery.String(),
		"hosts list", "hosts show mist-1", "hosts drain mist-1", "hosts resume mist-1", "hosts forget gone --reason r --dry-run", "top --once",
		"tenants list", "tenants show studio", "tenants set studio --weight 2", "tenants pause studio --reason r", "tenants resume studio",
		"tenants stores list studio", "tenants secret list studio",
		"queue pause --reason r", "queue status", "queue resume", "db status",
		"transcodes cancel --reason r " + waiting, "transcodes retry " + id.String(),
	} {
		out := b.ok(t, append(strings.Fields(args), "--json")...)
		decoder := json.NewDecoder(strings.NewReader(out))
		var value any
		require.NoError(t, decoder.Decode(&value), "%s: %s", args, out)
		_, err := decoder.Token()
		require.ErrorIs(t, err, io.EOF, "%s writes more than one value", args)
		var name string
		for of := range shapes {
			if (args == of || strings.HasPrefix(args, of+" ")) && len(of) > len(name) {
				name = of
			}
		}
		shape := reflect.TypeOf(shapes[name])
		if shape.PkgPath() == "weir/api/view" {
			continue
		}
		wrote, known := map[string]bool{}, map[string]bool{}
		printed("", value, wrote)
		for _, line := range shapeOf(shape) {
			path, kind, _ := strings.Cut(line, " ")
			known[path] = true
			// Below what is null or empty there is nothing.
			at, below := strings.LastIndex(path, "."), path
			if at >= 0 {
				below = strings.TrimSuffix(path[:at], "[]")
			}
			if at < 0 || strings.Contains(path, "[]") && wrote[below+"[]"] {
				require.True(t, wrote[path], "%s does not write %s %s: %s", args, path, kind, out)
			}
		}
		free := func(path string) bool { // of the API's shapes, and what is any
			for _, line := range shapeOf(shape) {
				of, kind, _ := strings.Cut(line, " ")
				if (strings.HasPrefix(kind, "of the API") || kind == "any" || strings.HasPrefix(kind, "list of")) && strings.HasPrefix(path, of) {
					return true
				}
			}
			return false
		}
		for path := range wrote {
			if known[path] || strings.HasSuffix(path, "[]") || free(path) || name == "transcodes show" {
				continue
			}
			require.Fail(t, "undocumented field", "%s writes %s", args, path)
		}
	}
}
