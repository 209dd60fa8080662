// Paho for Go: round_trip PORT 3.1|3.1.1. What it does: tests/support/other_clients.py.
package main

import (
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

var (
	received []string
	arrivals = make(chan string, 1000)
	server   string
	version  uint = 4
)

func done(token mqtt.Token) {
	if !token.WaitTimeout(10 * time.Second) {
		log.Fatal("no acknowledgement")
	}
	if token.Error() != nil {
		log.Fatal(token.Error())
	}
}

func connect(name string, session bool) mqtt.Client {
	options := mqtt.NewClientOptions().AddBroker(server).SetClientID(name).SetCleanSession(!session)
	options.SetProtocolVersion(version).SetAutoReconnect(false)
	options.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		retain := 0
		if m.Retained() {
			retain = 1
		}
		arrivals <- fmt.Sprintf("%d %d %s %s", m.Qos(), retain, m.Topic(), m.Payload())
	})
	client := mqtt.NewClient(options)
	done(client.Connect())
	return client
}

func wait(count int) {
	for len(received) < count {
		select {
		case message := <-arrivals:
			received = append(received, message)
		case <-time.After(20 * time.Second):
			log.Fatalf("only %d messages came", len(received))
		}
	}
}

func send(writer mqtt.Client, qos byte, from int, to int) {
	var tokens []mqtt.Token
	for n := from; n < to; n++ {
		tokens = append(tokens, writer.Publish(fmt.Sprintf("plant/%d/value", qos), qos, false, fmt.Sprint(n)))
	}
	for _, token := range tokens {
		done(token)
	}
}

func main() {
	server = "tcp://127.0.0.1:" + os.Args[1]
	if os.Args[2] == "3.1" {
		version = 3
	}
	before := connect("round-trip", true)
	done(before.Subscribe("plant/+/value", 2, nil))
	before.Disconnect(100)

	writer := connect("round-trip-writer", false)
	send(writer, 1, 0, 50)
	send(writer, 2, 0, 50)
	reader := connect("round-trip", true)
	wait(100)
	send(writer, 0, 50, 60)
	send(writer, 1, 50, 100)
	send(writer, 2, 50, 100)
	wait(210)
	done(writer.Publish("plant/kept/value", 1, true, "on"))
	wait(211)
	late := connect("round-trip-late", false)
	done(late.Subscribe("plant/kept/value", 1, nil))
	wait(212)
	done(writer.Publish("plant/kept/value", 1, true, ""))
	for _, client := range []mqtt.Client{reader, writer, late} {
		client.Disconnect(100)
	}
	fmt.Println(strings.Join(received, "\n"))
}
