# One static binary and the public roots; nothing else, no shell, no root user.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/tlstriage ./cmd/tlstriage
# Names for the user, and directories that it may write to: the local authority's state, and temporary files.
RUN mkdir -p /out/etc/ssl/certs /out/var/lib/tlstriage /out/tmp \
    && echo 'tlstriage:x:65532:65532:tlstriage:/var/lib/tlstriage:/sbin/nologin' > /out/etc/passwd \
    && echo 'tlstriage:x:65532:' > /out/etc/group \
    && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
    && chown 65532:65532 /out/var/lib/tlstriage \
    && chmod 700 /out/var/lib/tlstriage \
    && chmod 1777 /out/tmp

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="tlstriage" \
      org.opencontainers.image.description="A TLS-intercepting reverse proxy that says why a handshake failed, on which leg, and what to change" \
      org.opencontainers.image.source="https://github.com/tlstriage/tlstriage" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /out/etc /etc
COPY --from=build --chown=65532:65532 /out/var/lib/tlstriage /var/lib/tlstriage
COPY --from=build /out/tmp /tmp
COPY --from=build /out/tlstriage /tlstriage
USER 65532:65532
# The local authority keeps its state in /var/lib/tlstriage/ca.
ENV HOME=/var/lib/tlstriage XDG_CONFIG_HOME=/var/lib
EXPOSE 8443 9090
ENTRYPOINT ["/tlstriage"]
CMD ["help"]
