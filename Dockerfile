# An image that contains only the command as a static binary: no shell, no package manager, not root.
#
#   docker build -t greenlight .
#   docker run --rm -v "$PWD:/data" --user "$(id -u)" greenlight scan --sandbox photos

FROM rust:1.95-alpine AS build
# SQLite and ring compile C. Not pinned: the base image fixes the release of the package index.
# hadolint ignore=DL3018
RUN apk add --no-cache build-base
WORKDIR /src
COPY . .
RUN cargo build --release --locked --features full \
 && mkdir -p /empty/data /empty/tmp && chmod 1777 /empty/tmp

FROM scratch
COPY --from=build --chown=65532:65532 /empty/data /data
COPY --from=build /empty/tmp /tmp
COPY --from=build /src/target/release/greenlight /greenlight
# Ledgers and reports are written to the working directory: mount it to keep them.
WORKDIR /data
USER 65532:65532
ENTRYPOINT ["/greenlight"]
