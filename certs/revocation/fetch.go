package revocation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"
)

// FetchOptions bound what a Fetcher does. The zero value reaches public addresses at port 80 and nothing else.
type FetchOptions struct {
	// AllowHosts are hosts that may be asked whatever their address and port: "ocsp.corp.example", "ocsp.corp.example:8080", "10.1.2.3",
	// "[fd00::1]:8080", or a network "10.1.0.0/16". For private authorities, whose responders stand inside.
	AllowHosts []string
	// Proxy is an HTTP proxy (http://host:port) through which everything goes; nil: none. The environment is not asked. What a name resolves to is
	// then the proxy's to judge; addresses written in URLs are still judged here.
	Proxy *url.URL

	Timeout      time.Duration // of one OCSP or intermediate request with its redirects; 0: 10 s
	CRLTimeout   time.Duration // of one list; 0: 60 s
	Concurrency  int           // requests at one time; 0: 8
	MaxRedirects int           // followed; 0: 3, negative: none

	MaxIntermediateBytes int64         // of one body that should hold an intermediate; 0: 256 KiB
	MaxDepth             int           // intermediates above one another that are fetched; 0: 5
	CacheEntries         int           // intermediates kept; 0: 512
	CacheTime            time.Duration // how long they are; 0: 6 hours. What failed is kept for a twelfth of it, at most 5 minutes
	Now                  func() time.Time
}

// Bounds that nobody needs to change.
const (
	maxURLBytes    = 2048
	maxHeaderBytes = 32 << 10
)

// Fetcher makes the requests: for revocation and for missing intermediates. It is safe for concurrent use and holds no connection between two requests.
type Fetcher struct {
	o       FetchOptions
	allowed allowList
	guard   *guard
	client  *http.Client
	slots   *semaphore.Weighted

	kept    *cache[fetched] // bodies of intermediates by URL
	flights *flights
}

// NewFetcher makes a Fetcher. It refuses an AllowHosts entry or a proxy that cannot be understood.
func NewFetcher(o FetchOptions) (*Fetcher, error) {
	setDefault(&o.Timeout, 10*time.Second)
	setDefault(&o.CRLTimeout, time.Minute)
	setDefault(&o.Concurrency, 8)
	setDefault(&o.MaxRedirects, 3)
	setDefault(&o.MaxIntermediateBytes, 256<<10)
	setDefault(&o.MaxDepth, 5)
	setDefault(&o.CacheEntries, 512)
	setDefault(&o.CacheTime, 6*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Fetcher{
		o: o, guard: newGuard(), slots: semaphore.NewWeighted(int64(o.Concurrency)), kept: newCache[fetched](o.CacheEntries, 32<<20), flights: newFlights(),
	}
	for _, entry := range o.AllowHosts {
		if err := f.allowed.add(entry); err != nil {
			return nil, err
		}
	}
	transport := &http.Transport{
		DialContext:            f.dial,
		DisableKeepAlives:      true, // one request a day per responder: an idle connection is of no use
		DisableCompression:     true, // a body is as long as it is
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	if o.Proxy != nil {
		if o.Proxy.Scheme != "http" || o.Proxy.Hostname() == "" {
			return nil, fmt.Errorf("revocation: proxy %q is not of the form http://host:port", o.Proxy.Redacted())
		}
		transport.Proxy = http.ProxyURL(o.Proxy)
	}
	f.client = &http.Client{Transport: transport, CheckRedirect: f.redirect}
	return f, nil
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Close ends what is being fetched for Intermediate and waits for it. A Fetcher is not used afterwards.
func (f *Fetcher) Close() { f.flights.close() }

// request is one request.
type request struct {
	method, url         string
	accept, contentType string
	body                io.Reader
	limit               int64
	timeout             time.Duration
}

// bytes makes a request and reads the whole answer.
func (f *Fetcher) bytes(ctx context.Context, q request) (body []byte, contentType string, err error) {
	err = f.do(ctx, q, func(answer *http.Response, in io.Reader) error {
		contentType = answer.Header.Get("Content-Type")
		body, err = io.ReadAll(in)
		return err
	})
	return body, contentType, err
}

// do makes a request and hands over the body, which fails beyond the limit and when the time is over: a drip of bytes does not prolong it.
// Its errors are *FetchError, or what read returned of its own.
func (f *Fetcher) do(ctx context.Context, q request, read func(*http.Response, io.Reader) error) error {
	u, err := url.Parse(q.url)
	if err != nil {
		return &FetchError{URL: clip(q.url), Kind: FetchForbidden, Err: errors.New("not a URL")}
	}
	if err := f.check(u); err != nil {
		return &FetchError{URL: clip(q.url), Kind: FetchForbidden, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	fail := func(err error) error { return f.failure(ctx, q, err) }
	if err := f.slots.Acquire(ctx, 1); err != nil {
		return fail(err)
	}
	defer f.slots.Release(1)
	r, err := http.NewRequestWithContext(ctx, q.method, q.url, q.body)
	if err != nil {
		return &FetchError{URL: clip(q.url), Kind: FetchForbidden, Err: errors.New("not a URL")}
	}
	r.Header.Set("User-Agent", "tlstriage")
	if q.accept != "" {
		r.Header.Set("Accept", q.accept)
	}
	if q.contentType != "" {
		r.Header.Set("Content-Type", q.contentType)
	}
	answer, err := f.client.Do(r)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return &FetchError{URL: clip(q.url), Kind: FetchStatus, Status: answer.StatusCode}
	}
	if answer.ContentLength > q.limit {
		return fail(&tooLongError{q.limit})
	}
	if err := read(answer, &failing{r: &bounded{r: answer.Body, left: q.limit, limit: q.limit}, fail: fail}); err != nil {
		return err
	}
	return nil
}

// failing gives the errors of a reader their kind.
type failing struct {
	r    io.Reader
	fail func(error) error
}

func (r *failing) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.fail(err)
	}
	return n, err
}

// check says why a URL is not followed: nil when it may be. What its name resolves to is judged when it is dialled.
func (f *Fetcher) check(u *url.URL) error {
	switch {
	case len(u.String()) > maxURLBytes:
		return fmt.Errorf("the URL has %d bytes; up to %d are taken", len(u.String()), maxURLBytes)
	case u.Scheme == "https":
		// RFC 5280, Section 8: "Relying parties that use HTTPS to obtain revocation information may be caught in circular dependencies."
		return errors.New("the URL is https: whether that server's certificate is good would have to be asked first; the documents are signed, so authorities publish them over http")
	case u.Scheme == "ldap" || u.Scheme == "ldaps":
		return errors.New("the URL is LDAP, which is not spoken here: it leads to a directory inside an organization")
	case u.Scheme != "http":
		return fmt.Errorf("the URL has scheme %q: only http is followed", clip(u.Scheme))
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("the URL names no host")
	case u.User != nil:
		return errors.New("the URL carries a user name: nobody is logged in to")
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	if f.allowed.host(u.Hostname(), port) {
		return nil
	}
	if port != "80" {
		return fmt.Errorf("the URL names port %s: without being allowed, hosts are asked at port 80 only", clip(port))
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return f.guard.check(a)
	}
	return nil
}

// redirect judges where an answer sends on to.
func (f *Fetcher) redirect(next *http.Request, via []*http.Request) error {
	if len(via) > max(0, f.o.MaxRedirects) {
		return &FetchError{URL: clip(next.URL.String()), Kind: FetchRedirects, Err: fmt.Errorf("redirected more than %d times", max(0, f.o.MaxRedirects))}
	}
	next.Header.Del("Referer")
	if err := f.check(next.URL); err != nil {
		return &FetchError{URL: clip(next.URL.String()), Kind: FetchForbidden, Err: fmt.Errorf("redirected to %q: %w", clip(next.URL.String()), err)}
	}
	return nil
}

// dial connects to a host by name. The address is judged after the name was resolved and before a packet leaves, so that a name which resolves
// differently the second time gains nothing.
func (f *Fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	if !f.isProxy(host, port) && !f.allowed.host(host, port) {
		d.ControlContext = f.control
	}
	return d.DialContext(ctx, network, address)
}

func (f *Fetcher) isProxy(host, port string) bool {
	if f.o.Proxy == nil {
		return false
	}
	own := f.o.Proxy.Port()
	if own == "" {
		own = "80"
	}
	return host == f.o.Proxy.Hostname() && port == own
}

func (f *Fetcher) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address", clip(address))
	}
	if f.allowed.address(to.Addr().String()) {
		return nil
	}
	return f.guard.check(to.Addr())
}
