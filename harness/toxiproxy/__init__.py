"""A server that passes for Toxiproxy 2.12, and does more under `/v1`.

`server` speaks HTTP, `api` answers as Toxiproxy does, `v1` goes beyond it; `proxies` holds what
they change. Bytes are moved by the same core as in faults (`mechanisms.proxy_link`), told to be
exact: to do as Toxiproxy does where a fault would rather be strict.
"""
