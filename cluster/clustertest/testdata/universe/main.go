// Universe runs simulated cluster members for a real agent to join, on
// loopback only. It prints the seed to join at and obeys lines on its input
// until that ends:
//
//	universe -n 10000 -tags role=web,dc=eu
//	alive NAME [KEY=VALUE...]   there it is, with these tags
//	fail|leave|leaving NAME     the others see it so
//	event NAME [PAYLOAD]        a user event
//	nodes                       print the real nodes that have joined
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"

	"muster/cluster"
	"muster/cluster/clustertest"
)

func main() {
	port := flag.Int("port", 0, "port, 0 for a free one")
	n := flag.Int("n", 1000, "members")
	prefix := flag.String("prefix", "web", "their names are PREFIX-00001 and so on")
	tags := flag.String("tags", "role=web,dc=eu-1,weight=10,port=8080", "their tags")
	flag.Parse()
	if err := run(*port, clustertest.Members(*prefix, *n, parse(strings.Split(*tags, ",")))); err != nil {
		fmt.Fprintln(os.Stderr, "universe:", err)
		os.Exit(1)
	}
}

func run(port int, members []cluster.Member) error {
	u, err := clustertest.NewUniverse(port)
	if err != nil {
		return err
	}
	defer u.Close()
	if err := u.Set(members...); err != nil {
		return err
	}
	byName := map[string]cluster.Member{}
	for _, m := range members {
		byName[m.Name] = m
	}
	fmt.Println(u.Seed())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if err := obey(u, byName, words); err != nil {
			fmt.Fprintln(os.Stderr, "universe:", err)
		}
	}
	return lines.Err()
}

// obey does what one line says.
func obey(u *clustertest.Universe, members map[string]cluster.Member, words []string) error {
	if words[0] == "nodes" {
		fmt.Println(strings.Join(u.Nodes(), " "))
		return nil
	}
	if len(words) < 2 {
		return fmt.Errorf("%s what?", words[0])
	}
	if words[0] == "event" {
		return u.Event(words[1], []byte(strings.Join(words[2:], " ")))
	}
	status, ok := map[string]cluster.Status{
		"alive": cluster.Alive, "fail": cluster.Failed, "leave": cluster.Left, "leaving": cluster.Leaving,
	}[words[0]]
	if !ok {
		return fmt.Errorf("cannot %s; see the source", words[0])
	}
	m, known := members[words[1]]
	if !known {
		m = clustertest.Members("x", len(members)+1, nil)[len(members)]
		m.Name = words[1]
	}
	m.Status = status
	if len(words) > 2 {
		m.Tags = parse(words[2:])
	}
	members[m.Name] = m
	return u.Set(m)
}

// parse reads KEY=VALUE words.
func parse(words []string) map[string]string {
	tags := map[string]string{}
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok {
			tags[k] = v
		}
	}
	return tags
}
