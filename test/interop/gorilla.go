// A client on gorilla/websocket: see README.md.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/gorilla/websocket"
)

type message struct {
	Type string `json:"type"`
	VM   struct {
		AssignmentID string `json:"assignment_id"`
	} `json:"vm"`
}

func main() {
	url, token, mode := os.Args[1], os.Args[2], os.Args[3]
	dialer, header := websocket.Dialer{}, http.Header{}
	if mode == "header" {
		header.Set("Authorization", "Bearer "+token)
	} else {
		dialer.Subprotocols = []string{"lablink.v1", "bearer." + token}
	}
	socket, response, err := dialer.Dial(url, header)
	if err != nil {
		if response != nil {
			fmt.Println("refused", response.StatusCode)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("subprotocol", socket.Subprotocol())
	for {
		_, text, err := socket.ReadMessage()
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			fmt.Println("closed", closed.Code)
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(string(text))
		var received message
		if err := json.Unmarshal(text, &received); err != nil {
			panic(err)
		}
		if received.Type == "assignment" {
			ack := map[string]string{"type": "ack", "assignment_id": received.VM.AssignmentID}
			if err := socket.WriteJSON(ack); err != nil {
				panic(err)
			}
		}
	}
}
