"""The configurations in examples/stacks/ work with the variables of each stack, and let its clients in when it is up."""

import asyncio
import pathlib
from dataclasses import dataclass, field

import aiohttp
import pytest

from support import postgres as pg
from support.probegate import command
from support.stand_in import StandIn

STACKS = pathlib.Path(__file__).parents[2] / "examples" / "stacks"
REDIS_PASSWORD = "redis-s3cret"


@dataclass
class Stack:
    """What a stack's containers have in their environment, and what its server demands of a client."""

    env: dict  # {pg_host} and so on are filled in
    server: dict  # of StandIn
    tables: list = field(default_factory=list)
    database: str = "postgres"
    client: dict = field(default_factory=dict)  # of ws_connect, for a client that is let in
    client_path: str = ""


def cookie(name, value):
    return {"headers": {"Cookie": f"{name}={value}"}}


SITE = "https://chat.example.com"
OK = ({}, 200, "OK")
STACKS_PLAYED = {
    "mastodon": Stack(
        env={"DB_HOST": "{pg_host}", "DB_PORT": "{pg_port}", "DB_USER": "{pg_user}", "DB_PASS": "{pg_password}", "DB_NAME": "{database}",
             "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "{redis_port}", "REDIS_PASSWORD": "{redis_password}", "STREAMING_PORT": "{port}"},
        server={"path": "/api/v1/streaming", "query": {"access_token": "t0ken"}, "refusal": 401,
                "health": {"/api/v1/streaming/health": OK}},
        tables=["accounts", "statuses", "schema_migrations"], client_path="/api/v1/streaming?access_token=t0ken"),
    "chatwoot": Stack(
        env={"POSTGRES_HOST": "{pg_host}", "POSTGRES_PORT": "{pg_port}", "POSTGRES_USERNAME": "{pg_user}", "POSTGRES_PASSWORD": "{pg_password}",
             "POSTGRES_DATABASE": "{database}", "REDIS_URL": "redis://127.0.0.1:{redis_port}", "REDIS_PASSWORD": "{redis_password}",
             "FRONTEND_URL": SITE, "RAILS_PORT": "{port}"},
        server={"path": "/cable", "headers": {"Origin": SITE}, "subprotocol": "actioncable-v1-json", "greeting": '{"type":"welcome"}',
                "refusal": 404},
        tables=["accounts", "conversations", "schema_migrations"], client_path="/cable",
        client={"headers": {"Origin": SITE}, "protocols": ("actioncable-v1-json",)}),
    "mattermost": Stack(
        env={"MM_SQLSETTINGS_DATASOURCE": "postgres://{pg_user}:{pg_password}@{pg_host}:{pg_port}/{database}"
                                          "?sslmode=disable&connect_timeout=10&binary_parameters=yes",
             "MM_SERVICESETTINGS_SITEURL": SITE, "MATTERMOST_PORT": "{port}"},
        server={"path": "/api/v4/websocket", "headers": {"Origin": SITE}, "health": {"/api/v4/system/ping": ({}, 200, {"status": "OK"})}},
        tables=["users", "channels", "posts"], client_path="/api/v4/websocket", client={"headers": {"Origin": SITE}}),
    "zulip": Stack(
        env={"SETTING_REMOTE_POSTGRES_HOST": "{pg_host}", "SETTING_REMOTE_POSTGRES_PORT": "{pg_port}", "SETTING_REDIS_HOST": "127.0.0.1",
             "SETTING_REDIS_PORT": "{redis_port}", "SETTING_RABBITMQ_HOST": "127.0.0.1", "SETTING_RABBITMQ_PORT": "{redis_port}",
             "SETTING_MEMCACHED_LOCATION": "127.0.0.1:{redis_port}", "SETTING_EXTERNAL_HOST": "zulip.example.com",
             "ZULIP_SECRETS": "{secrets}", "ZULIP_HTTP_PORT": "{port}"},
        server={"health": {"/health": ({"Host": "zulip.example.com"}, 200, {"result": "success"})}},
        tables=["zulip.zerver_realm", "zulip.zerver_message"], database="zulip"),
    "supabase-realtime": Stack(
        env={"DB_HOST": "{pg_host}", "DB_PORT": "{pg_port}", "DB_USER": "{pg_user}", "DB_PASSWORD": "{pg_password}", "DB_NAME": "{database}",
             "ANON_KEY": "anon-k3y", "REALTIME_PORT": "{port}"},
        server={"path": "/socket/websocket", "headers": {"Host": "realtime-dev.supabase-realtime"}, "query": {"apikey": "anon-k3y"},
                "health": {"/api/tenants/realtime-dev/health": ({"Authorization": "Bearer anon-k3y"}, 200, {"data": {"healthy": True}})}},
        tables=["_realtime.tenants"], client_path="/socket/websocket?apikey=anon-k3y&vsn=1.0.0",
        client={"headers": {"Host": "realtime-dev.supabase-realtime"}}),
    "n8n": Stack(
        env={"DB_POSTGRESDB_HOST": "{pg_host}", "DB_POSTGRESDB_PORT": "{pg_port}", "DB_POSTGRESDB_USER": "{pg_user}",
             "DB_POSTGRESDB_PASSWORD": "{pg_password}", "DB_POSTGRESDB_DATABASE": "{database}", "QUEUE_BULL_REDIS_HOST": "127.0.0.1",
             "QUEUE_BULL_REDIS_PORT": "{redis_port}", "QUEUE_BULL_REDIS_PASSWORD": "{redis_password}", "N8N_PORT": "{port}"},
        server={"path": "/rest/push", "cookie": ("n8n-auth", "login"), "refusal": 401,
                "health": {"/healthz/readiness": ({}, 200, {"status": "ok"})}},
        tables=["workflow_entity", "execution_entity"], client_path="/rest/push?pushRef=1", client=cookie("n8n-auth", "login")),
    "centrifugo": Stack(
        env={"CENTRIFUGO_REDIS_URL": "redis://:{redis_password}@127.0.0.1:{redis_port}", "CENTRIFUGO_ORIGIN": SITE, "CENTRIFUGO_PORT": "{port}"},
        server={"path": "/connection/websocket", "headers": {"Origin": SITE}, "health": {"/health": ({}, 200, {})}},
        client_path="/connection/websocket", client={"headers": {"Origin": SITE}}),
    "reearth-flow": Stack(
        env={"REEARTH_FLOW_REDIS_URL": "redis://:{redis_password}@127.0.0.1:{redis_port}", "PROBE_ORIGIN": SITE, "REEARTH_FLOW_WS_PORT": "{port}"},
        server={"path": "/{document}", "headers": {"Origin": SITE}, "query": {"token": "t0ken"}, "refusal": 401},
        client_path="/document-1?token=t0ken", client={"headers": {"Origin": SITE}}),
}


@dataclass
class Servers:
    env: dict
    server: StandIn
    postgres: object
    redis: object


def prepare(rig, stack):
    """The stack's servers, not started, and its environment."""
    server = rig.keep(StandIn(**stack.server))
    postgres, redis = rig.postgres(), rig.redis(password=REDIS_PASSWORD)
    secrets = pathlib.Path(rig.directory)
    (secrets / "zulip__postgres_password").write_text(pg.PASSWORD + "\n")
    (secrets / "zulip__redis_password").write_text(REDIS_PASSWORD + "\n")
    values = {"pg_host": "127.0.0.1", "pg_port": postgres.port, "pg_user": pg.USER, "pg_password": pg.PASSWORD, "database": stack.database,
              "redis_port": redis.port, "redis_password": REDIS_PASSWORD, "port": server.port, "secrets": secrets}
    return Servers({name: value.format(**values) for name, value in stack.env.items()}, server, postgres, redis)


def start(servers, stack):
    servers.redis.start()
    servers.postgres.start()
    if stack.database != "postgres":
        servers.postgres.execute(f"CREATE ROLE {stack.database} LOGIN PASSWORD '{pg.PASSWORD}'")
        servers.postgres.execute(f"CREATE DATABASE {stack.database} OWNER {stack.database}")
    for schema in {name.split(".")[0] for name in stack.tables if "." in name}:
        servers.postgres.execute(f"CREATE SCHEMA {schema}", database=stack.database)
        if stack.database != "postgres":
            servers.postgres.execute(f"GRANT USAGE ON SCHEMA {schema} TO {stack.database}", database=stack.database)
    for name in stack.tables:
        servers.postgres.execute(f"CREATE TABLE {name} (id int)", database=stack.database)
        if stack.database != "postgres":
            servers.postgres.execute(f"GRANT SELECT ON {name} TO {stack.database}", database=stack.database)
    servers.server.start()


async def echo(url, **options):
    async with aiohttp.ClientSession() as session, session.ws_connect(url, **options) as socket:
        await socket.send_str("hello")
        while (message := await socket.receive_str(timeout=30)) != "hello":
            assert "welcome" in message


@pytest.mark.parametrize("name", STACKS_PLAYED)
def test_the_gate_opens_when_the_stack_is_up_and_lets_its_clients_in(rig, name):
    stack = STACKS_PLAYED[name]
    servers = prepare(rig, stack)
    sidecar = rig.probegate(STACKS / name / "probegate.yaml", env=servers.env).start()
    assert sidecar.ready()["gate"] == "starting"
    start(servers, stack)
    sidecar.wait_for_gate("open")
    for secret in (pg.PASSWORD, REDIS_PASSWORD, "anon-k3y"):
        assert secret not in sidecar.output()
        assert secret not in sidecar.probe("/status").text
    if stack.client_path:
        asyncio.run(echo(f"http://127.0.0.1:{sidecar.proxy_port}{stack.client_path}", **stack.client))


def test_every_folder_of_stacks_is_played():
    assert {path.name for path in STACKS.iterdir() if path.is_dir()} == set(STACKS_PLAYED)


@pytest.mark.parametrize("name", STACKS_PLAYED)
def test_a_variable_that_the_stack_did_not_hand_over_is_named(name):
    """Those without a default in the file; with an empty environment validate names each."""
    ran = command("validate", "-c", STACKS / name / "probegate.yaml")
    wanted = {"mastodon": "DB_HOST", "chatwoot": "POSTGRES_HOST", "mattermost": "MM_SQLSETTINGS_DATASOURCE", "zulip": "SETTING_EXTERNAL_HOST",
              "supabase-realtime": "ANON_KEY", "n8n": "DB_POSTGRESDB_HOST", "centrifugo": "CENTRIFUGO_REDIS_URL",
              "reearth-flow": "REEARTH_FLOW_REDIS_URL"}[name]
    assert ran.returncode == 2
    assert wanted in ran.stdout + ran.stderr
