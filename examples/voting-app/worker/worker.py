"""The worker: takes votes from the queue in Redis and keeps the last one of each voter in PostgreSQL."""

import json
import os
import signal
import sys
import time

import psycopg2
import redis

SAVE = """
INSERT INTO votes (voter, vote) VALUES (%s, %s)
ON CONFLICT (voter) DO UPDATE SET vote = excluded.vote
"""


def connected():
    """A connection with the table there; asked for again until the database answers."""
    while True:
        try:
            # An address that nobody has just now is not asked for minutes.
            asked = {"host": "db", "user": "postgres", "password": password(), "dbname": "postgres", "connect_timeout": 3}
            connection = psycopg2.connect(**asked)
            connection.autocommit = True
            connection.cursor().execute("CREATE TABLE IF NOT EXISTS votes (voter text PRIMARY KEY, vote text NOT NULL)")
            return connection
        except psycopg2.OperationalError as error:
            print("waiting for the database:", str(error).strip().splitlines()[0])
            time.sleep(1)


def password() -> str:
    with open(os.environ.get("DB_PASSWORD_FILE", "/run/secrets/db_password"), encoding="utf-8") as file:
        return file.read().strip()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # the first process of a container has no default action
    queue = redis.Redis(host="redis")
    connection = connected()
    print("ready")
    while True:
        _, data = queue.blpop("votes")
        vote = json.loads(data)
        while True:
            try:
                connection.cursor().execute(SAVE, (vote["voter"], vote["vote"]))
                print("saved", vote["vote"])
                break
            except psycopg2.Error as error:
                print("lost the database:", str(error).strip().splitlines()[0])
                connection = connected()


if __name__ == "__main__":
    sys.exit(main())
