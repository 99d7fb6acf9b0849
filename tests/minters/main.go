// Mints a link of each line of its input, `KIND OBJECT name=value …`, as the minters in scripts do.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"hopcount"
)

func parse(line string) (l hopcount.Link, err error) {
	words := strings.Fields(line)
	words[0], words[1] = "kind="+words[0], "object="+words[1]
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		number := func(bits int) uint64 {
			n, bad := strconv.ParseUint(value, 10, bits)
			if bad != nil {
				err = fmt.Errorf("%s: '%s' is no number of %d bits", name, value, bits)
			}
			return n
		}
		switch name {
		case "kind":
			names := map[string]string{"1": "view", "2": "pay", "3": "login"}
			if l.Kind = value; names[value] != "" {
				l.Kind = names[value]
			}
		case "object":
			l.Object = uint32(number(32))
		case "client":
			l.Client = uint32(number(32))
		case "campaign":
			l.Campaign = uint16(number(16))
		case "ttl":
			l.TTL = value
		case "channel":
			l.Channel = value
		case "variant":
			l.Variant = value
		case "arg":
			l.Arg = value
		case "issued":
			l.Issued = time.Unix(int64(number(40)), 0)
		case "silent":
			l.Silent = value == "yes"
		case "once":
			l.Once = value == "yes"
		}
	}
	return l, err
}

func main() {
	key, err := hopcount.LoadKey(os.Args[1], os.Args[2])
	lines := bufio.NewScanner(os.Stdin)
	for at := 1; err == nil && lines.Scan(); at++ {
		var link hopcount.Link
		var url string
		if link, err = parse(lines.Text()); err == nil {
			url, err = hopcount.Mint(key, os.Args[2], os.Args[3], link)
		}
		if err == nil {
			fmt.Println(url)
		} else {
			err = fmt.Errorf("line %d: %w", at, err)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
