#!/usr/bin/env bash
# Installs the Debian packages of the servers that tests and demo run, where they are missing and can be installed.
#
#   ensure-servers.sh [--require] [PACKAGE ...]
#
# Without packages: prometheus (with promtool), prometheus-alertmanager, etcd-server, postgresql, chromium (in which
# reports are opened), and what the build of kube-apiserver needs: rsync, dpkg-dev, openssl;
# and what compiles the stand-in for NVIDIA's NVML: gcc, libc6-dev. No service is started or left enabled. Where a package is missing
# afterwards, a message says what to install; the exit status is 0 even so (tests say what they skip, the demo has
# embedded sources), and 1 with --require.
set -euo pipefail

found() { # PACKAGE: whether what we use of it is there, however it was installed
  case "$1" in
    prometheus) command -v prometheus && command -v promtool ;;
    prometheus-alertmanager) command -v prometheus-alertmanager || command -v alertmanager ;;
    etcd-server) command -v etcd ;;
    postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' || { command -v initdb && command -v postgres; } ;;
    gcc | rsync | openssl | chromium) command -v "$1" ;;
    dpkg-dev) command -v dpkg-source ;;
    *) dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed ;;
  esac >/dev/null
}

missing() { # PACKAGE...: those that are not found
  local package
  for package in "$@"; do found "$package" || echo "$package"; done
}

keep_services_stopped() { # until the script ends; an administrator's own policy comes back afterwards
  local policy=/usr/sbin/policy-rc.d aside=/usr/sbin/policy-rc.d.before-foresail
  if [ -e "$aside" ] || { [ -e "$policy" ] && mv "$policy" "$aside"; }; then # aside: an earlier run was killed
    trap 'mv -f /usr/sbin/policy-rc.d.before-foresail /usr/sbin/policy-rc.d' EXIT
  else
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

disable_services() { # PACKAGE...: so that they do not start with the machine either
  [ -d /run/systemd/system ] || return 0
  local unit
  for unit in $(dpkg-query --listfiles "$@" | sed -n 's#.*/systemd/system/\([^/@]*\.service\)$#\1#p'); do
    systemctl disable --quiet "$unit" || echo "could not disable $unit; it may start with the machine" >&2
  done
}

install() { # PACKAGE...
  export DEBIAN_FRONTEND=noninteractive
  mkdir -p /run/lock
  exec 9>/run/lock/foresail-ensure-servers
  flock --timeout 600 9
  keep_services_stopped
  apt-get -qq update && apt-get -qq -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "$@" || return 1
  disable_services "$@"
}

require=false
if [ "${1:-}" = --require ]; then
  require=true
  shift
fi
wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=(prometheus prometheus-alertmanager etcd-server postgresql chromium rsync dpkg-dev openssl gcc libc6-dev)

mapfile -t lacking < <(missing "${wanted[@]}")
if [ ${#lacking[@]} -eq 0 ]; then exit 0; fi

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${lacking[*]}" >&2
  log=$(mktemp)
  (install "${lacking[@]}") >"$log" 2>&1 || { echo "apt-get could not install them:" >&2 && tail -n 5 "$log" >&2; }
  rm -f "$log"
  mapfile -t lacking < <(missing "${wanted[@]}")
  if [ ${#lacking[@]} -eq 0 ]; then exit 0; fi
fi

echo "Missing: ${lacking[*]}. On Debian, as root: apt-get install --no-install-recommends ${lacking[*]}" >&2
if $require; then exit 1; fi
