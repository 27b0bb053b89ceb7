"""A System on this machine without root: namespaces, cables and processes of one small world.

layout      who is where: pure, from the System file     substrate   the Substrate and its World
spec        what the supervisor is told                  readiness   is a replica answering
supervisor  the world's first process                    units       restarting a replica
channel     how the harness and `world exec` ask it      support     can it be done here at all
"""
