"""Reviews from Kafka into MongoDB: typed as the schema says, in batches, each once by its id.

Offsets are committed after the documents are stored, so a crash repeats records, and repeats replace themselves.
"""

import json
import signal
import sys
from datetime import datetime, timezone

import pymongo
from confluent_kafka import Consumer, KafkaException

BATCH = 2_000


NULL = (None, "", "Null", "null")


def number(text):
    return None if text in NULL else int(text.replace(",", ""))


def pair(value):
    """Two numbers: ["1,024", "2,000"], or "0,1"."""
    if value in NULL:
        return None, None
    first, second = value.split(",") if isinstance(value, str) else value
    return number(first), number(second)


def document(payload, message):
    review = json.loads(payload)
    date = datetime.strptime(review["review_date"], "%d %B %Y").replace(tzinfo=timezone.utc)
    yes, total = pair(review.get("helpful"))
    return {
        "_id": review["review_id"],
        "reviewer": review.get("reviewer"),
        "movie": review.get("movie"),
        "rating": number(review.get("rating")),
        "review_summary": review.get("review_summary"),
        "review_date": date,
        "year": date.year,
        "month": date.month,
        "spoiler_tag": bool(review.get("spoiler_tag")),
        "review_detail": review.get("review_detail"),
        "helpful_yes": yes,
        "helpful_total": total,
        "src": {"partition": message.partition(), "offset": message.offset()},
    }


def main(brokers, topic, uri, database):
    events = pymongo.MongoClient(uri)[database].events
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": database,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 5,
        }
    )
    consumer.subscribe([topic])
    running = True

    def stop(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    while running:
        messages = consumer.consume(BATCH, timeout=0.5)
        writes = []
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            event = document(message.value(), message)
            writes.append(pymongo.ReplaceOne({"_id": event["_id"]}, event, upsert=True))
        if writes:
            events.bulk_write(writes, ordered=False)
            consumer.commit(asynchronous=False)
    consumer.close()


main(*sys.argv[1:])
