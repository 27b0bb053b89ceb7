"""A Kubernetes cluster on one Linux machine: real components, nodes made of namespaces."""
