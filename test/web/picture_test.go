package web

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"slices"
)

// paletteMost is what one byte a pixel names.
const paletteMost = 256

// small is a screenshot in its most frequent colours, each other one as the nearest of them: a
// page has few, and the edges of letters lose nothing that anybody sees.
func small(screenshot []byte) ([]byte, error) {
	whole, err := png.Decode(bytes.NewReader(screenshot))
	if err != nil {
		return nil, err
	}
	counts := map[color.RGBA]int{}
	for y := whole.Bounds().Min.Y; y < whole.Bounds().Max.Y; y++ {
		for x := whole.Bounds().Min.X; x < whole.Bounds().Max.X; x++ {
			counts[color.RGBAModel.Convert(whole.At(x, y)).(color.RGBA)]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var palette color.Palette
	for _, c := range frequent[:min(len(frequent), paletteMost)] {
		palette = append(palette, c)
	}
	reduced := image.NewPaletted(whole.Bounds(), palette)
	draw.Draw(reduced, reduced.Bounds(), whole, whole.Bounds().Min, draw.Src)
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, reduced)
	return out.Bytes(), err
}
