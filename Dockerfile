# The bucardo machine's image.
#
#   podman build --network host -t bucardo-machine .        (docker build works as well; `make image`
#       also tags it with the version and labels it with the revision)
#   podman run -v moved:/var/lib/bucardo-machine \
#       -v ./secret:/etc/bucardo-machine/pgpass:ro bucardo-machine    (the folder with the file pgpass)
#
# Packages come from wherever the base image's own sources point to; no host is named here.
ARG BASE=docker.io/library/debian:trixie-slim
# The Makefile's.
ARG VERSION=0.1.0

# ---- the program: a compiler and headers, none of which reach the image ----
FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq \
	&& apt-get install -y -qq --no-install-recommends \
		gcc libc6-dev make pkgconf libuv1-dev libpq-dev libssl-dev libyaml-dev libjansson-dev \
		libmicrohttpd-dev zlib1g-dev libcurl4-openssl-dev libjs-dygraphs
WORKDIR /src
COPY Makefile ./
COPY scripts/embed-page scripts/
COPY include include
COPY src src
ARG VERSION
# The command line's CFLAGS replace the Makefile's defaults only; its own flags stay.
RUN make -j"$(nproc)" all VERSION="$VERSION" \
		CFLAGS="-O2 -D_FORTIFY_SOURCE=3 -fPIE -fstack-clash-protection" \
		LDFLAGS="-pie -Wl,-z,relro,-z,now,-z,noexecstack" \
	&& make install VERSION="$VERSION" DESTDIR=/out \
	&& strip /out/usr/local/bin/bucardo-machine

# ---- the file system: installed once, then copied, so that nothing removed stays in a layer ----
FROM ${BASE} AS root
ENV DEBIAN_FRONTEND=noninteractive
COPY image/ /

# The user of everything in the image, before Bucardo's package makes one with a number of its own.
# The numbers are part of the interface: fsGroup in kubernetes/ and the owner of volumes.
RUN groupadd --gid 10001 bucardo \
	&& useradd --uid 10001 --gid 10001 --no-create-home --shell /bin/bash \
		--home-dir /var/lib/bucardo-machine/home bucardo

# What the image holds, and why:
#   postgresql-17, postgresql-plperl-17   the control database; Bucardo's functions are plperlu
#   postgresql-client-17                  psql, pg_dump, pg_restore, by hand and for the machine
#   bucardo                               replication: perl, DBI, DBD::Pg, DBIx::Safe, boolean
#   libuv1t64 libpq5 libyaml-0-2 libjansson4    what bucardo-machine is linked with
#   libmicrohttpd12t64 zlib1g             what `worker http` loads
#   libcurl4t64                           what `worker notify` loads, for webhooks
#   ca-certificates                       sslmode=verify-full against managed databases
#   openssh-client                        tunnels as extra units
#   procps less nano-tiny                 ps, a pager for psql, an editor for machine.yaml
# What their packages bring and we take out: the LLVM behind PostgreSQL's JIT (137 MB; without its
# llvmjit.so the server compiles nothing just in time), documentation, translations,
# locale sources (C.UTF-8 is built in), headers, static libraries, and all setuid bits.
RUN apt-get update -qq \
	&& mkdir -p /etc/postgresql-common \
	&& echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
	&& apt-get install -y -qq --no-install-recommends \
		-o Dpkg::Options::=--force-confold \
		postgresql-17 postgresql-plperl-17 postgresql-client-17 bucardo \
		libuv1t64 libpq5 libyaml-0-2 libjansson4 libmicrohttpd12t64 zlib1g libcurl4t64 \
		ca-certificates openssh-client procps less nano-tiny \
	&& dpkg --purge --force-depends libllvm19 libz3-4 \
	&& rm -rf /usr/lib/postgresql/17/lib/llvmjit* /usr/lib/postgresql/17/lib/bitcode \
		/usr/lib/postgresql/17/lib/*.a /usr/lib/postgresql/17/lib/pgxs /usr/lib/*/perl/*/CORE/*.h \
		/usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/i18n \
		/usr/share/postgresql/17/man /usr/share/lintian /usr/share/bash-completion \
		/var/lib/apt/lists /var/cache/apt /var/cache/debconf/*-old /var/log/* \
		/var/lib/postgresql /var/log/bucardo /var/run/postgresql /etc/bucardorc \
		/etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem \
	&& find / -xdev -type f -perm /6000 -exec chmod ug-s {} + \
	&& ln -s nano-tiny /usr/bin/nano

# A person's shell and Bucardo find everything without being told; HOME is on the volume.
# /run/bucardo-machine is a folder of the image for `podman run`; Kubernetes mounts memory there.
RUN install -d -o bucardo -g bucardo -m 0700 /var/lib/bucardo-machine /run/bucardo-machine \
	&& install -d -m 0755 /etc/bucardo-machine/pgpass /etc/bucardo-machine/config
COPY --from=build /out/ /

FROM scratch
ARG BASE
ARG VERSION
LABEL org.opencontainers.image.title="bucardo-machine" \
	org.opencontainers.image.description="Moves a live PostgreSQL database to another server with Bucardo" \
	org.opencontainers.image.version="${VERSION}" \
	org.opencontainers.image.licenses="BSD-2-Clause" \
	org.opencontainers.image.base.name="${BASE}"
COPY --from=root / /
ENV PATH=/usr/local/bin:/usr/lib/postgresql/17/bin:/usr/bin:/bin \
	LANG=C.UTF-8 \
	EDITOR=editor \
	PAGER=less \
	LESS=-FRX \
	HOME=/var/lib/bucardo-machine/home \
	BUCARDO_MACHINE_VOLUME=/var/lib/bucardo-machine \
	BUCARDO_MACHINE_RUNTIME=/run/bucardo-machine \
	BUCARDO_MACHINE_PGPASS=/etc/bucardo-machine/pgpass/pgpass \
	BUCARDO_MACHINE_HTTP=:8080 \
	PGPASSFILE=/run/bucardo-machine/pgpass
EXPOSE 8080
VOLUME /var/lib/bucardo-machine
# Not on the volume: a container whose working folder may not be entered does not start at all.
WORKDIR /
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["bucardo-machine", "run"]
