"""One profile that a target claims, held against the table of what it must declare."""

from harness.core import limits, paths
from harness.core.errors import BadInput
from harness.core.limits import Limits
from harness.core.paths import PLACES, Paths
from harness.core.profile import PERSONAL, Profile
from harness.core.strict import Strict


class Profiled(Strict, frozen=True, kw_only=True):
    """Paths and limits of one profile.

    `operator_token` is what the support side of a personal profile shows, as
    `Authorization: Bearer TOKEN`.
    """

    paths: Paths
    limits: Limits
    operator_token: str = ""


def check_profiled(profile: str, profiled: Profiled, where: str) -> None:
    """Raises `BadInput` for what the profile lacks, and for what it cannot have."""
    known = [str(one) for one in Profile]
    if profile not in known:
        raise BadInput(
            f"{where}: unknown profile {profile!r}; known: {', '.join(known)}"
        )
    key = f"{where}: profiles.{profile}"
    _check_own(f"{key}.limits", profiled.limits, limits.OWN, Profile(profile))
    _check_own(f"{key}.paths", profiled.paths, paths.OWN, Profile(profile))
    _check_token(key, profiled, personal=profile in PERSONAL)
    for name in Paths.__struct_fields__:
        path = getattr(profiled.paths, name)
        if path:
            check_path(path, f"{key}.paths.{name}", never=" #?")
            _check_place(path, name, key)


def _check_own(
    key: str,
    declared: Limits | Paths,
    table: dict[Profile, tuple[str, ...]],
    profile: Profile,
) -> None:
    own = table[profile]
    for name in dict.fromkeys(one for row in table.values() for one in row):
        value = getattr(declared, name)
        if name in own and not value:
            raise BadInput(f"{key} lacks {name}, which profile {profile!s} needs")
        if value and name not in own:
            having = [str(one) for one, row in table.items() if name in row]
            raise BadInput(
                f"{key}.{name} is {value!r}, and profile {profile!s} has no such "
                f"thing; {', '.join(having)} can have it"
            )


def _check_token(key: str, profiled: Profiled, *, personal: bool) -> None:
    token = profiled.operator_token
    if personal and not token:
        raise BadInput(
            f"{key} lacks operator_token, without which support cannot write"
        )
    if token and not personal:
        raise BadInput(
            f"{key}.operator_token is {token!r}; only {' and '.join(PERSONAL)} have "
            "a support side"
        )
    if not token.isascii() or not token.isprintable():
        raise BadInput(f"{key}.operator_token {token!r} cannot stand in a header")


def check_path(path: str, name: str, *, never: str = " #") -> None:
    """Raises `BadInput` for what cannot be the path of a request."""
    if not path.startswith("/") or path.startswith("//"):
        raise BadInput(f"{name} {path!r} must begin with one slash, as /events does")
    odd = [each for each in path if each in never or not each.isprintable()]
    if odd:
        raise BadInput(f"{name} {path!r} has {odd[0]!r}, which no path can have")


def _check_place(path: str, name: str, key: str) -> None:
    place = PLACES.get(name, "")
    rest = path.replace(place, "") if place else path
    if "{" in rest or "}" in rest:
        known = f"{place} alone is" if place else "none is"
        raise BadInput(
            f"{key}.paths.{name} {path!r} has a place that nothing fills; "
            f"{known} filled there"
        )
    if place not in path:
        raise BadInput(
            f"{key}.paths.{name} {path!r} has no {place}, the place of the "
            f"{'message' if name == 'message' else 'user'}'s id"
        )
