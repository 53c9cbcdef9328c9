# Sourced by scripts/unbroken and scripts/test with $root set: after `prepare`, the
# project's environment is in $root/.venv and matches uv.lock.
#
# The stamp holds the folder and the checksums of what decides the environment, so a
# moved checkout (whose console scripts name the old folder) is set up anew, and a run
# with nothing to do starts no uv. Needs Python 3.11 and nothing else: where uv is
# missing it is fetched once from PyPI into the cache folder.

venv=$root/.venv
stamp=$venv/.unbroken-stamp

say() { printf 'unbroken: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 3
}

# What the environment is made from, as one string.
wanted() {
    (cd "$root" && pwd && cksum uv.lock pyproject.toml) || die "cannot read $root/uv.lock"
}

is_current() {
    [ -x "$venv/bin/python" ] && [ -r "$stamp" ] && [ "$(cat "$stamp")" = "$1" ]
}

prepare() {
    wanted=$(wanted) || exit 3
    is_current "$wanted" && return
    # Two at once: the second waits here, and then finds nothing to do. Where flock is
    # missing uv's own lock keeps them apart.
    exec 9<"$root/pyproject.toml"
    if command -v flock >/dev/null 2>&1; then flock 9 2>/dev/null || true; fi
    is_current "$wanted" || set_up "$wanted"
    exec 9<&-
}

set_up() {
    uv=$(find_uv) || exit 3
    say "setting up $venv (the first time, about a minute)"
    if [ -r "$stamp" ] && [ "$(head -n 1 "$stamp")" != "$(cd "$root" && pwd)" ]; then
        rm -rf "$venv"
    fi
    # Interpreters are the user's choice: uv downloads none unless told to.
    UV_PYTHON_DOWNLOADS=${UV_PYTHON_DOWNLOADS:-never} UV_PROJECT_ENVIRONMENT=$venv \
        VIRTUAL_ENV='' "$uv" sync --quiet --locked --project "$root" >&2 ||
        die "uv sync failed (see above); needed: Python 3.11 or later, the package index"
    # What uv does for the packages: many starts, each without compiling first.
    (cd "$root" && "$venv/bin/python" -m compileall -q \
        harness reference_server reports scenarios) >&2 || true
    printf '%s\n' "$1" >"$stamp.$$" && mv -f "$stamp.$$" "$stamp"
}

# Print the path of a uv; fetch one when there is none.
find_uv() {
    command -v uv && return
    case $(uname -s) in
    Darwin) cache=${XDG_CACHE_HOME:-${HOME:?not set}/Library/Caches}/unbroken ;;
    *) cache=${XDG_CACHE_HOME:-${HOME:?not set}/.cache}/unbroken ;;
    esac
    [ -x "$cache/bin/uv" ] || fetch_uv "$cache" || exit 3
    printf '%s\n' "$cache/bin/uv"
}

# uv is one program with no other files: the environment it came in is thrown away, and
# a rename lets two at once both succeed.
fetch_uv() {
    python=$(find_python) || exit 3
    say "uv is missing: fetching it from PyPI into $1/bin"
    mkdir -p "$1/bin" || die "cannot write to $1"
    made=$(mktemp -d "$1/uv.XXXXXX") || die "cannot write to $1"
    trap 'rm -rf "$made"' EXIT
    trap 'exit 130' HUP INT TERM
    "$python" -m venv "$made" >&2 &&
        "$made/bin/python" -m pip install --quiet --disable-pip-version-check uv >&2 &&
        mv -f "$made/bin/uv" "$1/bin/uv" ||
        die "could not fetch uv (see above); install uv yourself and try again"
}

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        found=$(command -v "$name") || continue
        "$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
            continue
        "$found" -c 'import ensurepip, venv' 2>/dev/null ||
            die "$found has no venv module: install it (Debian, Ubuntu: python3-venv)" \
                "or install uv"
        printf '%s\n' "$found"
        return
    done
    die "no Python 3.11 or later on the PATH: install one (python3 is" \
        "$(python3 --version 2>/dev/null || echo missing))"
}
