"""A System where user namespaces are refused: its processes on ports of 127.0.0.1, and a proxy on
every edge. What has a proxy or a process can be disturbed, packets cannot.

layout   ports and edges: who is told which address    substrate   the Substrate and its World
spec     what the supervisor is told                   supervisor  the world's two first processes
ports    free ones, kept from other worlds             ground      how it starts and finds processes
keeper   one for each replica                          proxies     one for each caller
remains  the last net: `harness recover`               shared_memory  what no namespace takes along
"""
