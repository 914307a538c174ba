# syntax=docker/dockerfile:1

# One file for all images; each is a target of its own:
#   docker build --target collector -t tributary-collector .
# docker-compose.yml builds them all.

FROM rust:1.95-bookworm AS build
RUN rustup target add wasm32-wasip1
WORKDIR /src
COPY . .
# Registry and target folder are caches: a second build compiles only what changed. What leaves is copied to /out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo rustc --locked --profile wasm --target wasm32-wasip1 --package tributary-filter --lib --crate-type cdylib \
    && cargo build --locked --release --package tributary-collector --package tributary-cli --package users \
    && install -D --target-directory=/out \
         target/release/tributary-collector target/release/tributary target/release/users \
    && install -d /out/spool \
    && install -D --mode=0644 target/wasm32-wasip1/wasm/tributary_filter.wasm /out/tributary-filter.wasm

# The three programs need glibc, OpenSSL and CA certificates, and nothing else: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot AS collector
COPY --from=build /out/tributary-collector /usr/local/bin/tributary-collector
# The place for a spool: a volume mounted here belongs to the image's user.
COPY --from=build --chown=65532:65532 /out/spool /var/lib/tributary
EXPOSE 8088
ENTRYPOINT ["/usr/local/bin/tributary-collector"]

FROM gcr.io/distroless/cc-debian12:nonroot AS users
COPY --from=build /out/users /usr/local/bin/users
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/users"]

FROM gcr.io/distroless/cc-debian12:nonroot AS cli
COPY --from=build /out/tributary /usr/local/bin/tributary
ENTRYPOINT ["/usr/local/bin/tributary"]

# The official Envoy with the filter in it; the configuration is mounted (envoy/envoy.yaml).
FROM envoyproxy/envoy:v1.40.0 AS envoy
COPY --from=build --chmod=0644 /out/tributary-filter.wasm /etc/envoy/tributary-filter.wasm
