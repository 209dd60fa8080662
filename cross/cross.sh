# cross.sh: ./dev cross and ./dev package; `dev` reads it. What is built for this machine's own architecture is the release
# build, for another it is build/cross/ARCH. All for the suite of this root; another one gets a root, where the same is done.
# shellcheck shell=bash

CROSS_PACKAGES=(mmdebstrap qemu-user-static dpkg-dev)
PACKAGE_PACKAGES=(debhelper lintian dpkg-dev git)
UNIT_TESTS=(unit_storage unit_models unit_bridge unit_agent log_sim commit_sim)

host_arch() { dpkg --print-architecture; }

host_suite() { (. /etc/os-release && echo "$VERSION_CODENAME"); }

check_arch() {
    case $1 in amd64 | arm64 | armhf) ;; *) die "no such architecture: $1 (amd64, arm64, armhf)" ;; esac
}

triplet() { dpkg-architecture -a "$1" -qDEB_HOST_GNU_TYPE 2>/dev/null; }

libraries() {  # of BUILD_PACKAGES, those that belong to the machine that it is built for
    printf '%s\n' "${BUILD_PACKAGES[@]}" "$(boost_package)" | grep -e '-dev$'
    echo "libstdc++-$(g++ -dumpversion)-dev"
}

built_for() { if [ "$1" = "$(host_arch)" ]; then echo build/release; else echo "build/cross/$1"; fi; }

sysroot_of() { echo "$PWD/build/cross/sysroot-$1"; }

configure_for() {  # configure_for ARCH: another one than this machine's
    local arch=$1 folder=$PWD/build/cross/$1 log=build/cross/$1.log
    need_build
    need "${CROSS_PACKAGES[@]}"
    need "g++-$(triplet "$arch")"
    say "sysroot for $arch"
    # shellcheck disable=SC2046
    cross/sysroot "$arch" "$(host_suite)" "$(sysroot_of "$arch")" $(libraries) || die "no sysroot for $arch"
    cmake --preset release -B "$folder" -DCMAKE_TOOLCHAIN_FILE="$PWD/cross/toolchain.cmake" -DSLUICE_ARCH="$arch" \
        -DSLUICE_SYSROOT="$(sysroot_of "$arch")" >"$log" 2>&1 || { cat "$log" >&2; die "configuring for $arch failed"; }
}

build_for() {  # build_for ARCH TARGET...
    local target
    if [ "$1" != "$(host_arch)" ]; then
        configure_for "$1"
        cmake --build "build/cross/$1" --target "${@:2}" >&2 || die "the build for $1 failed"
        return
    fi
    for target in "${@:2}"; do build release "$target"; done
}

in_root_of() {  # in_root_of SUITE COMMAND ...: ./dev COMMAND there; the tree is this one, what is built stays in the root
    local suite=$1 root=$PWD/build/cross/$1 include=g++,ca-certificates
    shift
    [ "$(id -u)" -eq 0 ] || die 'another suite needs root (mmdebstrap, chroot)'
    need "${CROSS_PACKAGES[@]}"
    if [ ! -e "$root/made" ]; then
        say "root of $suite"
        rm -rf "$root"
        mkdir -p "$(dirname "$root")"
        mmdebstrap --quiet --variant=apt --include=$include "$suite" "$root" || {
            rm -rf "$root"  # once more, without the security updates (their index could not be read)
            mmdebstrap --quiet --variant=apt --include=$include --setup-hook='sed -i /security/d "$1/etc/apt/sources.list"' \
                "$suite" "$root"
        } || die "no root of $suite"
        mkdir "$root/sluice"
        touch "$root/made"
    fi
    # In a mount namespace of its own, so that nothing stays mounted, however it ends. /dev is the root's: what is installed
    # there as root must not reach this machine's devices.
    unshare --mount -- bash -euc '
        mount --bind "$1" "$2/sluice" && mkdir -p "$2/build" && mount --bind "$2/build" "$2/sluice/build"
        mount --rbind /proc "$2/proc" && cp /etc/resolv.conf "$2/etc/resolv.conf"
        exec chroot "$2" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" \
            CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" /sluice/dev "${@:3}"
    ' - "$PWD" "$root" "$@"
}

cross() {  # cross ARCH [--suite SUITE]: the agent and its unit tests
    local arch=${1:?which architecture? (amd64, arm64, armhf)} suite
    suite=$(host_suite)
    check_arch "$arch"
    if [ "${2:-}" = --suite ]; then suite=${3:?which suite?}; fi
    if [ "$suite" != "$(host_suite)" ]; then in_root_of "$suite" cross "$arch"; return; fi
    build_for "$arch" sluice "${UNIT_TESTS[@]}"
    say "unit tests for $arch on $suite"
    # No system test, which has another command; no check of includes, which has no architecture. An emulator is slow.
    ctest --test-dir "$(built_for "$arch")" -R '^(unit_|log_sim|commit_sim)' --output-on-failure --timeout 3000
}

package() {  # package [--suite SUITE] [ARCH ...]: build/packages/*.deb, below the root of another suite
    local arch
    if [ "${1:-}" = --suite ] && [ "${2:?which suite?}" != "$(host_suite)" ]; then
        in_root_of "$2" package "${@:3}"
        return
    fi
    if [ "${1:-}" = --suite ]; then shift 2; fi
    need "${PACKAGE_PACKAGES[@]}"
    for arch in "${@:-$(host_arch)}"; do
        check_arch "$arch"
        build_for "$arch" sluice
        cross/package "$arch" "$(host_suite)" "$(built_for "$arch")" || die "no package for $arch"
    done
}

package_tests() {
    need "${CROSS_PACKAGES[@]}" "${PACKAGE_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    package amd64 arm64
    SLUICE_BUILT=$(built_for "$(host_arch)") PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 -m pytest -v -p no:cacheprovider tests/packages
}
