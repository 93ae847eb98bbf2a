"""A stand-in for WhatsApp's Cloud API that behaves like it where a client can tell.

    python -m workflows.testing.graph_stub --port 8099

One account with the token `stub-token`; everything is in memory. Faults come from
*magic recipients* (`+9779800` and a six-digit error code), from scripted rules, and
from the account's own limits:

    POST   /__stub__/rules     what the next calls get, see `Rule`
    POST   /__stub__/settings  see `Settings`
    POST   /__stub__/clock     {"at": ms}: stand still at this time
    POST   /__stub__/inbound   {"from": "+977…", "at": ms}: opens the 24 h window
    GET    /__stub__/calls     every call with its time
    GET    /__stub__/messages  every message that was accepted, whether it was `told`
                               so or not; `?since=n`: after the n-th
    DELETE /__stub__/state     as new
"""
