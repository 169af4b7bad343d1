"""Dashboards and rules where the settings have them published: lacking, older, or changed by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.clients.kubernetes import connect
from controller.doctor.finding import Finding, Severity, well
from controller.publishers import files, grafana, in_cluster

if TYPE_CHECKING:
    from controller.ports import Publisher
    from controller.publish import Content
    from controller.records import Publication
    from controller.settings import Settings

CHECK = "published"

_BY_DAEMON = "The daemon publishes again within --publish-interval; `foresail {} publish` does it now."
# By what publishing would do: what is so now, what it means, and the mend.
_SAID = {
    "created": ("is not there", "Nobody sees it.", _BY_DAEMON),
    "updated": ("is older than this version", "It may ask for what is exported no more.", _BY_DAEMON),
    "deleted": ("is of another version, and rendered no more", "It may show or tell nothing.", _BY_DAEMON),
    "kept": (
        "is not as published",
        "It stays as it is, and gets no news of this version.",
        "Keep the changes in a copy of another name, then `foresail {} publish --force`.",
    ),
}


async def examine_published(settings: Settings, content: Content, own_namespace: str) -> list[Finding]:
    """Compare each place with what this version renders; nothing is written. Raises ForesailError and ApiFailure."""
    found = [each for publisher in grafana(settings, lambda: content) for each in await _of(publisher)]
    async with files(settings, lambda: content) as publishers:
        found += [each for publisher in publishers for each in await _of(publisher)]
    if settings.publish_dashboards != "off" or settings.publish_rules != "off":
        async with await connect(kubeconfig=settings.kubeconfig, context=settings.context) as session:
            for publisher in in_cluster(settings, lambda: content, session, own_namespace):
                found += await _of(publisher)
    nowhere = "the settings publish nothing; dashboards that were put up by hand were not looked for"
    return found or [well(CHECK, "dashboards", nowhere)]


async def _of(publisher: Publisher) -> list[Finding]:
    done = await publisher.publish(write=False)
    found = [_finding(publisher.name, each) for each in done if each.result != "unchanged"]
    return found or [well(CHECK, publisher.name, f"all {len(done)} are as this version renders them")]


def _finding(place: str, seen: Publication) -> Finding:
    about, command = f"{place}, {seen.name}", "alerts" if "rule" in place else "dashboards"
    if seen.result not in _SAID:
        means = "It cannot be published: what is there grows old, or nothing is there."
        return Finding(CHECK, Severity.ERROR, about, f"{seen.result}: {seen.message}", means, "See the message.")
    told, means, mend = _SAID[seen.result]
    message = f"{told}{f': {seen.message}' if seen.message else ''}"
    return Finding(CHECK, Severity.WARNING, about, message, means, mend.format(command))
