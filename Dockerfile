# Weir's images. `docker compose up` builds what it needs; for a real host take the target weir:
#   docker build --target weir -t weir .

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0
RUN go build -trimpath -ldflags='-s -w' -o /out/weir/weir-daemon ./cmd/daemon && \
    go build -trimpath -ldflags='-s -w' -o /out/weir/weir-admin ./cmd/admin && \
    go build -trimpath -ldflags='-s -w' -o /out/standins/ ./internal/mistsim/cmd/... ./internal/devstack/cmd/...

# The product: daemon and operator's command line, with the ffmpeg that they run.
FROM debian:12.11-slim AS weir
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates ffmpeg && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --system --uid 10001 --home-dir /var/lib/weir --create-home weir && \
    install -d -o weir -g weir /var/lib/weir/spool
COPY --from=build /out/weir/ /usr/local/bin/
USER weir
ENTRYPOINT ["weir-daemon"]

# The same with the stand-ins for Mist, the Broadcaster and Studio.
FROM weir AS standins
USER root
RUN install -d -o weir -g weir /run/mist
COPY --from=build /out/standins/ /usr/local/bin/
USER weir

# Go, PostgreSQL, ffmpeg and Chromium: where `make demo` and `make test` run on a machine that has only Docker.
FROM golang:1.26.8-bookworm AS workshop
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY tools/setup.sh tools/
RUN tools/setup.sh race browser && rm -rf /var/lib/apt/lists/*
COPY . .
