// Kafka clients of Go, played by a test: `clients LIBRARY`. A line of JSON comes in for each thing to do, and one goes out for each
// that was done. ../src/kafka/foreign-client.ts tells what there is to do.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
)

const last = "END"

type asked struct {
	Command         string   `json:"command"`
	Bootstrap       string   `json:"bootstrap"`
	Topic           string   `json:"topic"`
	Topics          []string `json:"topics"`
	Codec           string   `json:"codec"`
	Values          []string `json:"values"`
	Idempotent      bool     `json:"idempotent"`
	TransactionalID string   `json:"transactional_id"`
	Outcome         string   `json:"outcome"`
	Isolation       string   `json:"isolation"`
	Group           string   `json:"group"`
	Protocol        string   `json:"protocol"`
	Count           int      `json:"count"`
	Source          string   `json:"source"`
	Target          string   `json:"target"`
}

type client interface {
	produce(asked) error
	consume(bootstrap, topic, isolation string) ([]string, error)
	group(asked) ([]string, error)
	transform(asked) error
}

var libraries = map[string]struct {
	module string
	client client
}{
	"franz-go": {"github.com/twmb/franz-go", franz{}},
	"sarama":   {"github.com/IBM/sarama", ibm{}},
	"kafka-go": {"github.com/segmentio/kafka-go", segmentio{}},
}

func main() {
	library := libraries[os.Args[1]]
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var request asked
		err := json.Unmarshal(lines.Bytes(), &request)
		var done any
		if err == nil {
			done, err = run(library.client, library.module, request)
		}
		if err != nil {
			answers.Encode(map[string]any{"error": err.Error()})
		} else {
			answers.Encode(map[string]any{"done": done})
		}
	}
}

func run(c client, module string, request asked) (any, error) {
	switch request.Command {
	case "version":
		return versionOf(module), nil
	case "produce":
		return nil, c.produce(request)
	case "consume":
		found := map[string][]string{}
		for _, topic := range request.Topics {
			values, err := c.consume(request.Bootstrap, topic, request.Isolation)
			if err != nil {
				return nil, err
			}
			found[topic] = values
		}
		return found, nil
	case "group":
		return c.group(request)
	case "transform":
		return nil, c.transform(request)
	}
	return nil, fmt.Errorf("no command %q", request.Command)
}

func versionOf(module string) string {
	build, _ := debug.ReadBuildInfo()
	for _, dependency := range build.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return "unknown"
}
