// Package monitor watches backends between the connections of clients: it checks every address of every backend at the start, on
// a schedule and when a client's connection shows another certificate than the one it knows, keeps what it saw for each address,
// and tells what changed: a new certificate, one that will end soon, one node out of four that serves something else.
//
// It does not judge: a check is a record like any other, and Options.Judge puts the findings in. Nor does it serve anything; the
// command hands its states to package admin and its events to a log or a Webhook.
//
//	m := monitor.New(monitor.Options{Check: server.CheckAddress, Judge: judge, OnChange: func(e monitor.Event) { fmt.Println(e) }})
//	m.Watch([]monitor.Target{{Name: "edge/default", Backend: &proxy.Backend{Address: "backend.internal:443"}, ServerName: "api.example.com"}})
//	m.Run(ctx)
package monitor
