"""A System whose services are workloads in a namespace of a Kubernetes cluster.

Nothing is deployed but agents: pods of our own namespace, one on each node that has targets, for as
long as a run takes. All that is Linux is done by them, with the mechanisms of the local world; what
only the cluster can do (delete a pod, drain a node) is done through its API.
"""
