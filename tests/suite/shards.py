"""The shards of `make soak`: about as long as one another, each less than a quarter of an hour on two cores."""

from collections.abc import Mapping

# Name -> what it holds. CI runs one at each commit, in this order.
SHARDS: Mapping[str, str] = {
    "replicas": "a whole stack on real servers: replicas killed, replaced, added and removed",
    "outages": "a whole stack on real servers: MariaDB, Kafka, S3 and Stripe unavailable",
    "deaths": "a whole stack killed and started again, embedded and full; two stacks side by side",
    "scaling": "consumers that scale, a killed and a frozen consumer of a whole stack",
    "stateful": "long stateful and property tests",
    "histories": "random histories of the door on MariaDB",
    "schemathesis": "every operation of the OpenAPI document by every kind of caller",
    "tools": "the benchmarks, an interrupted rush, backup and restore",
}
