"""The course's chapter on applications of many containers: its two files of the voting application, and its commands.

The five services are small stand-ins that find each other by name; `examples/voting-app` has real ones.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.course.desk import Desk
from tests.course.images import make
from tests.support.images import with_files

pytestmark = pytest.mark.root

SIMPLE = """\
version: "3"

services:
  vote:
    build: ./vote
    command: python app.py
    volumes:
      - ./vote:/app
    ports:
     - "5000:80"

  redis:
    image: redis:alpine
    ports: ["6379"]

  worker:
    build: ./worker

  db:
    image: postgres:9.4
    environment:
      POSTGRES_USER: "postgres"
      POSTGRES_PASSWORD: "postgres"

  result:
    build: ./result
    command: nodemon server.js
    volumes:
      - ./result:/app
    ports:
      - "5001:80"
      - "5858:5858"
"""
WHOLE = """\
version: "3"

services:
  vote:
    build: ./vote
    command: python app.py
    volumes:
      - ./vote:/app
    ports:
    - "5000:80"
    networks:
    - front-tier
    - back-tier

  result:
    build: ./result
    command: nodemon server.js
    volumes:
      - ./result:/app
    ports:
    - "5001:80"
    - "5858:5858"
    networks:
    - front-tier
    - back-tier

  worker:
    build:
      context: ./worker
    depends_on:
    - "redis"
    - "db"
    networks:
    - back-tier

  redis:
    image: redis:alpine
    container_name: redis
    ports: ["6379"]
    networks:
    - back-tier

  db:
    image: postgres:9.4
    container_name: db
    environment:
      POSTGRES_USER: "postgres"
      POSTGRES_PASSWORD: "postgres"
    volumes:
    - "db-data:/var/lib/postgresql/data"
    networks:
    - back-tier

volumes:
  db-data:

networks:
  front-tier:
  back-tier:
"""
PAGE = "#!/bin/sh\ntrap exit TERM\nhttpd -f -p 80 -h /app & wait\n"
STORE = """\
#!/bin/sh
trap exit TERM
mkdir -p /var/lib/postgresql/data /srv
date >> /var/lib/postgresql/data/{0}
echo {0} > /srv/name
httpd -f -p {1} -h /srv & wait
"""
WORK = """\
#!/bin/sh
trap exit TERM
until wget -qO- http://redis:6379/name && wget -qO- http://db:5432/name; do sleep 0.1; done
sleep 1000 & wait
"""


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    """With the folders of the services, their images' stand-ins, and the course's own program name."""
    if desk.client == "havre":
        (desk.folder / "bin/docker-compose").symlink_to(Path(sys.executable).parent / "havre")
    make(desk.engine, "redis:alpine", with_files({"bin/serve": STORE.format("redis", 6379)}), 'CMD ["serve"]')
    make(desk.engine, "postgres:9.4", with_files({"bin/serve": STORE.format("postgres", 5432)}), 'CMD ["serve"]')
    for service, program, text in (("vote", "python", PAGE), ("result", "nodemon", PAGE), ("worker", "worker", WORK)):
        folder = desk.folder / "app" / service
        folder.mkdir(parents=True)
        (folder / program).write_text(text)
        (folder / "index.html").write_text(f"{service} page\n")
        lines = f"FROM alpine\nCOPY {program} /bin/\nRUN chmod +x /bin/{program}\nCMD {program}\n"
        (folder / "Dockerfile").write_text(lines)
    yield desk
    desk.type("cd app && docker-compose down -v --rmi local -t 5")


def write(desk: Desk, text: str) -> None:
    (desk.folder / "app/docker-compose.yml").write_text(text)


def test_the_simple_file(desk: Desk) -> None:
    write(desk, SIMPLE)
    desk.type("cd app && docker-compose up -d --build")
    assert desk.page("http://localhost:5000") == "vote page"
    assert desk.page("http://localhost:5001") == "result page"
    desk.type("cd app && until docker-compose top worker | grep -q 'sleep 1000'; do sleep 0.05; done")
    (desk.folder / "app/vote/index.html").write_text("another page\n")
    assert desk.page("http://localhost:5000") == "another page"


def test_the_commands_one_after_the_other(desk: Desk) -> None:
    write(desk, WHOLE)
    desk.type("cd app && docker-compose build")
    desk.type("cd app && docker-compose up -d")
    shown = desk.type("cd app && docker-compose ps")
    assert all(name in shown for name in ("vote", "result", "worker", "redis", "db"))
    ask = "docker exec redis wget -qO- http://db:5432/name 2>/dev/null"
    assert desk.type(f"until {ask}; do sleep 0.05; done") == "postgres"
    desk.type("cd app && docker-compose stop")
    assert desk.type("docker ps -q") == ""
    desk.type("cd app && docker-compose start")
    desk.type("until test $(docker exec db cat /var/lib/postgresql/data/postgres | wc -l) = 2; do sleep 0.05; done")
    desk.type("cd app && docker-compose up -d --scale worker=3")
    assert desk.type("cd app && docker-compose ps -q worker 2>/dev/null | wc -l") == "3"
    shown = desk.type("cd app && until docker-compose logs worker 2>/dev/null | grep postgres; do sleep 0.05; done")
    assert "worker" in shown.splitlines()[0]
    desk.type("cd app && docker-compose down")
    assert desk.type("docker ps -aq") == ""
    assert desk.type("docker volume ls -q") == "app_db-data"
    assert desk.type("docker network ls -q --filter type=custom") == ""


def test_a_service_of_production_has_an_image_and_limits(desk: Desk) -> None:
    make(
        desk.engine,
        "examplevotingapp_vote:before",
        with_files({"bin/serve": PAGE, "app/index.html": "vote\n"}),
        "CMD serve",
    )
    text = """\
version: "3"
services:
  vote:
    image: examplevotingapp_vote:before
    ports:
      - 5000:80
    networks:
      - frontend
    depends_on:
      - redis
    deploy:
      replicas: 1
      update_config:
        parallelism: 2
      restart_policy:
        condition: on-failure
  redis:
    image: redis:alpine
    networks:
      - frontend
networks:
  frontend:
"""
    write(desk, text)
    desk.type("cd app && docker-compose up -d")
    assert desk.page("http://localhost:5000") == "vote"
