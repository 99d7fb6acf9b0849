// Renders a Helm chart: the template language is Go's text/template, as it is Helm's, with those of Helm's
// functions that deploy/helm uses.  Any other is an error, so that nothing is rendered otherwise than by Helm.
//
//	go run render.go CHART RELEASE NAMESPACE < VALUES.json
//
// VALUES.json are the chart's values with the user's over them.  YAML documents go to stdout.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"text/template"
)

type files struct{ chart string }

// As in Helm, a file that isn't there is empty.
func (f files) Get(name string) string {
	text, _ := os.ReadFile(filepath.Join(f.chart, name))
	return string(text)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func indent(n int, text string) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad)
}

// JSON, in one line, is YAML: helm writes the same in block style.
func toYaml(value interface{}) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

func toInt(value interface{}) (int64, error) {
	switch n := value.(type) {
	case float64:
		return int64(n), nil
	case int:
		return int64(n), nil
	case int64:
		return n, nil
	}
	return 0, fmt.Errorf("int: %v is a %s", value, reflect.TypeOf(value))
}

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: render CHART RELEASE NAMESPACE < VALUES.json"))
	}
	chart := os.Args[1]
	var values map[string]interface{}
	fail(json.NewDecoder(os.Stdin).Decode(&values))
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(template.FuncMap{
		"include": func(name string, data interface{}) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"indent":  indent,
		"nindent": func(n int, text string) string { return "\n" + indent(n, text) },
		"int":     toInt,
		"ternary": func(yes, no interface{}, test bool) interface{} {
			if test {
				return yes
			}
			return no
		},
		"toYaml": toYaml,
	})
	names, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	fail(err)
	sort.Strings(names)
	for _, name := range names {
		text, err := os.ReadFile(name)
		fail(err)
		_, err = all.New(name).Parse(string(text))
		fail(err)
	}
	data := map[string]interface{}{
		"Values":  values,
		"Release": map[string]interface{}{"Name": os.Args[2], "Namespace": os.Args[3], "Service": "Helm"},
		"Files":   files{chart},
	}
	for _, name := range names {
		if strings.HasPrefix(filepath.Base(name), "_") {
			continue
		}
		fmt.Println("---")
		fail(all.ExecuteTemplate(os.Stdout, name, data))
		fmt.Println()
	}
}
