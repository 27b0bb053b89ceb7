"""A selftest on a cluster: scratch workloads, a run on each, and whoever can be killed there.

ground    the namespaces, made and removed          place    one of them, and what is seen there
objects   what stands in it, as the API has it      looker   sees a node with plain tools, and kills
eyes      who speaks to a looker                    victims  whom only a cluster has
switches  power, cables, services of our own cluster
"""
