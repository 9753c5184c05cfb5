package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"weir/api/view"
)

var transcodeType = reflect.TypeFor[view.Transcode]()

// nullable says in the OpenAPI document which objects may be null, which Huma has
// no word for.
func nullable(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas.Map()
	for name, fields := range map[string][]string{"Transcode": {"error", "callback"}, "Rendition": {"error"}} {
		for _, field := range fields {
			was := schemas[name].Properties[field]
			schemas[name].Properties[field] = &huma.Schema{
				Description: was.Description, OneOf: []*huma.Schema{{Ref: was.Ref}, {Type: "null"}},
			}
		}
	}
	// withoutValues takes it out of every answer.
	delete(schemas["ErrorDetail"].Properties, "value")
}
