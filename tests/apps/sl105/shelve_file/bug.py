"""A Lambda handler that counts in a shelf."""

import shelve


def handler(event, context):
    with shelve.open("counts") as counts:  # BUG: SL105
        counts[event["name"]] = counts.get(event["name"], 0) + 1
        return dict(counts)
