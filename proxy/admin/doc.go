// Package admin is the operator's HTTP endpoint beside the proxy: health, readiness, Prometheus metrics and the latest
// connections. It reads and never changes anything: only GET and HEAD are answered.
//
// It has no login. It belongs on loopback, or on an address that only a cluster's probes and scrapers reach; records name
// clients, servers and certificates. Requests that come in over loopback must be addressed to a loopback name, so that a web
// page which points its own name at 127.0.0.1 learns nothing.
//
// The package works on inspect types alone and knows neither the proxy nor the diagnosis: the command wires them up.
package admin
