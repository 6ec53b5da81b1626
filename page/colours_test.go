package page

import (
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A colour is red, green and blue light, each from 0 to 1.
type colour [3]float64

// parseColour reads #rrggbb, which is sRGB.
func parseColour(t *testing.T, text string) (c colour) {
	t.Helper()
	for i := range c {
		v, err := strconv.ParseUint(text[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if s := float64(v) / 255; s <= 0.04045 {
			c[i] = s / 12.92
		} else {
			c[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return c
}

// contrast is the ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b colour) float64 {
	luminance := func(c colour) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// eyes are how colours look to those who see all of them, and to those who lack
// one of the three kinds of cones (Machado, Oliveira and Fernandes 2009).
var eyes = map[string][3]colour{
	"all":          {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// times is a matrix times a colour.
func times(m [3]colour, c colour) (out colour) {
	for i, row := range m {
		for j := range row {
			out[i] += row[j] * c[j]
		}
	}
	return out
}

// distance is how different two colours look: their distance in Oklab (Ottosson
// 2020), where a hundredth or two can just be told apart.
func distance(a, b colour) float64 {
	lab := func(c colour) colour {
		cones := times([3]colour{{0.4122214708, 0.5363325363, 0.0514459929}, {0.2119034982, 0.6806995451, 0.1073969566}, {0.0883024619, 0.2817188376, 0.6299787005}}, c)
		for i := range cones {
			cones[i] = math.Cbrt(cones[i])
		}
		return times([3]colour{{0.2104542553, 0.7936177850, -0.0040720468}, {1.9779984951, -2.4285922050, 0.4505937099}, {0.0259040371, 0.7827717662, -0.8086757660}}, cones)
	}
	x, y := lab(a), lab(b)
	return math.Hypot(math.Hypot(x[0]-y[0], x[1]-y[1]), x[2]-y[2])
}

// What is written can be read, light and dark, and those who do not see all
// colours can tell those of the states apart.
func TestColours(t *testing.T) {
	text, err := fs.ReadFile(assets, "assets/page.css")
	if err != nil {
		t.Fatal(err)
	}
	css := string(text)
	roots := regexp.MustCompile(`:root \{[^}]*\}`).FindAllString(css, -1)
	if len(roots) != 2 {
		t.Fatalf("%d sets of colours", len(roots))
	}
	for i, scheme := range []string{"light", "dark"} {
		colours := map[string]colour{}
		for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]{6});`).FindAllStringSubmatch(roots[i], -1) {
			colours[m[1]] = parseColour(t, m[2])
		}
		for ground, words := range map[string]string{
			"ground": "text faint link good warn bad idle", "raised": "text faint link good warn bad idle", "flash": "text faint link good warn bad idle",
			"added": "text", "removed": "text",
		} {
			for word := range strings.FieldsSeq(words) {
				if c := contrast(colours[word], colours[ground]); c < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", scheme, word, ground, c)
				}
			}
		}
		for eye, sees := range eyes {
			for _, pair := range [][2]string{{"good", "warn"}, {"good", "bad"}, {"warn", "bad"}, {"good", "idle"}, {"warn", "idle"}, {"bad", "idle"}} {
				if d := distance(times(sees, colours[pair[0]]), times(sees, colours[pair[1]])); d < 0.06 {
					t.Errorf("%s, %s: %s and %s are %.3f apart", scheme, eye, pair[0], pair[1], d)
				}
			}
		}
		css = strings.Replace(css, roots[i], "", 1)
	}
	if more := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b`).FindAllString(css, -1); more != nil {
		t.Errorf("colours that are not looked at here: %v", more)
	}
	if !strings.Contains(css, "meter { appearance: none;") {
		t.Error("browsers draw meters in green, yellow and red")
	}
}
